package target

import (
	"syscall"
	"time"

	"gatehouse/http1/socket"
	"gatehouse/http1/wire"
)

// ask is a small request on its way over a plain connection.
type ask struct {
	step    func(fd uintptr) bool // made once
	request []byte
	sent    int
	written bool
	in      *wire.Reader
}

// Ask writes a request that the send buffer of an idle connection takes whole,
// and puts the first bytes of the answer into in. It is one system call for
// each: before the request is written nothing can be there to read, and so
// nobody looks. Sent is how much was written; err why not all. That nothing
// could be read is for the next Read to say.
func (c *Conn) Ask(request []byte, in *wire.Reader) (sent int, err error) {
	if c.ask.step == nil {
		return c.Write(request)
	}
	a := &c.ask
	a.request, a.in, a.sent, a.written = request, in, 0, false
	// It fails before step was called where the read deadline is already over:
	// that must not keep the request from being sent.
	_ = c.raw.Read(a.step)
	sent = a.sent
	a.request, a.in = nil, nil
	if sent == len(request) {
		return sent, nil
	}
	n, err := c.Write(request[sent:])
	return sent + n, err
}

// advance writes the request, when it is called for the first time, and reads
// when the socket has become readable. It reports whether Ask is done.
func (c *Conn) advance(fd uintptr) bool {
	a := &c.ask
	if !a.written {
		a.written = true
		a.sent = socket.Write(fd, a.request)
		return a.sent < len(a.request)
	}
	space := a.in.Space()
	n, err := socket.Read(fd, space)
	a.in.Filled(n)
	c.short = n < len(space)
	return err != syscall.EAGAIN
}

// slack is how much later than wanted a read deadline may stand, so that it
// need not be set for every request.
const slack = 4

// WaitAtLeast makes reading fail between patience and slack times of it from now.
func (c *Conn) WaitAtLeast(now time.Time, patience time.Duration) {
	if left := c.until.Sub(now); left >= patience && left <= slack*patience {
		return
	}
	c.until = now.Add(slack * patience)
	_ = c.Conn.SetReadDeadline(c.until)
}

// WaitUntil makes reading fail at t. Like WaitAtLeast it is for whoever reads;
// who breaks the connection from elsewhere sets the deadline by itself, and does
// not keep it.
func (c *Conn) WaitUntil(t time.Time) {
	c.until = time.Time{}
	_ = c.Conn.SetReadDeadline(t)
}
