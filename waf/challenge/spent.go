package challenge

import (
	"sync"
	"time"
)

// MaxSpent is how many solved challenges are remembered, until nobody can solve
// them again. Each costs some 60 bytes, and whoever had it remembered the work.
const MaxSpent = 1 << 18

// spent remembers which challenges were solved. It is safe for concurrent use. It
// keeps two generations: a nonce is in one of them for as long as its challenge is
// fresh.
type spent struct {
	mu    sync.Mutex
	most  int
	since time.Time // when now began
	now   map[nonce]struct{}
	old   map[nonce]struct{}
}

func newSpent(most int) *spent { return &spent{most: most, now: make(map[nonce]struct{})} }

// outcome is what became of a nonce.
type outcome uint8

const (
	taken  outcome = iota // it was new, and is remembered
	known                 // it was solved before
	noRoom                // nothing more can be remembered now
)

// take remembers a nonce.
func (s *spent) take(n nonce, at time.Time) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(at)
	if _, ok := s.now[n]; ok {
		return known
	}
	if _, ok := s.old[n]; ok {
		return known
	}
	if len(s.now)+len(s.old) >= s.most {
		return noRoom
	}
	s.now[n] = struct{}{}
	return taken
}

// turn begins a generation where the last is as old as a challenge gets: one that
// comes from a node whose clock is ahead is fresh for twice as long.
func (s *spent) turn(at time.Time) {
	switch age := at.Sub(s.since); {
	case age >= 4*Lifetime:
		s.old = nil
	case age >= 2*Lifetime:
		s.old = s.now
	default:
		return
	}
	s.now, s.since = make(map[nonce]struct{}), at
}

func (s *spent) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.now) + len(s.old)
}
