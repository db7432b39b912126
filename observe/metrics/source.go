package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// family shows the rows of one source: a few metrics each, under the same
// labels.
type family[T any] struct {
	rows    func() []T
	labels  func(*T) []string
	metrics []metric[T]
}

// metric is one metric of a family.
type metric[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*T) float64
}

// newFamily returns a collector of rows; nil where there is no source.
func newFamily[T any](rows func() []T, prefix string, names []string, labels func(*T) []string, columns ...column[T]) prometheus.Collector {
	if rows == nil {
		return nil
	}
	f := &family[T]{rows: rows, labels: labels}
	for _, c := range columns {
		f.metrics = append(f.metrics, metric[T]{prometheus.NewDesc("gatehouse_"+prefix+"_"+c.name, c.help, names, nil), c.kind, c.value})
	}
	return f
}

// column says what a metric of a family is.
type column[T any] struct {
	name, help string
	kind       prometheus.ValueType
	value      func(*T) float64
}

// Describe implements prometheus.Collector.
func (f *family[T]) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range f.metrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (f *family[T]) Collect(ch chan<- prometheus.Metric) {
	rows := f.rows()
	for i := range rows {
		labels := f.labels(&rows[i])
		for j, l := range labels {
			labels[j] = label(l)
		}
		for _, m := range f.metrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&rows[i]), labels...)
		}
	}
}

const (
	counts  = prometheus.CounterValue
	current = prometheus.GaugeValue
)

// collectors returns a collector for every source that there is.
func (s Sources) collectors() []prometheus.Collector {
	all := []prometheus.Collector{
		s.upstreams(), s.services(), s.breakers(), s.queues(), s.resolvedNames(), s.listeners(), s.throttles(),
		s.keySets(), s.logs(), s.bodies(), s.codings(), s.encoders(), s.certificates(),
		s.mirrorQueues(), s.mirrorCopies(), s.webACLs(), s.webACLFaults(), s.state(), s.stateCopy(), s.secrets(),
		s.tunnels(), s.tunnelEnds(), s.store(),
	}
	present := all[:0]
	for _, c := range all {
		if c != nil {
			present = append(present, c)
		}
	}
	return present
}

func (s Sources) upstreams() prometheus.Collector {
	type T = UpstreamStats
	return newFamily(merged(s.Upstreams), "upstream", []string{"service", "target"},
		func(u *T) []string { return []string{u.Service, u.Target} },
		column[T]{"healthy", "1 where the target gets requests.", current, func(u *T) float64 { return flag(u.Healthy) }},
		column[T]{"ejected", "1 while the target is out for its answers.", current, func(u *T) float64 { return flag(u.Ejected) }},
		column[T]{"ejections_total", "How often it was taken out.", counts, func(u *T) float64 { return float64(u.Ejections) }},
		column[T]{"share", "Its share of what its weight says; below 1 while it is new or back.", current, func(u *T) float64 { return u.Share }},
		column[T]{"requests_in_flight", "Requests that the target is answering.", current, func(u *T) float64 { return float64(u.InFlight) }},
		column[T]{"requests_total", "Attempts sent to the target.", counts, func(u *T) float64 { return float64(u.Requests) }},
		column[T]{"connect_failures_total", "Connections that could not be made.", counts, func(u *T) float64 { return float64(u.ConnectFailures) }},
		column[T]{"connections", "Connections that are open.", current, func(u *T) float64 { return float64(u.ConnectionsOpen) }},
		column[T]{"connections_idle", "Open connections that wait for a request.", current, func(u *T) float64 { return float64(u.ConnectionsIdle) }},
	)
}

// merged adds up what is the same target of the same service, such as an address
// to which two of its names lead: a series that stands twice is none.
func merged(rows func() []UpstreamStats) func() []UpstreamStats {
	if rows == nil {
		return nil
	}
	return func() []UpstreamStats {
		type target struct{ service, target string }
		var out []UpstreamStats
		known := make(map[target]int)
		for _, row := range rows() {
			key := target{label(row.Service), label(row.Target)}
			i, twice := known[key]
			if !twice {
				known[key] = len(out)
				out = append(out, row)
				continue
			}
			out[i].add(&row)
		}
		return out
	}
}

func (u *UpstreamStats) add(o *UpstreamStats) {
	u.Healthy = u.Healthy || o.Healthy
	u.Ejected = u.Ejected || o.Ejected
	u.Ejections = max(u.Ejections, o.Ejections) // of one state
	u.Share = max(u.Share, o.Share)
	u.InFlight += o.InFlight
	u.Requests += o.Requests
	u.ConnectFailures += o.ConnectFailures
	u.ConnectionsOpen += o.ConnectionsOpen
	u.ConnectionsIdle += o.ConnectionsIdle
}

