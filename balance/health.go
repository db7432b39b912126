package balance

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// CheckOptions say how a target is watched.
type CheckOptions struct {
	Interval  time.Duration // between the starts of two probes
	Timeout   time.Duration // of one probe
	Healthy   int           // probes passed in a row that make it healthy again
	Unhealthy int           // probes failed in a row that make it unhealthy
}

// Change is what a Check found when a target's health changed.
type Change struct {
	Healthy bool
	Why     string // what failed; empty where healthy
	At      time.Time
}

// Health is whether a target is usable. A nil Health always is. It is safe for
// concurrent use.
type Health struct {
	sick   atomic.Bool
	last   atomic.Pointer[Change]
	mu     sync.Mutex
	good   int  // probes passed in a row
	bad    int  // probes failed in a row
	told   bool // sick because a request said so, not because probes did
	kick   chan struct{}
	notify func(Change)
}

// NewHealth returns a Health that is usable until something speaks against it:
// what was not probed yet is used. Notify, which may be nil, is called with
// every change, one at a time; it must not block.
func NewHealth(notify func(Change)) *Health {
	if notify == nil {
		notify = func(Change) {}
	}
	return &Health{kick: make(chan struct{}, 1), notify: notify}
}

// Begin makes the Health begin with what another process has found, of which
// nobody is told. It is called before anything else.
func (h *Health) Begin(c Change) {
	h.last.Store(&c)
	h.sick.Store(!c.Healthy)
}

// Usable reports whether requests may be sent there.
func (h *Health) Usable() bool { return h == nil || !h.sick.Load() }

// Last returns the last change; the zero Change where there was none.
func (h *Health) Last() Change {
	if h == nil {
		return Change{}
	}
	if c := h.last.Load(); c != nil {
		return *c
	}
	return Change{}
}

// change returns the last change; nil where there was none.
func (h *Health) change() *Change {
	if h == nil {
		return nil
	}
	return h.last.Load()
}

// Unreachable notes that a request could not connect: the target is unusable
// until the next probe that passes, one being enough unless further ones have
// failed before. The next probe comes soon.
func (h *Health) Unreachable(why string) {
	if h == nil || h.sick.Load() {
		return
	}
	h.mu.Lock()
	h.good, h.bad, h.told = 0, 0, true
	h.set(Change{false, why, time.Now()})
	h.mu.Unlock()
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// set is called with mu held.
func (h *Health) set(c Change) {
	if h.sick.Load() == !c.Healthy {
		return
	}
	h.last.Store(&c)
	h.sick.Store(!c.Healthy)
	h.notify(c)
}

// observe counts the result of a probe.
func (h *Health) observe(err error, o CheckOptions) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.good, h.bad = 0, h.bad+1
		if h.bad >= o.Unhealthy {
			h.told = false
			h.set(Change{false, err.Error(), time.Now()})
		}
		return
	}
	h.good, h.bad = h.good+1, 0
	if h.told || h.good >= o.Healthy {
		h.told = false
		h.set(Change{true, "", time.Now()})
	}
}

// ErrNoVerdict is wrapped by the error of a probe that says nothing about its
// target: what it already knew stays.
var ErrNoVerdict = errors.New("no verdict")

// soon is how long after an unreachable target was reported it is probed.
const soon = time.Second

// Watch probes a target until ctx ends: at once, then every interval, a little
// apart from all other targets. It is the one goroutine of a Health.
func (h *Health) Watch(ctx context.Context, o CheckOptions, probe func(context.Context) error) {
	for {
		h.probe(ctx, o, probe)
		wait := o.Interval*9/10 + rand.N(o.Interval/5+1)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-h.kick:
			timer.Reset(min(soon, wait))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		case <-timer.C:
		}
	}
}

func (h *Health) probe(ctx context.Context, o CheckOptions, probe func(context.Context) error) {
	timed, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	err := probe(timed)
	if ctx.Err() == nil && !errors.Is(err, ErrNoVerdict) {
		h.observe(err, o)
	}
}
