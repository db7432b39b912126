package balance

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// GateOptions bound how many requests a service has at once.
type GateOptions struct {
	Limit   int           // of the service; 0 for what its targets have room for
	Line    int           // how many may wait; 0 for none
	Timeout time.Duration // how long one may wait
}

// Outcome is what came of a Claim.
type Outcome uint8

// The outcomes.
const (
	Claimed  Outcome = iota
	NoRoom           // every target that is usable has as many requests as it may have
	NoTarget         // there is none to wait for
)

// Claimer is a request that wants a target. Claim is called by one goroutine at
// a time, which need not be the request's own; it must not block, and not use
// the Gate.
type Claimer interface{ Claim() Outcome }

// The errors of Enter, beside the context's.
var (
	ErrLine     = errors.New("the queue is full")
	ErrPatience = errors.New("no room became free in time")
	ErrNoTarget = errors.New("no target is healthy")
)

// Gate lets a bounded number of requests through at once and makes the others
// wait in line. Whoever leaves hands the place to one who waits: nobody is woken
// for nothing, and nobody who comes overtakes those who wait.
//
// While the line moves, who came first is served first. Once the first has
// waited for half its patience, the service gets more than it can do: then who
// came last is served first, since it is likeliest that somebody still waits for
// that answer. It is safe for concurrent use.
type Gate struct {
	options atomic.Pointer[GateOptions]
	used    atomic.Int64
	waiting atomic.Int64

	entered  atomic.Uint64 // after waiting
	waited   atomic.Int64  // nanoseconds, of those
	refused  atomic.Uint64 // the line was full
	expired  atomic.Uint64 // waited in vain
	deserted atomic.Uint64 // left while waiting

	yield float64 // after which share of the first's patience the last is served

	mu          sync.Mutex
	first, last *waiter
	ticker      *time.Timer
	ticking     bool
}

// waiter is one place in the line. Its fields are under the Gate's lock until
// it has left the line; then they are its owner's, once ready was received.
type waiter struct {
	next, prev *waiter
	claimer    Claimer
	since      time.Time
	queued     bool
	err        error
	ready      chan struct{}
}

// halfway is the share of the first's patience that the order changes after:
// TestLineDisciplines shows what others do.
const halfway = 0.5

// NewGate returns a Gate.
func NewGate(o GateOptions) *Gate {
	g := &Gate{yield: halfway}
	g.Set(o)
	return g
}

// Set makes o the options. Who waits goes on waiting.
func (g *Gate) Set(o GateOptions) {
	if o.Limit <= 0 {
		o.Limit = math.MaxInt
	}
	g.options.Store(&o)
	g.handOn()
}

// handOn gives what has become free to those who wait.
func (g *Gate) handOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serve(time.Now())
}

