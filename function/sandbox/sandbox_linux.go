//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

var errClosed = errors.New("the gateway ends: no function is started any more")

// Sandbox starts processes of functions. Its methods are safe for concurrent
// use.
type Sandbox struct {
	log     *slog.Logger
	host    *host
	way     way
	seats   *seats   // nil where the gateway is not root: then a function's user is its own, seen from outside
	cgroups *cgroups // nil without
	filter  string
	nursery *nursery
	spares  spares

	gate   sync.RWMutex // held by starts under way
	closed bool

	mu      sync.Mutex
	running map[*Process]struct{}
}

// New finds out by trying how well this machine lets functions be kept apart.
// Where that is less than the configuration's minimum the error is a *Weak,
// which says what is missing and what brings it about; the Level is there in
// any case. It takes some milliseconds.
func New(c Config, log *slog.Logger) (*Sandbox, Level, error) {
	h, err := newHost()
	if err != nil {
		return nil, Level{}, err
	}
	s := &Sandbox{log: log, host: h, filter: filterProgram(), nursery: newNursery(h.devNull), running: make(map[*Process]struct{})}
	if h.uid == 0 {
		if s.seats, err = newSeats(); err != nil {
			return nil, Level{}, err
		}
	}
	level := s.find(c)
	if minimum := gradeOf(c.Minimum); level.Grade < minimum {
		_ = s.Close()
		return nil, level, &Weak{level, minimum}
	}
	s.spares.bear = s.bear
	return s, level, nil
}

func (s *Sandbox) add(p *Process) {
	s.mu.Lock()
	s.running[p] = struct{}{}
	s.mu.Unlock()
}

func (s *Sandbox) remove(p *Process) {
	s.mu.Lock()
	delete(s.running, p)
	s.mu.Unlock()
}

// Close ends every process, and takes away what they leave. Start fails from
// then on.
func (s *Sandbox) Close() error {
	s.gate.Lock()
	closed := s.closed
	s.closed = true
	s.gate.Unlock()
	if closed {
		return nil
	}
	s.mu.Lock()
	left := slices.Collect(maps.Keys(s.running))
	s.mu.Unlock()
	for _, p := range left {
		p.kill()
	}
	for _, p := range left {
		<-p.done
	}
	s.spares.close()
	s.nursery.close()
	_ = s.host.devNull.Close()
	return s.cgroups.close()
}
