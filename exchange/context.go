package exchange

import (
	"context"
	"time"
)

type contextKey struct{}

var _ context.Context = (*Exchange)(nil)

// SetTimeout gives the request until d from its start. It is called once, by
// routing, before any filter runs; zero means no deadline of the route's own.
func (x *Exchange) SetTimeout(d time.Duration) {
	if d > 0 {
		x.deadline = x.Start.Add(d)
	}
}

// Deadline returns the route's deadline, or the connection's where that is
// earlier.
func (x *Exchange) Deadline() (time.Time, bool) {
	outer, ok := x.parent.Deadline()
	switch {
	case x.deadline.IsZero():
		return outer, ok
	case ok && outer.Before(x.deadline):
		return outer, true
	}
	return x.deadline, true
}

// Done ends when the client goes away, the deadline passes or the request
// ends. Asking for it costs a timer and keeps the Exchange from being used
// again: what only reads and writes sockets sets their deadlines instead.
func (x *Exchange) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.held = true
	if x.derived == nil {
		if x.deadline.IsZero() {
			x.derived, x.cancel = context.WithCancel(x.parent)
		} else {
			x.derived, x.cancel = context.WithDeadline(x.parent, x.deadline)
		}
		if x.ended {
			x.cancel()
		}
	}
	return x.derived.Done()
}

// Err says why Done ended, or would have ended had anybody asked.
func (x *Exchange) Err() error {
	x.mu.Lock()
	derived, ended := x.derived, x.ended
	x.mu.Unlock()
	if derived != nil {
		return derived.Err()
	}
	if err := x.parent.Err(); err != nil {
		return err
	}
	if ended {
		return context.Canceled
	}
	if !x.deadline.IsZero() && !time.Now().Before(x.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value returns the connection's values; nothing of the request is hidden
// there. Use From to reach the Exchange.
func (x *Exchange) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return x
	}
	x.mu.Lock()
	derived := x.derived
	x.mu.Unlock()
	if derived != nil {
		// So that package context finds whose Done ours is, and ends children
		// without a goroutine for each.
		return derived.Value(key)
	}
	return x.parent.Value(key)
}

// Parent is the context of the engine below, which ends when the client goes
// away. Asking for it does not keep the Exchange.
func (x *Exchange) Parent() context.Context { return x.parent }
