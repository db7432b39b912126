package gatehouse

import (
	"gatehouse/observe/metrics"
	"gatehouse/upstream"
)

func (k *keepers) serviceStats() []metrics.ServiceStats {
	var out []metrics.ServiceStats
	k.upstreams.EachService(func(s upstream.ServiceStats) {
		out = append(out, metrics.ServiceStats{
			Service: s.Service, Healthy: int64(s.Healthy), Unhealthy: int64(s.Sick), Ejected: int64(s.Ejected),
			Spared: s.Spared, RetriesDenied: s.Denied,
		})
	})
	return out
}

func (k *keepers) breakerStats() []metrics.BreakerStats {
	var out []metrics.BreakerStats
	k.upstreams.EachService(func(s upstream.ServiceStats) {
		if b := s.Breaker; b != nil {
			out = append(out, metrics.BreakerStats{Service: s.Service, Open: b.Open, Trying: b.Trying, Opened: b.Opened, Refused: b.Refused})
		}
	})
	return out
}

func (k *keepers) queueStats() []metrics.QueueStats {
	var out []metrics.QueueStats
	k.upstreams.EachService(func(s upstream.ServiceStats) {
		if q := s.Gate; q != nil {
			out = append(out, metrics.QueueStats{
				Service: s.Service, InFlight: q.Used, Limit: q.Limit, Waiting: q.Waiting,
				Entered: q.Entered, Refused: q.Refused, Expired: q.Expired, Left: q.Left, Waited: q.Waited,
			})
		}
	})
	return out
}

// nameStats leaves out what a service names twice: a series that stands twice is
// none.
func (k *keepers) nameStats() []metrics.NameStats {
	var out []metrics.NameStats
	type name struct{ service, name string }
	known := make(map[name]bool)
	k.upstreams.EachName(func(n upstream.NameStats) {
		if key := (name{n.Service, n.Name}); !known[key] {
			known[key] = true
			out = append(out, metrics.NameStats{
				Service: n.Service, Name: n.Name, Addresses: int64(n.Addresses), LastSuccess: n.At, Failures: n.Failures, Stale: n.Stale,
			})
		}
	})
	return out
}
