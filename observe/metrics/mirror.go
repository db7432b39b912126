package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// MirrorStats is the copies of requests for one target.
type MirrorStats struct {
	Target  string
	Waiting int
	Sending int
	Copies  map[string]uint64 // by what became of them
}

func (s Sources) mirrorQueues() prometheus.Collector {
	type T = MirrorStats
	return newFamily(joined(s.Mirrors), "mirror", []string{"target"},
		func(m *T) []string { return []string{m.Target} },
		column[T]{"copies_waiting", "Copies of requests that wait to be sent.", current, func(m *T) float64 { return float64(m.Waiting) }},
		column[T]{"copies_in_flight", "Copies of requests that are being sent.", current, func(m *T) float64 { return float64(m.Sending) }},
	)
}

// mirrored is the copies for one target that had one outcome.
type mirrored struct {
	target, result string
	n              uint64
}

func (s Sources) mirrorCopies() prometheus.Collector {
	if s.Mirrors == nil {
		return nil
	}
	rows := func() []mirrored {
		var out []mirrored
		for _, m := range joined(s.Mirrors)() {
			for result, n := range m.Copies {
				out = append(out, mirrored{m.Target, result, n})
			}
		}
		return out
	}
	return newFamily(rows, "mirror", []string{"target", "result"},
		func(m *mirrored) []string { return []string{m.target, m.result} },
		column[mirrored]{"copies_total", "Copies of requests, by what became of them.", counts, func(m *mirrored) float64 { return float64(m.n) }},
	)
}

// joined adds up the queues of one target, which has several where routes say
// different things of it.
func joined(rows func() []MirrorStats) func() []MirrorStats {
	if rows == nil {
		return nil
	}
	return func() []MirrorStats {
		var out []MirrorStats
		for _, row := range rows() {
			i := slices.IndexFunc(out, func(o MirrorStats) bool { return o.Target == row.Target })
			if i < 0 {
				out = append(out, row)
				continue
			}
			out[i].Waiting += row.Waiting
			out[i].Sending += row.Sending
			for result, n := range row.Copies {
				out[i].Copies[result] += n
			}
		}
		return out
	}
}
