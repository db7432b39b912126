package balance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// BreakerOptions say when a service is left alone.
type BreakerOptions struct {
	Ratio   float64       // share of requests that fail within Window; above 0 and up to 1
	Window  time.Duration // what Ratio looks back on
	Minimum int           // requests within Window below which Ratio says nothing
	Open    time.Duration // for how long nothing is sent; then one request is a trial
	Trials  int           // that must pass in a row
}

// BreakerChange is a Breaker's opening or closing.
type BreakerChange struct {
	Open bool
	Why  string
	For  time.Duration // until a trial
	At   time.Time
}

// Breaker keeps requests from a service that fails most of them. Closed, it
// lets all through; open, none; then one at a time, as trials. It is safe for
// concurrent use.
type Breaker struct {
	clock   Clock
	options atomic.Pointer[BreakerOptions]
	notify  func(BreakerChange)
	until   atomic.Int64 // open, and the next trial at this time; 0 while closed
	window  Window
	opened  atomic.Uint64
	refused atomic.Uint64
	last    atomic.Pointer[BreakerChange]

	mu     sync.Mutex
	passed int // trials, in a row
}

// NewBreaker returns a Breaker that stays closed before Set. Notify is called
// with every change, one at a time; it must not block.
func NewBreaker(c Clock, notify func(BreakerChange)) *Breaker {
	return &Breaker{clock: c, notify: notify}
}

// Set makes o the options; nil closes it for good.
func (b *Breaker) Set(o *BreakerOptions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.options.Store(o)
	if o == nil && b.until.Load() != 0 {
		b.close(time.Now())
	}
}

// Pass is what a Breaker says to a request.
type Pass struct {
	Refused bool
	Trial   bool          // its outcome decides: Report it as such
	Wait    time.Duration // where it is refused, until the next trial
	Why     string        // where it is refused
}

// Allow says whether a request may be sent.
func (b *Breaker) Allow() Pass {
	until := b.until.Load()
	if until == 0 {
		return Pass{}
	}
	o := b.options.Load()
	if o == nil {
		return Pass{}
	}
	now := b.clock.Now()
	// A trial that brings no verdict holds nobody up for longer than an opening.
	if now >= until && b.until.CompareAndSwap(until, now+int64(o.Open)) {
		return Pass{Trial: true}
	}
	b.refused.Add(1)
	p := Pass{Refused: true, Wait: max(time.Duration(until-now), 0)}
	if c := b.last.Load(); c != nil {
		p.Why = c.Why
	}
	return p
}

// Refuses reports whether a request would be refused now. It counts nothing.
func (b *Breaker) Refuses() bool {
	until := b.until.Load()
	return until != 0 && b.options.Load() != nil && b.clock.Now() < until
}

// Report says how a request that was let through went.
func (b *Breaker) Report(trial, good bool, at time.Time) {
	o := b.options.Load()
	switch {
	case o == nil:
	case trial:
		b.verdict(o, good, at)
	case b.until.Load() != 0: // what was sent before it opened says nothing new
	case good:
		b.window.add(b.clock.Of(at), o.Window, true)
	default:
		b.weigh(o, at)
	}
}

// verdict ends a trial.
func (b *Breaker) verdict(o *BreakerOptions, good bool, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.Load() == 0: // another trial has closed it
	case !good:
		b.open(o, "a trial failed", at)
	case b.passed+1 >= o.Trials:
		b.close(at)
	default:
		b.passed++
		b.until.Store(b.clock.Of(at)) // the next one at once
	}
}

// weigh counts a failure and opens where there are too many.
func (b *Breaker) weigh(o *BreakerOptions, at time.Time) {
	now := b.clock.Of(at)
	b.window.add(now, o.Window, false)
	good, bad := b.window.sum(now, o.Window)
	all := good + bad
	if all < o.Minimum || float64(bad) < o.Ratio*float64(all) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.Load() == 0 {
		b.open(o, fmt.Sprintf("%d of %d requests failed within %s", bad, all, o.Window), at)
	}
}

// open is called with mu held.
func (b *Breaker) open(o *BreakerOptions, why string, at time.Time) {
	b.passed = 0
	b.opened.Add(1)
	b.window.reset()
	c := BreakerChange{Open: true, Why: why, For: o.Open, At: at}
	b.last.Store(&c)
	b.until.Store(b.clock.Of(at) + int64(o.Open))
	b.notify(c)
}

// close is called with mu held.
func (b *Breaker) close(at time.Time) {
	b.passed = 0
	b.window.reset()
	c := BreakerChange{At: at}
	b.last.Store(&c)
	b.until.Store(0)
	b.notify(c)
}

// BreakerStats is what is known of a Breaker.
type BreakerStats struct {
	Open    bool   // also while trials are under way
	Trying  bool   // open, and the next request is a trial or one is under way
	Opened  uint64 // how often
	Refused uint64 // requests
}

// Stats returns what is known of it.
func (b *Breaker) Stats() BreakerStats {
	until := b.until.Load()
	s := BreakerStats{Open: until != 0, Opened: b.opened.Load(), Refused: b.refused.Load()}
	if c := b.last.Load(); s.Open && c != nil && c.Open {
		s.Trying = time.Since(c.At) >= c.For
	}
	return s
}
