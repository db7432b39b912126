package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/exchange"
)

// conn is one accepted connection, from accept to close. Below TLS it is the
// transport; without TLS it is what the HTTP engine serves.
type conn struct {
	net.Conn
	tcp      *net.TCPConn // Conn itself; nil where it is no TCP connection
	listener *listener
	policy   *Policy // under which it was accepted
	info     exchange.Conn
	pending  []byte // read with the PROXY header, not yet handed out

	close   sync.Once
	counted netip.Addr // the address it counts for at perAddress; zero for none

	engine   atomic.Pointer[engine] // nil until handed over
	h2       bool
	hijacked atomic.Bool

	// HTTP/1 alone.
	serving atomic.Bool    // a request's handler has begun, and the connection does not wait for the next
	refused atomic.Bool    // the engine answered a request itself
	failed  atomic.Uint32  // how the last read failed
	state   http.ConnState // as the engine last told
	waiting atomic.Uint32  // for a request: 0 not, else 1 and the sweeps that found it so
	sweep   sync.Mutex     // between a sweep that ends it and a request that arrives

	onHead    func(*exchange.Head) // atHead
	forwarded atomic.Pointer[forwardedHost]
	via       uint16   // the port that the client connected to, by the PROXY header; 0 for the socket's
	from      []string // X-Forwarded-For of a client that is no proxy
	port      []string // X-Forwarded-Port
}

// How a read failed.
const (
	readOK uint32 = iota
	readTimeout
	readEnd
)

func (c *conn) Read(p []byte) (int, error) {
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		if len(c.pending) == 0 {
			c.pending = nil
		}
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.arrived()
	}
	if err != nil && !c.info.TLS {
		c.sawRead(err)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if !c.info.TLS {
		c.sawWrite(p)
	}
	return c.Conn.Write(p)
}

// ReadFrom lets the kernel copy an answer's body.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if c.tcp != nil {
		return c.tcp.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// CloseWrite ends the sending half, so that a client that still sends can
// read the answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection and gives back what it counted for.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.close.Do(func() { c.listener.forget(c) })
	return err
}

// sawRead notes how the engine's reading failed.
func (c *conn) sawRead(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.failed.Store(readTimeout)
	} else {
		c.failed.Store(readEnd)
	}
}

// sawWrite notices what the HTTP/1 engine answers itself: what it writes while
// no handler is at work.
func (c *conn) sawWrite(p []byte) {
	if c.serving.Load() || c.engine.Load() == nil {
		return
	}
	const prefix = "HTTP/1.1 "
	if len(p) < len(prefix)+3 || string(p[:len(prefix)-2]) != prefix[:len(prefix)-2] || c.refused.Swap(true) {
		return
	}
	if c.failed.Load() != readOK {
		c.unfinished() // it answers 400 to headers that broke off, too
		return
	}
	status := 0
	for _, digit := range p[len(prefix) : len(prefix)+3] {
		status = status*10 + int(digit-'0')
	}
	c.listener.engineRefused(c, status)
}

// secureConn is a connection as the HTTP/1 engine serves it once the TLS
// handshake is done. The engine knows it for TLS by ConnectionState.
type secureConn struct {
	*tls.Conn
	conn *conn
}

func (s *secureConn) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err != nil {
		s.conn.sawRead(err)
	}
	return n, err
}

func (s *secureConn) Write(p []byte) (int, error) {
	s.conn.sawWrite(p)
	return s.Conn.Write(p)
}

// connOf returns the conn that the engine knows as c.
func connOf(c net.Conn) *conn {
	switch c := c.(type) {
	case *conn:
		return c
	case *secureConn:
		return c.conn
	case *tls.Conn:
		below, _ := c.NetConn().(*conn)
		return below
	}
	return nil
}

// connContext gives a connection's requests their conn without a search
// through values, and without an allocation for each request.
type connContext struct {
	context.Context
	conn *conn
}

type connKey struct{}

func (c connContext) Value(key any) any {
	if _, ok := key.(connKey); ok {
		return c.conn
	}
	return c.Context.Value(key)
}

func fromContext(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// ConnOf returns what is known of the connection that r came on; nil for a
// request that no Listeners served. It costs no allocation.
func ConnOf(r *http.Request) *exchange.Conn {
	if c := fromContext(r.Context()); c != nil {
		return &c.info
	}
	return nil
}

// PolicyOf returns the policy of the connection that r came on: the one in
// force when the connection was accepted; nil for a request that no Listeners
// served.
func PolicyOf(r *http.Request) *Policy {
	if c := fromContext(r.Context()); c != nil {
		return c.policy
	}
	return nil
}

// ending reports whether the connection should end with its next answer.
func (c *conn) ending() bool {
	e := c.engine.Load()
	return e != nil && e.retired.Load()
}

// changed is the HTTP/1 engine's ConnState hook, called from the connection's
// own goroutine.
func (c *conn) changed(state http.ConnState) {
	switch state {
	case http.StateActive:
		c.waiting.Store(0)
	case http.StateNew, http.StateIdle:
		c.serving.Store(false)
		c.failed.Store(readOK) // the engine breaks off its watch on the client
		c.waiting.Store(1)
	case http.StateHijacked:
		c.hijacked.Store(true)
		c.listener.counters.Hijacked.Add(1)
	case http.StateClosed:
		c.ended()
	}
	c.state = state
}

// arrived says that the connection does not wait for a request any more.
func (c *conn) arrived() {
	if c.waiting.Load() != 0 {
		c.sweep.Lock()
		c.waiting.Store(0)
		c.sweep.Unlock()
	}
}

// sweeps is how often a sweep must find a connection waiting to end it.
const sweeps = 5

// endIfWaiting ends the connection when sweeps calls in a row found it waiting
// for a request of which nothing has arrived. What has arrived is served: the
// engine sets a deadline of its own once it has read the first bytes.
func (c *conn) endIfWaiting() {
	c.sweep.Lock()
	defer c.sweep.Unlock()
	n := c.waiting.Load()
	switch {
	case n == 0:
	case n <= sweeps:
		c.waiting.CompareAndSwap(n, n+1)
	default:
		_ = c.Conn.SetReadDeadline(time.Now())
	}
}

// ended counts a connection that ended within a request's headers.
func (c *conn) ended() {
	if c.state == http.StateActive && !c.serving.Load() && !c.refused.Load() {
		c.unfinished()
	}
}

// unfinished counts headers that broke off.
func (c *conn) unfinished() {
	if c.failed.Load() == readTimeout {
		c.listener.engineRefused(c, http.StatusRequestTimeout)
		return
	}
	c.listener.counters.CutRequests.Add(1)
	c.listener.tell(c, http.StatusBadRequest, "header-cut")
}
