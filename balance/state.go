package balance

import (
	"sync/atomic"
	"time"
)

// State is what a service knows of one of its targets, beside its health:
// whether it is ejected, how far it has come to its full share, how many
// requests it has. Its times are those of the service's Clock. It is safe for
// concurrent use.
type State struct {
	until  atomic.Int64 // ejected, and to be tried again at this time; 0 while it is in
	streak atomic.Int32 // failures in a row
	window Window
	reason atomic.Pointer[Ejection] // the last; nil where there was none

	since atomic.Int64 // when it came, or came back: its share grows from then on
	grown atomic.Int64 // the since of the growth that has ended

	used atomic.Int64 // requests that count against its room

	// Outliers alone use these, under their lock.
	times int   // how often it was ejected of late
	back  int64 // when it came back last
	count atomic.Uint64
}

// NewState returns the State of a target that is there from now on. Fresh says
// that others were there before: its share grows to the full one.
func NewState(c Clock, fresh bool) *State {
	s := &State{}
	if fresh {
		s.since.Store(c.Now())
	}
	return s
}

// Ejection is a target's being taken out for its answers, or coming back.
type Ejection struct {
	Address string
	Out     bool
	Why     string        // what the answers were like; empty where it comes back
	For     time.Duration // until it is tried again
	Times   int           // how often of late, this one included
	At      time.Time
}

// Ejected reports whether the target is out, why, and for how much longer
// before it is tried again. A nil State never is.
func (s *State) Ejected(c Clock) (out bool, why string, left time.Duration) {
	if s == nil {
		return false, "", 0
	}
	until := s.until.Load()
	if until == 0 {
		return false, "", 0
	}
	if e := s.reason.Load(); e != nil {
		why = e.Why
	}
	return true, why, time.Duration(max(until-c.Now(), 0))
}

// Last returns the last ejection; the zero Ejection where there was none.
func (s *State) Last() Ejection {
	if s == nil {
		return Ejection{}
	}
	if e := s.reason.Load(); e != nil {
		return *e
	}
	return Ejection{}
}

// Ejections returns how often the target was taken out.
func (s *State) Ejections() uint64 {
	if s == nil {
		return 0
	}
	return s.count.Load()
}

// Used returns how many requests count against the target's room.
func (s *State) Used() int64 {
	if s == nil {
		return 0
	}
	return s.used.Load()
}

// enter takes a place of room, if one is free.
func (s *State) enter(room int64) bool {
	for {
		n := s.used.Load()
		if n >= room {
			return false
		}
		if s.used.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave gives back the place that a Query took.
func (s *State) Leave() { s.used.Add(-1) }

// claim makes the caller the one who tries an ejected target: until its verdict
// comes, or for wait, nobody else does.
func (s *State) claim(now int64, wait time.Duration) bool {
	until := s.until.Load()
	return until != 0 && until <= now && s.until.CompareAndSwap(until, now+int64(wait))
}
