package state

import (
	"sync/atomic"
	"time"
)

// counters are what a Store counts.
type counters struct {
	written, failed atomic.Uint64
	heard           atomic.Int64 // when the engine was last known to be there, Unix nanoseconds
	copied          atomic.Int64 // when the copy was written, Unix nanoseconds
}

// Stats are a Store as it is now.
type Stats struct {
	Up       bool   // the engine is there
	Written  uint64 // writes that were acknowledged
	Failed   uint64 // writes that were not, or of which it is not known
	Rows     int
	Bytes    int64     // of the rows' keys and values
	Known    time.Time // up to when everything is known; zero for never
	External bool
	// Copied is up to when the copy on this machine has everything, where the
	// engine is elsewhere; zero for never.
	Copied time.Time
}

// Stats returns the Store as it is now; false where it is not open.
func (s *Store) Stats() (Stats, bool) {
	if !s.Opened() {
		return Stats{}, false
	}
	s.hear()
	out := Stats{Written: s.stats.written.Load(), Failed: s.stats.failed.Load(), External: s.External(), Known: timeOf(&s.stats.heard), Copied: timeOf(&s.stats.copied)}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Up = s.kv != nil && s.engine.alive()
	if !s.dirty && !out.Copied.IsZero() && out.Known.After(out.Copied) {
		out.Copied = out.Known // nothing has changed since
	}
	for prefix, t := range s.tables {
		for id, r := range t.rows {
			if !r.gone {
				out.Rows++
				out.Bytes += int64(len(prefix) + len(id) + len(r.value))
			}
		}
	}
	return out, true
}

// hear notes that the engine is there, if it is.
func (s *Store) hear() {
	if s.Writable() {
		s.stats.heard.Store(time.Now().UnixNano())
	}
}

func timeOf(n *atomic.Int64) time.Time {
	if at := n.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}
