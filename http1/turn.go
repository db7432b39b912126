package http1

import (
	"errors"
	"syscall"

	"gatehouse/http1/socket"
	"gatehouse/http1/wire"
)

// turn is how a plain connection's requests are served as they arrive: within
// the callback of syscall.RawConn.Read, which is called when the socket becomes
// readable and waits when it returns false, for what has come since it was
// called. A small request so costs one read and one write, and no look whether
// there is another.
//
// Nobody else can read the socket meanwhile. So only requests are served there
// that have come whole, have no body and ask for no other protocol; for all
// else the turn ends.
type turn struct {
	run     func(fd uintptr) bool // made once
	taken   bool                  // a turn is: the socket is nobody else's to read
	fd      uintptr               // of the socket meanwhile
	err     error                 // why the connection ends
	drained bool                  // the last read took all there was
	read    bool                  // a request was read that is not for a turn
	q       wire.Request          // that request
	qErr    error                 // or why it could not be
}

// errNotWhole is what reading a head returns within a turn where it has not
// come whole.
var errNotWhole = errors.New("http1: the head has not come whole")

// begin prepares to take turns.
func (t *turn) begin(c *Conn) {
	if c.tcp != nil && socket.Usable {
		c.raw, _ = c.tcp.SyscallConn()
		t.run = c.take
	}
}

// takeTurns serves requests until something has come that is not for a turn.
func (c *Conn) takeTurns() error {
	c.turn.err = nil
	if err := c.raw.Read(c.turn.run); err != nil {
		return err
	}
	return c.turn.err
}

// take is turn.run: it reports whether the turns are over.
func (c *Conn) take(fd uintptr) bool {
	c.turn.taken, c.turn.fd = true, fd
	defer c.leave()
	for {
		there, err := c.receive(fd)
		switch {
		case err != nil:
			c.turn.err = err
			return true
		case there:
			c.arrived()
		}
		for c.in.Buffered() > 0 {
			if !c.quick() || c.closing {
				return true
			}
		}
		if !there || c.turn.drained {
			c.idle()
			return false
		}
	}
}

// idle gives up what is not needed while nothing is there.
func (c *Conn) idle() {
	c.recycle()
	if c.wait.count.Load() == 0 {
		c.awaits()
	}
}

func (c *Conn) leave() { c.turn.taken = false }

// quick serves one request, and reports whether it could within a turn.
func (c *Conn) quick() bool {
	q, err := c.read()
	if err == errNotWhole {
		return false
	}
	c.turn.q, c.turn.qErr = q, err
	c.turn.read = err != nil || q.Length != 0 || len(c.header["Upgrade"]) > 0
	if c.turn.read {
		return false
	}
	c.serve()
	return true
}

// next returns the request that a turn has left, or reads one.
func (c *Conn) next() (wire.Request, error) {
	if c.turn.read {
		c.turn.read = false
		return c.turn.q, c.turn.qErr
	}
	return c.read()
}

// receive reads what is there, and reports whether that is anything. A read that
// leaves room has taken all there was: the poller tells of whatever comes then.
func (c *Conn) receive(fd uintptr) (there bool, err error) {
	space := c.in.Space()
	n, err := socket.Read(fd, space)
	c.turn.drained = n < len(space)
	if err == syscall.EAGAIN {
		return false, nil
	}
	c.in.Filled(n)
	return n > 0, err
}