// take takes a place, if one is free.
func (g *Gate) take() bool {
	limit := int64(g.options.Load().Limit)
	for {
		n := g.used.Load()
		if n >= limit {
			return false
		}
		if g.used.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Enter lets c through once there is a place and c has claimed a target, and
// returns how long that took. Whoever has entered must Leave. It waits until the
// context ends or the patience is at its end, which until, unless zero, may
// shorten; with patient false it does not wait.
func (g *Gate) Enter(ctx context.Context, until time.Time, c Claimer, patient bool) (time.Duration, error) {
	if g.waiting.Load() == 0 && g.take() {
		switch c.Claim() {
		case Claimed:
			return 0, nil
		case NoTarget:
			g.Leave()
			return 0, ErrNoTarget
		}
		g.Leave()
	}
	if !patient {
		return 0, ErrLine
	}
	o := g.options.Load()
	w := &waiter{claimer: c, queued: true, ready: make(chan struct{}, 1)}
	if !g.queue(w, o) {
		g.refused.Add(1)
		return 0, ErrLine
	}
	return g.wait(ctx, until, w, o)
}

// Leave gives a place back. Who waits gets it at once. What a target had room
// for is given back before.
func (g *Gate) Leave() {
	g.used.Add(-1)
	if g.waiting.Load() > 0 { // who comes to wait after this looks once more itself
		g.handOn()
	}
}

// queue puts w at the end of the line. Where that is full and moves too slowly,
// the first, who has waited longest, leaves it in vain.
func (g *Gate) queue(w *waiter, o *GateOptions) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if int(g.waiting.Load()) >= o.Line {
		if g.first == nil || !g.overdue(g.first, now, o) {
			return false
		}
		g.expired.Add(1)
		g.dismiss(g.first, ErrPatience)
	}
	w.since, w.prev = now, g.last
	if g.last != nil {
		g.last.next = w
	} else {
		g.first = w
	}
	g.last = w
	g.waiting.Add(1)
	g.serve(now)
	g.tick()
	return true
}

// overdue reports whether w has waited for so long that the line does not move
// as it should.
func (g *Gate) overdue(w *waiter, now time.Time, o *GateOptions) bool {
	return float64(now.Sub(w.since)) >= g.yield*float64(o.Timeout)
}

// serve lets those who wait through while there is room. It is called with mu
// held.
func (g *Gate) serve(now time.Time) {
	o := g.options.Load()
	for g.first != nil && g.take() {
		w := g.first
		if g.overdue(w, now, o) {
			w = g.last
		}
		switch w.claimer.Claim() {
		case Claimed:
			g.entered.Add(1)
			g.waited.Add(int64(now.Sub(w.since)))
			g.dismiss(w, nil)
		case NoTarget:
			g.used.Add(-1)
			g.dismiss(w, ErrNoTarget)
		case NoRoom:
			g.used.Add(-1)
			return
		}
	}
}

// dismiss takes w out of the line and wakes its owner. It is called with mu
// held.
func (g *Gate) dismiss(w *waiter, err error) {
	g.remove(w)
	w.err = err
	w.ready <- struct{}{}
}

func (g *Gate) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		g.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		g.last = w.prev
	}
	w.next, w.prev, w.queued, w.claimer = nil, nil, false, nil
	g.waiting.Add(-1)
}

// beat is how often a line is looked at that nobody leaves for: room also
// becomes free because a target has recovered, or come.
const beat = 50 * time.Millisecond

// tick makes sure that the line is looked at. It is called with mu held.
func (g *Gate) tick() {
	switch {
	case g.ticking || g.first == nil:
		return
	case g.ticker == nil:
		g.ticker = time.AfterFunc(beat, g.look)
	default:
		g.ticker.Reset(beat)
	}
	g.ticking = true
}

func (g *Gate) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ticking = false
	g.serve(time.Now())
	g.tick()
}

// wait waits for w's turn.
func (g *Gate) wait(ctx context.Context, until time.Time, w *waiter, o *GateOptions) (time.Duration, error) {
	patience := o.Timeout
	if !until.IsZero() {
		patience = min(patience, until.Sub(w.since))
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	var lost *atomic.Uint64
	select {
	case <-w.ready:
		return time.Since(w.since), w.err
	case <-ctx.Done():
		err, lost = ctx.Err(), &g.deserted
	case <-timer.C:
		err, lost = ErrPatience, &g.expired
	}
	g.mu.Lock()
	left := w.queued
	if left {
		g.remove(w)
	}
	g.mu.Unlock()
	if !left { // its turn came in the same moment
		<-w.ready
		return time.Since(w.since), w.err
	}
	lost.Add(1)
	return time.Since(w.since), err
}

// GateStats is what is known of a Gate.
type GateStats struct {
	Used    int64 // places taken
	Limit   int64 // places; 0 for no limit
	Waiting int64 // in line
	Entered uint64
	Waited  time.Duration // of those who entered after waiting, in all
	Refused uint64        // the line was full
	Expired uint64        // waited in vain
	Left    uint64        // went away while waiting
}

// Stats returns what is known of it.
func (g *Gate) Stats() GateStats {
	s := GateStats{
		Used: g.used.Load(), Waiting: g.waiting.Load(), Entered: g.entered.Load(), Waited: time.Duration(g.waited.Load()),
		Refused: g.refused.Load(), Expired: g.expired.Load(), Left: g.deserted.Load(),
	}
	if limit := g.options.Load().Limit; limit != math.MaxInt {
		s.Limit = int64(limit)
	}
	return s
}
