package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StateStats is the state that survives restarts.
type StateStats struct {
	Up             bool // its engine can be reached
	Writes, Failed uint64
	Rows           int
	Bytes          int64
	Known          time.Time // up to when everything is known
	External       bool      // the engine is elsewhere
	Copied         time.Time // up to when the copy here has everything
}

func (s Sources) state() prometheus.Collector {
	type T = StateStats
	return newFamily(s.State, "state", nil,
		func(*T) []string { return nil },
		column[T]{"up", "1 where the state's engine can be reached.", current, func(s *T) float64 { return flag(s.Up) }},
		column[T]{"writes_total", "Writes that the engine has acknowledged.", counts, func(s *T) float64 { return float64(s.Writes) }},
		column[T]{"write_failures_total", "Writes that it has not acknowledged.", counts, func(s *T) float64 { return float64(s.Failed) }},
		column[T]{"rows", "Rows in the state.", current, func(s *T) float64 { return float64(s.Rows) }},
		column[T]{"size_bytes", "Names and values of the rows in the state.", current, func(s *T) float64 { return float64(s.Bytes) }},
		column[T]{"known_timestamp_seconds", "Up to when this gateway knows everything that the state has; 0 for never.", current, func(s *T) float64 { return seconds(s.Known) }},
	)
}

func (s Sources) stateCopy() prometheus.Collector {
	if s.State == nil {
		return nil
	}
	type T = StateStats
	rows := func() (out []T) {
		for _, r := range s.State() {
			if r.External {
				out = append(out, r)
			}
		}
		return out
	}
	return newFamily(rows, "state_copy", nil,
		func(*T) []string { return nil },
		column[T]{"timestamp_seconds", "Up to when the copy that a start goes by without the engine has everything; 0 for never.", current, func(s *T) float64 { return seconds(s.Copied) }},
	)
}

// SecretStats is one document of the gateway's own keys.
type SecretStats struct {
	Name        string
	Keys        int
	Since, Next time.Time // when the current key's turn began, and the next one's begins
}

func (s Sources) secrets() prometheus.Collector {
	type T = SecretStats
	return newFamily(s.Secrets, "secret", []string{"name"},
		func(k *T) []string { return []string{k.Name} },
		column[T]{"keys", "Keys whose things are good, of the gateway's own.", current, func(k *T) float64 { return float64(k.Keys) }},
		column[T]{"current_timestamp_seconds", "When the turn of the current key began.", current, func(k *T) float64 { return seconds(k.Since) }},
		column[T]{"next_timestamp_seconds", "When the turn of the next key begins.", current, func(k *T) float64 { return seconds(k.Next) }},
	)
}
