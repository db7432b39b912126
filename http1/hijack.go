package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Hijack implements http.Hijacker, for requests with an Upgrade field. The request's context goes on to end with
// nothing but the handler: who has the connection sees for itself when the
// client goes away.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c := a.conn
	if c.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if c.turn.taken {
		return nil, nil, errors.New("http1: only a request that asks for an upgrade can be hijacked")
	}
	if a.status != 0 || len(a.out) > 0 {
		return nil, nil, errors.New("http1: hijack after the answer has begun")
	}
	c.watch.stop()
	c.hijacked = true
	c.owner.Hijacked()
	_ = c.net.SetDeadline(time.Time{})
	rest := bytes.Clone(c.in.Rest())
	c.recycle()
	// What the request was made of is the handler's, for as long as it wants it.
	c.header, c.values, a.header = nil, nil, make(http.Header)
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(rest), c.net))
	if len(rest) > 0 {
		_, _ = r.Peek(len(rest)) // so that Buffered tells of it
	}
	return c.net, bufio.NewReadWriter(r, bufio.NewWriter(c.net)), nil
}
