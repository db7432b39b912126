package http1

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"gatehouse/http1/wire"
)

// Conn is one connection being served.
type Conn struct {
	server *Server
	owner  Owner
	net    net.Conn
	tcp    *net.TCPConn    // what carries net's bytes without a layer between; nil where there is one
	raw    syscall.RawConn // of tcp
	tls    *tls.ConnectionState
	remote string
	began  time.Time

	in       *wire.Reader
	head     headSource
	turn     turn
	deadline deadline
	wait     waiting
	watch    watch
	fresh    bool // no request was read yet
	order    string

	scope   Context // of the requests; nil before the first and once it is spent
	request *http.Request
	header  http.Header
	values  []string
	body    body
	answer  answer

	writes   sync.Mutex // between 100 Continue and the final head, for a client that waits
	closing  bool       // no further request
	hijacked bool
}

// NewConn prepares to serve c; Serve must follow. The address and the TLS
// state that requests show are c's; a TLS connection has done its handshake. A
// connection that passes a TCP connection's bytes on unchanged says so by a
// method TCP() *net.TCPConn.
func (s *Server) NewConn(c net.Conn, owner Owner) *Conn {
	conn := &Conn{
		server: s, owner: owner, net: c, remote: c.RemoteAddr().String(), began: time.Now(),
		in: wire.NewRequestReader(s.Head, s.Fields), fresh: true,
	}
	if t, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := t.ConnectionState()
		conn.tls = &state
	} else {
		conn.tcp = carrier(c)
	}
	conn.deadline.conn, conn.body.conn, conn.answer.conn = c, conn, conn
	conn.watch.begin(conn)
	conn.turn.begin(conn)
	conn.head.conn = conn
	conn.in.Reset(&conn.head)
	return conn
}

// KeepOrder has HeaderOrder tell the order of requests' fields; before Serve.
func (c *Conn) KeepOrder() { c.in.KeepOrder() }

// HeaderOrder returns the names of the fields of the request that is served, as the
// client sent them, in small letters and joined by ":"; "" unless KeepOrder.
func (c *Conn) HeaderOrder() string { return c.order }

func carrier(c net.Conn) *net.TCPConn {
	switch c := c.(type) {
	case *net.TCPConn:
		return c
	case interface{ TCP() *net.TCPConn }:
		return c.TCP()
	}
	return nil
}

// Serve serves the connection until it ends, and closes it, unless a handler
// has taken it over. First was read from it before.
func (c *Conn) Serve(first []byte) {
	c.in.Preload(first)
	defer c.end()
	for !c.closing {
		if !c.arrive() {
			return
		}
		if c.closing {
			break // with what was served on arrival
		}
		if q, err := c.next(); err != nil {
			c.refuse(q, err)
			break
		}
		c.serve()
		if c.hijacked {
			return
		}
	}
	c.linger()
}

// serve runs the handler for the request that was read.
func (c *Conn) serve() {
	defer c.contain()
	c.server.Handler.ServeHTTP(&c.answer, c.request)
	if c.hijacked {
		return
	}
	c.watch.stop()
	c.closing = !c.answer.finish() || !c.body.finish()
	c.renew()
}

// contain ends the connection after a handler's panic: what of the answer was
// not sent yet is not sent any more.
func (c *Conn) contain() {
	cause := recover()
	if cause == nil {
		return
	}
	if cause != http.ErrAbortHandler {
		c.owner.Panicked(cause)
	}
	if !c.hijacked {
		c.watch.stop()
	}
	c.closing, c.answer.broken = true, true
}

// renew makes the connection ready for its next request.
func (c *Conn) renew() {
	if c.scope.Spent() {
		c.forget()
		return
	}
	clear(c.header)
	clear(c.values)
	clear(c.answer.header)
}

// forget gives up what is used again for the next request.
func (c *Conn) forget() {
	c.scope, c.request, c.header, c.values, c.answer.header = nil, nil, nil, nil, nil
}

// end gives up what the connection holds.
func (c *Conn) end() {
	if !c.hijacked {
		_ = c.net.Close()
		c.recycle()
	}
	c.watch.end()
}

// Kill ends the connection under a request: its context ends, and nothing more
// is read or written, so that the client cannot take half an answer for a whole
// one. It does not wait for the handler, with whose return the connection is
// closed. It may be called from any goroutine.
func (c *Conn) Kill() {
	c.watch.end()
	switch carrier := c.net.(type) {
	case *tls.Conn:
		_ = carrier.NetConn().Close()
	default:
		if c.tcp == nil {
			_ = c.net.Close()
			return
		}
		// To close would wait for a turn that is taken.
		_ = c.tcp.SetLinger(0)
		_ = c.tcp.CloseRead()
	}
}

// now is time.Now at half its price: by the clock that never jumps alone.
func (c *Conn) now() time.Time { return c.began.Add(time.Since(c.began)) }

// recycle gives the buffers back.
func (c *Conn) recycle() {
	c.in.Park()
	c.answer.recycle()
}

// How a connection ends whose client still sends: to close at once would make
// the client's machine throw away what it has not read of the answer.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// linger throws away what the client still sends, within limits.
func (c *Conn) linger() {
	if c.answer.broken || !c.body.cut && c.in.Buffered() == 0 {
		return
	}
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTime))
	buf := wire.Buffer(wire.SmallBuffer)
	defer wire.Recycle(buf)
	for n := 0; n < lingerBytes; {
		got, err := c.net.Read(buf)
		if err != nil {
			return
		}
		n += got
	}
}
