package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"gatehouse/exchange"
	"gatehouse/http1"
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

	engine   atomic.Pointer[engine]     // nil until handed over
	served   atomic.Pointer[http1.Conn] // what serves it; nil for HTTP/2
	hijacked atomic.Bool
	h2       bool

	onHead    func(*exchange.Head) // atHead
	forwarded atomic.Pointer[forwardedHost]
	via       uint16   // the port that the client connected to, by the PROXY header; 0 for the socket's
	from      []string // X-Forwarded-For of a client that is no proxy
	port      []string // X-Forwarded-Port
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		if c.pending = c.pending[n:]; len(c.pending) == 0 {
			c.pending = nil
		}
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if s := c.served.Load(); s != nil && n > 0 {
		s.Arrived() // below TLS the engine does not see it yet
	}
	return n, err
}

// TCP is what carries the connection's bytes.
func (c *conn) TCP() *net.TCPConn { return c.tcp }

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

// kill ends the connection under its requests, whose contexts end.
func (c *conn) kill() {
	if s := c.served.Load(); s != nil {
		s.Kill()
		return
	}
	_ = c.Close()
}

// ending reports whether the connection should end with its next answer.
func (c *conn) ending() bool {
	e := c.engine.Load()
	return e != nil && e.retired.Load()
}

// owner is the conn as the HTTP/1 engine sees it.
type owner struct{ *conn }

// Context implements http1.Owner: requests have their Exchange for a context.
func (o owner) Context(c http1.Connection) http1.Context {
	return exchange.ForConnection(h1Context{c, o.conn})
}

// Refused implements http1.Owner.
func (o owner) Refused(f http1.Fault) (http.Header, []byte) {
	return o.listener.engineRefused(o.conn, f)
}

// Broken implements http1.Owner.
func (o owner) Broken() {
	o.listener.counters.CutRequests.Add(1)
	o.listener.tell(o.conn, http1.Fault{Status: http.StatusBadRequest, Reason: "header-cut", Detail: "the connection broke off within a request's head"})
}

// SlowBody implements http1.Owner.
func (o owner) SlowBody() { o.listener.counters.SlowBodies.Add(1) }

// Hijacked implements http1.Owner.
func (o owner) Hijacked() {
	o.hijacked.Store(true)
	o.served.Store(nil) // nothing of the engine is needed any more
	o.listener.counters.Hijacked.Add(1)
}

// Panicked implements http1.Owner.
func (o owner) Panicked(cause any) { o.listener.panicked(cause) }
