package target

import (
	"net"
	"syscall"
	"time"

	"gatehouse/http1/socket"
)

// Conn is a connection to an endpoint. One request at a time uses it.
type Conn struct {
	net.Conn
	Plain  bool // no TLS: what Write did not take was not sent
	Reused bool // an earlier request was answered over it

	endpoint *Endpoint
	place    int             // in endpoint.all
	carrier  net.Conn        // the socket, below TLS
	raw      syscall.RawConn // of the socket; nil where there is none to peek at
	look     func(fd uintptr)
	quiet    bool     // what look found: open, and nothing to read
	records  *records // below TLS; nil without
	short    bool     // the last Read returned less than it could have
	one      [1]byte
	armed    bool // a write deadline was set
	expires  time.Time
	until    time.Time // a read deadline that WaitAtLeast has set; zero for others
	ask      ask
}

func newConn(c net.Conn, carrier net.Conn, e *Endpoint) *Conn {
	out := &Conn{Conn: c, endpoint: e, Plain: c == carrier, carrier: carrier}
	if r, ok := carrier.(*records); ok {
		out.records, carrier = r, r.Conn
	}
	if s, ok := carrier.(syscall.Conn); ok && socket.Usable {
		if raw, err := s.SyscallConn(); err == nil {
			out.raw = raw
			if out.Plain {
				out.ask.step = out.advance
			}
			out.look = func(fd uintptr) { out.quiet = socket.Peek(fd) == syscall.EAGAIN }
		}
	}
	e.adopt(out)
	return out
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.short = n < len(p)
	return n, err
}

// alive reports whether an idle connection can be used again: the other side
// has neither closed it nor sent what nobody asked for. The socket is looked
// at, and what TLS has read ahead, without waiting.
func (c *Conn) alive() bool {
	if c.records != nil && !c.drained() {
		return false
	}
	if c.raw == nil {
		return true
	}
	c.quiet = false
	return c.raw.Control(c.look) == nil && c.quiet
}

// Discard closes the connection for good.
func (c *Conn) Discard() {
	_ = c.Conn.Close()
	c.endpoint.disown(c)
}

// ArmWrites sets when writing fails.
func (c *Conn) ArmWrites(t time.Time) {
	c.armed = true
	_ = c.SetWriteDeadline(t)
}

// DisarmWrites takes back what an earlier request set.
func (c *Conn) DisarmWrites() {
	if c.armed {
		c.armed = false
		_ = c.SetWriteDeadline(time.Time{})
	}
}
