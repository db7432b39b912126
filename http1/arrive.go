package http1

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// doze is how long a connection without a request keeps what it would use
// again for the next one. Then it also looks once more: the end of a client that
// sent it together with its last request is not told of.
const doze = 500 * time.Millisecond

// arrive waits for a request, and reports whether some of one came. While
// nothing is there the connection holds no buffer. Requests that came whole may
// have been served when it returns.
func (c *Conn) arrive() bool {
	if c.in.Buffered() > 0 {
		return true
	}
	c.awaits()
	for {
		err := c.first()
		if err == nil {
			c.arrived()
			return true
		}
		if !isTimeout(err) || c.wait.ended() || !time.Now().Before(c.wait.until) {
			return c.lastChance()
		}
		c.forget()
		c.deadline.at(c.wait.until)
	}
}

// awaits says that from now on a request is waited for.
func (c *Conn) awaits() {
	now, patience := c.now(), c.server.IdleTimeout
	if c.fresh {
		patience = c.server.HeaderTimeout
	}
	c.wait.until = now.Add(patience)
	c.wait.count.Store(1)
	c.deadline.atLeast(now, min(patience, doze))
}

// arrived says that something of a request has come. Where the wait had been
// ended in this moment the read deadline is over.
func (c *Conn) arrived() {
	if c.wait.stop() {
		c.deadline.at(time.Now().Add(c.server.HeaderTimeout))
	}
}

// first reads the first bytes of a request.
func (c *Conn) first() error {
	if c.raw != nil {
		return c.takeTurns()
	}
	c.recycle()
	n, err := c.net.Read(c.wait.one[:])
	if n > 0 {
		c.in.Preload(c.wait.one[:])
		return nil
	}
	return err
}

// lastChance takes what has arrived in the moment in which the wait was ended.
func (c *Conn) lastChance() bool {
	if c.raw == nil || !c.wait.ended() {
		return false
	}
	_ = c.raw.Control(func(fd uintptr) { _, _ = c.receive(fd) })
	if c.in.Buffered() == 0 {
		return false
	}
	c.arrived()
	return true
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// waiting says that a connection waits for a request of which nothing has
// arrived, to whoever wants it to end.
type waiting struct {
	until time.Time // when it is given up
	one   [1]byte

	mu    sync.Mutex
	count atomic.Int32 // 0: it does not wait; -1: it was ended; else 1 and the sweeps that found it so
}

const waitEnded = -1

// stop says that something has arrived, and reports whether the wait had been
// ended: the read deadline is then over.
func (w *waiting) stop() bool {
	if w.count.Swap(0) != waitEnded {
		return false
	}
	w.mu.Lock() // until the deadline was set
	defer w.mu.Unlock()
	return true
}

func (w *waiting) ended() bool { return w.count.Load() == waitEnded }

// Arrived says that bytes have come that Conn cannot see yet, such as a part of
// a TLS record. It may be called from any goroutine.
func (c *Conn) Arrived() {
	for {
		n := c.wait.count.Load()
		if n <= 1 || c.wait.count.CompareAndSwap(n, 1) {
			return
		}
	}
}

// EndIfWaiting ends the connection where sweeps calls in a row, this one the
// last, found it waiting for a request of which nothing has arrived. What has
// arrived is served. It may be called from any goroutine.
func (c *Conn) EndIfWaiting(sweeps int) {
	w := &c.wait
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.count.Load()
	switch {
	case n <= 0:
	case int(n) <= sweeps:
		w.count.CompareAndSwap(n, n+1)
	case w.count.CompareAndSwap(n, waitEnded):
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
	}
}