func (s Sources) listeners() prometheus.Collector {
	type T = ListenerStats
	return newFamily(s.Listeners, "connections", []string{"listener"},
		func(l *T) []string { return []string{l.Listener} },
		column[T]{"open", "Clients' connections that are open.", current, func(l *T) float64 { return float64(l.Open) }},
		column[T]{"accepted_total", "Connections accepted.", counts, func(l *T) float64 { return float64(l.Accepted) }},
		column[T]{"refused_total", "Connections closed at once, over a limit.", counts, func(l *T) float64 { return float64(l.Refused) }},
		column[T]{"handshake_errors_total", "TLS handshakes that failed.", counts, func(l *T) float64 { return float64(l.HandshakeErrors) }},
		column[T]{"malformed_requests_total", "Requests that could not be read.", counts, func(l *T) float64 { return float64(l.Malformed) }},
	)
}

func (s Sources) throttles() prometheus.Collector {
	type T = ThrottleStats
	return newFamily(s.Throttles, "throttle", []string{"scope"},
		func(t *T) []string { return []string{t.Scope} },
		column[T]{"keys", "Buckets in use.", current, func(t *T) float64 { return float64(t.Keys) }},
		column[T]{"capacity", "Buckets that there is room for.", current, func(t *T) float64 { return float64(t.Capacity) }},
		column[T]{"overflow_total", "Decisions by the bucket that all share once the table is full.", counts, func(t *T) float64 { return float64(t.Overflow) }},
	)
}

func (s Sources) keySets() prometheus.Collector {
	type T = KeySetStats
	return newFamily(s.Keys, "jwks", []string{"source"},
		func(k *T) []string { return []string{k.Source} },
		column[T]{"keys", "Keys that verify tokens.", current, func(k *T) float64 { return float64(k.Keys) }},
		column[T]{"fetch_failures_total", "Fetches that failed.", counts, func(k *T) float64 { return float64(k.Failures) }},
		column[T]{"last_success_timestamp_seconds", "When the key set was last fetched.", current, func(k *T) float64 { return seconds(k.LastSuccess) }},
	)
}

func (s Sources) logs() prometheus.Collector {
	type T = LogStats
	return newFamily(s.Logs, "access_log", []string{"log"},
		func(l *T) []string { return []string{l.Log} },
		column[T]{"lines_total", "Lines taken for writing.", counts, func(l *T) float64 { return float64(l.Lines) }},
		column[T]{"dropped_total", "Lines lost: the buffer was full, or they could not be written to the end.", counts, func(l *T) float64 { return float64(l.Dropped) }},
		column[T]{"write_errors_total", "Writes that failed.", counts, func(l *T) float64 { return float64(l.WriteErrors) }},
	)
}

func (s Sources) bodies() prometheus.Collector {
	if s.Bodies == nil {
		return nil
	}
	type T = BodyStats
	return newFamily(func() []T { return []T{s.Bodies()} }, "body_buffer", nil,
		func(*T) []string { return nil },
		column[T]{"used_bytes", "Memory of buffered bodies.", current, func(b *T) float64 { return float64(b.Used) }},
		column[T]{"limit_bytes", "Memory that buffered bodies may take.", current, func(b *T) float64 { return float64(b.Limit) }},
	)
}

func (s Sources) codings() prometheus.Collector {
	type T = CodingStats
	return newFamily(s.Codings, "compress", []string{"coding"},
		func(c *T) []string { return []string{c.Coding} },
		column[T]{"answers_total", "Answers that were compressed.", counts, func(c *T) float64 { return float64(c.Answers) }},
		column[T]{"plain_bytes_total", "Bytes of their bodies before.", counts, func(c *T) float64 { return float64(c.Plain) }},
		column[T]{"coded_bytes_total", "Bytes of their bodies after.", counts, func(c *T) float64 { return float64(c.Coded) }},
	)
}

func (s Sources) encoders() prometheus.Collector {
	if s.Encoders == nil {
		return nil
	}
	type T = EncoderStats
	return newFamily(func() []T { return []T{s.Encoders()} }, "compress_memory", nil,
		func(*T) []string { return nil },
		column[T]{"used_bytes", "Memory of the encoders at work.", current, func(e *T) float64 { return float64(e.Used) }},
		column[T]{"limit_bytes", "Memory that encoders may take.", current, func(e *T) float64 { return float64(e.Limit) }},
		column[T]{"refused_total", "Answers that stayed plain because it was used up.", counts, func(e *T) float64 { return float64(e.Refused) }},
	)
}

func (s Sources) certificates() prometheus.Collector {
	type T = CertificateStats
	return newFamily(s.Certificates, "certificate", []string{"name", "source"},
		func(c *T) []string { return []string{c.Name, c.Source} },
		column[T]{"expiry_timestamp_seconds", "When the certificate that is served for the name expires; 0 where there is none yet.", current, func(c *T) float64 { return seconds(c.Expires) }},
		column[T]{"failures_total", "Attempts to obtain or renew the certificate that failed.", counts, func(c *T) float64 { return float64(c.Failures) }},
	)
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is t as Prometheus writes times; 0 for never.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
