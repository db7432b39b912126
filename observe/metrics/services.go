package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ServiceStats is what is known of one service.
type ServiceStats struct {
	Service       string
	Healthy       int64
	Unhealthy     int64
	Ejected       int64
	Spared        uint64
	RetriesDenied uint64
}

// BreakerStats is what is known of a service's breaker.
type BreakerStats struct {
	Service string
	Open    bool
	Trying  bool
	Opened  uint64
	Refused uint64
}

// QueueStats is what is known of the requests to a service that is limited.
type QueueStats struct {
	Service                         string
	InFlight, Limit, Waiting        int64
	Entered, Refused, Expired, Left uint64
	Waited                          time.Duration
}

// NameStats is what is known of a name that a service looks up.
type NameStats struct {
	Service, Name string
	Addresses     int64
	LastSuccess   time.Time
	Failures      uint64
	Stale         bool
}

func (s Sources) services() prometheus.Collector {
	type T = ServiceStats
	return newFamily(s.Services, "service", []string{"service"},
		func(t *T) []string { return []string{t.Service} },
		column[T]{"targets_healthy", "Targets that get requests.", current, func(t *T) float64 { return float64(t.Healthy) }},
		column[T]{"targets_unhealthy", "Targets that their health keeps out.", current, func(t *T) float64 { return float64(t.Unhealthy) }},
		column[T]{"targets_ejected", "Targets that are out for their answers.", current, func(t *T) float64 { return float64(t.Ejected) }},
		column[T]{"ejections_spared_total", "Targets left in because too few others would have been.", counts, func(t *T) float64 { return float64(t.Spared) }},
		column[T]{"retries_denied_total", "Retries that the budget had nothing left for.", counts, func(t *T) float64 { return float64(t.RetriesDenied) }},
	)
}

func (s Sources) breakers() prometheus.Collector {
	type T = BreakerStats
	return newFamily(s.Breakers, "breaker", []string{"service"},
		func(b *T) []string { return []string{b.Service} },
		column[T]{"open", "1 while the service is left alone.", current, func(b *T) float64 { return flag(b.Open) }},
		column[T]{"trying", "1 while it is open and requests are let through as trials.", current, func(b *T) float64 { return flag(b.Trying) }},
		column[T]{"opened_total", "How often it has opened, a trial that failed included.", counts, func(b *T) float64 { return float64(b.Opened) }},
		column[T]{"refused_total", "Requests refused while it was open.", counts, func(b *T) float64 { return float64(b.Refused) }},
	)
}

func (s Sources) queues() prometheus.Collector {
	type T = QueueStats
	return newFamily(s.Queues, "queue", []string{"service"},
		func(q *T) []string { return []string{q.Service} },
		column[T]{"requests_in_flight", "Requests that have room.", current, func(q *T) float64 { return float64(q.InFlight) }},
		column[T]{"limit", "Requests that may have room; 0 where each target alone is limited.", current, func(q *T) float64 { return float64(q.Limit) }},
		column[T]{"length", "Requests that wait for room.", current, func(q *T) float64 { return float64(q.Waiting) }},
		column[T]{"waited_total", "Requests that had room after waiting.", counts, func(q *T) float64 { return float64(q.Entered) }},
		column[T]{"wait_seconds_total", "How long these have waited together.", counts, func(q *T) float64 { return q.Waited.Seconds() }},
		column[T]{"refused_total", "Requests for which there was neither room nor a place to wait.", counts, func(q *T) float64 { return float64(q.Refused) }},
		column[T]{"expired_total", "Requests that waited in vain.", counts, func(q *T) float64 { return float64(q.Expired) }},
		column[T]{"left_total", "Requests whose client went away while they waited.", counts, func(q *T) float64 { return float64(q.Left) }},
	)
}

func (s Sources) resolvedNames() prometheus.Collector {
	type T = NameStats
	return newFamily(s.Names, "name", []string{"service", "name"},
		func(n *T) []string { return []string{n.Service, n.Name} },
		column[T]{"addresses", "Addresses in use that the name leads to.", current, func(n *T) float64 { return float64(n.Addresses) }},
		column[T]{"last_success_timestamp_seconds", "When the name was last looked up with success.", current, func(n *T) float64 { return seconds(n.LastSuccess) }},
		column[T]{"failures_total", "Look-ups without a good answer.", counts, func(n *T) float64 { return float64(n.Failures) }},
		column[T]{"stale", "1 while an older answer is in use because look-ups fail.", current, func(n *T) float64 { return flag(n.Stale) }},
	)
}
