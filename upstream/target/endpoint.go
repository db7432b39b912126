package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/dial"
)

// Endpoint is one address that requests are sent to, with its connections and
// counters. It is shared by all services that name the address with the same
// TLS identity, and safe for concurrent use.
//
// The connection used last is used next, so that those too many grow old and
// are closed.
type Endpoint struct {
	Address  string
	Load     atomic.Int64  // requests in flight
	Requests atomic.Uint64 // attempts to send one
	Failures atomic.Uint64 // attempts that could not connect

	protocol Protocol
	mux      mux

	dialer *dial.Dialer
	tls    *tls.Config  // nil for plain TCP
	tls1   *tls.Config  // the same, for connections by HTTP/1.1
	open   atomic.Int64 // connections, idle or not
	doubt  chan<- struct{}

	mu      sync.Mutex
	idle    []*Conn
	all     []*Conn     // idle or not
	drain   *time.Timer // what closes all of a target that is gone; nil before
	sweeper *time.Timer // nil until the first connection idles
	sweeps  time.Time   // when sweep runs next; zero where it need not
	retired bool
	limit   time.Duration // how long a drain may take
}

// The errors of Dial, beside the dialer's.
var (
	ErrLimit = errors.New("all connections that the target may have are in use")
	ErrTLS   = errors.New("TLS failed")
)

// Idle returns an idle connection that is alive; nil where there is none.
func (e *Endpoint) Idle() *Conn {
	for {
		e.mu.Lock()
		n := len(e.idle) - 1
		if n < 0 {
			e.mu.Unlock()
			return nil
		}
		c := e.idle[n]
		e.idle[n] = nil
		e.idle = e.idle[:n]
		e.mu.Unlock()
		if c.alive() {
			c.Reused = true
			return c
		}
		c.Discard()
	}
}

// Dial opens a connection, unless there are limit already; 0 for no limit. The
// context bounds connecting and the TLS handshake.
func (e *Endpoint) Dial(ctx context.Context, limit int) (*Conn, error) {
	if n := e.open.Add(1); limit > 0 && n > int64(limit) {
		e.open.Add(-1)
		return nil, ErrLimit
	}
	c, socket, err := e.connectTLS(ctx, e.tls1)
	if err != nil {
		e.open.Add(-1)
		return nil, err
	}
	return newConn(c, socket, e), nil
}

// connect opens a connection that nobody counts, and returns it with the
// socket below it.
func (e *Endpoint) connect(ctx context.Context) (c, socket net.Conn, err error) {
	return e.connectTLS(ctx, e.tls)
}

func (e *Endpoint) connectTLS(ctx context.Context, config *tls.Config) (c, socket net.Conn, err error) {
	socket, err = e.dialer.Dial(ctx, e.Address)
	if err != nil || config == nil {
		return socket, socket, err
	}
	socket = &records{Conn: socket}
	secured := tls.Client(socket, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = socket.Close()
		return nil, nil, fmt.Errorf("%w: %w", ErrTLS, err)
	}
	return secured, socket, nil
}

// Keep keeps a connection from now on for the next request, unless there are
// limit already. It must be at the beginning of a message.
func (e *Endpoint) Keep(c *Conn, now time.Time, limit int, timeout time.Duration) {
	c.expires = now.Add(timeout)
	e.mu.Lock()
	if e.retired || len(e.idle) >= limit {
		e.mu.Unlock()
		c.Discard()
		return
	}
	e.idle = append(e.idle, c)
	e.sweepAt(c.expires, timeout)
	e.mu.Unlock()
}

// sweepAt makes sweep run at t, in d from now, unless it runs before. It is
// called with mu held.
func (e *Endpoint) sweepAt(t time.Time, d time.Duration) {
	switch {
	case !e.sweeps.IsZero() && !t.Before(e.sweeps):
		return
	case e.sweeper == nil:
		e.sweeper = time.AfterFunc(d, e.sweep)
	default:
		e.sweeper.Reset(d)
	}
	e.sweeps = t
}

// sweep closes the connections that idled too long.
func (e *Endpoint) sweep() {
	now := time.Now()
	var old []*Conn
	e.mu.Lock()
	kept := e.idle[:0]
	e.sweeps = time.Time{}
	for _, c := range e.idle {
		left := c.expires.Sub(now)
		if left <= 0 {
			old = append(old, c)
			continue
		}
		kept = append(kept, c)
		e.sweepAt(c.expires, left)
	}
	clear(e.idle[len(kept):])
	e.idle = kept
	e.mu.Unlock()
	for _, c := range old {
		c.Discard()
	}
}

// Connections returns how many connections there are, and how many of them
// idle.
func (e *Endpoint) Connections() (open, idle int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return int(e.open.Load()), len(e.idle) + e.mux.idle()
}
