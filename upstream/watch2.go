package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errClientDeadline says that the deadline that a gRPC client set has passed.
var errClientDeadline = errors.New("the client's deadline (grpc-timeout) passed")

// watch2 ends an attempt by HTTP/2 that takes too long. It is a timer, which
// looks when the time could be over, and not for every piece of a body.
type watch2 struct {
	call   *call2
	cancel context.CancelCauseFunc
	sent   time.Time     // when the request began to be sent
	until  time.Time     // the client's own deadline; zero for none
	route  time.Duration // the route's timeout; 0 for none

	moved    atomic.Int64 // when a piece of either body passed last, in nanoseconds since sent
	asked    atomic.Int64 // when one of the request's did
	complete atomic.Bool  // the request was sent whole
	head     atomic.Bool  // the answer's head is there
	live     atomic.Bool  // it is a stream

	mu    sync.Mutex
	timer *time.Timer
	ended bool
	stop  func() error // ends the answer's body; nil before the head
}

// begin starts the watch over an attempt. Call has been set up before.
func (w *watch2) begin(c *call2, cancel context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.call, w.cancel, w.sent, w.ended, w.stop = c, cancel, time.Now(), false, nil
	w.moved.Store(0)
	w.asked.Store(0)
	w.complete.Store(!c.stream)
	if d, ok := c.x.Deadline(); ok {
		w.route = d.Sub(c.x.Start)
	}
	left, _ := w.patience(w.sent)
	w.timer = time.AfterFunc(left, w.due)
}

// end ends the watch: cancel is not called any more.
func (w *watch2) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
}

// move notes that a piece of the answer has come.
func (w *watch2) move() { w.moved.Store(int64(time.Since(w.sent))) }

// ask notes that a piece of the request has come.
func (w *watch2) ask() {
	now := int64(time.Since(w.sent))
	w.moved.Store(now)
	w.asked.Store(now)
}

// answered notes that the answer's head is there. For a stream the route's
// timeout is over with it.
func (w *watch2) answered(live bool, stop func() error) {
	w.move()
	w.live.Store(live)
	w.head.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop = stop
	if !w.ended { // the wait for the next piece may be shorter
		left, _ := w.patience(time.Now())
		w.timer.Reset(left)
	}
}

func (w *watch2) due() {
	if stop := w.overdue(); stop != nil {
		_ = stop() // who reads the request's body does not see the context's end
	}
}

// overdue cancels an attempt whose time is over.
func (w *watch2) overdue() (stop func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil
	}
	left, why := w.patience(time.Now())
	if left > 0 {
		w.timer.Reset(left)
		return nil
	}
	w.cancel(why)
	return w.stop
}

// eager is how much before a deadline a service may give a call up for it: what
// it was told is less than what is left here.
const eager = 50 * time.Millisecond

// overClient reports whether the client's own deadline has as good as passed.
func (w *watch2) overClient() bool {
	return !w.until.IsZero() && time.Until(w.until) < eager
}

// patience returns how long the attempt may still take as things are, and why
// no longer.
func (w *watch2) patience(now time.Time) (time.Duration, error) {
	t := w.call.Service.config.Timeouts
	var until time.Time
	var why error
	switch {
	case !w.head.Load() && !w.complete.Load():
		until, why = now.Add(t.Answer.D()), errAnswer // it counts from the request's end
	case !w.head.Load():
		until, why = w.at(&w.asked).Add(t.Answer.D()), errAnswer
	case w.live.Load():
		until, why = w.at(&w.moved).Add(t.Stream.D()), errIdle
	default:
		until, why = w.at(&w.moved).Add(t.Idle.D()), errIdle
	}
	if d := w.routeDeadline(); !d.IsZero() && d.Before(until) {
		until, why = d, errRoute
	}
	if d := w.until; !d.IsZero() && d.Before(until) {
		until, why = d, errClientDeadline
	}
	return until.Sub(now), why
}

// routeDeadline returns when the route's timeout ends the attempt; zero where it
// does not. To a gRPC call, whose messages may come one by one for long, it is
// the time from one of them to the answer's head.
func (w *watch2) routeDeadline() time.Time {
	switch {
	case w.route <= 0 || w.live.Load():
		return time.Time{}
	case w.call.grpc:
		return w.at(&w.asked).Add(w.route)
	}
	return w.call.x.Start.Add(w.route)
}

func (w *watch2) at(n *atomic.Int64) time.Time { return w.sent.Add(time.Duration(n.Load())) }
