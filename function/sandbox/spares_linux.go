//go:build amd64 || arm64

package sandbox

import "sync"

// spares keeps one stage that waits for its steps, so that a function does not
// wait until there is one: most of a start is there before it is asked for. It
// has a user, name spaces and cgroups of its own, as every stage has, and knows
// nothing of a function yet. The zero value keeps none until there is a bear.
type spares struct {
	bear func() (*launch, error)

	mu     sync.Mutex
	kept   *launch
	making chan struct{} // closed once the one that is under way is there; nil where none is
	closed bool
}

// take returns the stage that waits, or nil.
func (s *spares) take() *launch {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.kept
	s.kept = nil
	return l
}

// refill sees to the next one. It comes after a start, which it would slow down.
func (s *spares) refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bear != nil && s.kept == nil && s.making == nil && !s.closed {
		s.making = make(chan struct{})
		go s.make(s.making)
	}
}

// make makes one. Where that fails the next start finds out why.
func (s *spares) make(done chan struct{}) {
	l, err := s.bear()
	if err != nil {
		l = nil
	}
	s.mu.Lock()
	s.kept, s.making = l, nil
	s.mu.Unlock()
	close(done)
}

// close waits for the one that is being made, and ends what is kept.
func (s *spares) close() {
	s.mu.Lock()
	s.closed = true
	making := s.making
	s.mu.Unlock()
	if making != nil {
		<-making
	}
	s.drop()
}

// drop ends what is kept.
func (s *spares) drop() {
	if l := s.take(); l != nil {
		l.end()
	}
}
