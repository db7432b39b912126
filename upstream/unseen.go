package upstream

import (
	"errors"
	"io"
	"os"

	"gatehouse/http1/socket"
)

// large is what a body has to have left for the kernel to move it: below, the
// pipe costs more than the copy. See docs/decisions/0008.
const large = 256 << 10

// unseen is the rest of an answer's body, which the kernel may move from the
// service's connection to the client's.
type unseen struct {
	*call
	err error // why it ended, where that is the service's doing
}

// splices reports whether the kernel may move the rest of the body. By HTTP/2
// and TLS it goes through buffers in any case.
func (c *call) splices() bool {
	return c.in.Left() >= large && c.in.Buffered() == 0 && c.r.ProtoMajor == 1 && c.r.TLS == nil && c.conn.Splices() && !c.eager
}

// passUnseen passes the rest of the body on, and reports whether it was whole.
func (c *call) passUnseen() bool {
	u := &unseen{call: c}
	_, err := c.x.Writer.ReadFrom(u)
	switch {
	case u.err != nil:
		c.breakOff(c.bodyCut(u.err))
		return false
	case err != nil:
		c.abort(&failure{reason: "client-gone", detail: "the answer could not be written: " + err.Error()})
	}
	return true
}

// Read implements socket.Source, for where a filter wants to see the body.
func (u *unseen) Read(p []byte) (int, error) {
	n, err := u.in.ReadBody(p)
	u.note(err)
	return n, err
}

// Fill implements socket.Source.
func (u *unseen) Fill(p *socket.Pipe) (int64, error) {
	left := u.in.Left()
	if left == 0 {
		return 0, io.EOF
	}
	if u.gone != nil {
		if err := u.moved(); err != nil {
			return 0, u.note(u.in.Broke(err))
		}
	}
	for {
		n, err := u.conn.Splice(p, left)
		if err == nil {
			u.in.Passed(n)
			return n, nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = u.waited()
		}
		if err != nil {
			return 0, u.note(u.in.Broke(err))
		}
	}
}

func (u *unseen) note(err error) error {
	if err != nil && err != io.EOF {
		u.err = err
	}
	return err
}
