package upstream

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/http1/wire"
	"gatehouse/upstream/target"
)

// unguarded is how much is written without a deadline: an idle connection's
// send buffer takes it whole, so writing cannot block.
const unguarded = 8 << 10

// send writes the request; where its body is not small, the body follows while
// the answer is awaited. Dead says that the connection had ended while it idled,
// and that nothing was sent.
func (c *call) send() (dead bool, f *failure) {
	c.out = c.appendHead(c.out[:0])
	c.out = append(c.out, c.body...)
	now := c.x.Now()
	c.clock = clock{sent: now}
	c.in.Reset(c)
	if c.r.ProtoMajor == 1 { // by HTTP/2 a client may have many answers wait at once
		c.in.Roomy(c.bulky.Load())
	}
	c.conn.WaitAtLeast(now, slice)
	if len(c.out) > unguarded {
		until := now.Add(c.Service.config.Timeouts.Answer.D())
		if d, ok := c.x.Deadline(); ok && d.Before(until) {
			until = d
		}
		c.conn.ArmWrites(until)
	} else {
		c.conn.DisarmWrites()
	}
	n, err := c.write()
	switch {
	case err == target.ErrDead:
		return true, nil
	case err != nil:
		return false, c.sendFailure(n, err)
	case c.expects:
		c.asking = true
	case c.stream:
		c.upload = c.startUpload()
	}
	return false, nil
}

// write writes the request's head, and a small body. Where nothing follows it
// may have read some of the answer when it returns.
func (c *call) write() (int, error) {
	if c.stream || len(c.out) > unguarded {
		return c.conn.Send(c.out)
	}
	return c.conn.Ask(c.out, c.in)
}

// continueWait is how long a service may take to say whether it wants a body.
// One that does not know the question gets it after that (RFC 9110 section
// 10.1.1).
const continueWait = time.Second

// proceed sends the body that the service was asked about.
func (c *call) proceed() {
	c.asking = false
	c.upload = c.startUpload()
}

// readSmall reads a body of n bytes whole.
func (c *call) readSmall(n int) error {
	if cap(c.body) < n {
		c.body = make([]byte, smallBody)
	}
	c.body = c.body[:n]
	_, err := io.ReadFull(&c.x.Body, c.body)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// appendHead appends the request's head.
func (c *call) appendHead(b []byte) []byte {
	b = append(b, c.r.Method...)
	b = append(b, ' ')
	if c.Rewrite != nil {
		b = c.Rewrite(c.x, b)
	} else {
		b = c.x.Path.AppendCanonical(b)
	}
	if q := c.x.Path.Asked(); q != "" {
		b = append(b, '?')
		b = append(b, q...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if c.Service.config.Host == "preserve" {
		b = wire.AppendValue(b, c.r.Host)
	} else {
		b = append(b, c.set.hosts[c.picked]...)
	}
	b = append(b, "\r\n"...)
	for name, values := range c.r.Header {
		if !passes(name) {
			continue
		}
		for _, v := range values {
			b = wire.AppendField(b, name, v)
		}
	}
	b = c.appendFraming(b)
	return append(b, "\r\n"...)
}

// passes reports whether a field of the request goes to the service. What
// Connection names was removed when the request came in, and what tells of the
// client was put there: by now a filter may have set fields of these names.
func passes(name string) bool {
	switch name {
	case "Host", "Content-Length", "Expect":
		return false
	}
	return !wire.HopByHop(name)
}

// appendFraming says how long the body is, whether it is wanted, and which
// trailers are understood and follow.
func (c *call) appendFraming(b []byte) []byte {
	if acceptsTrailers(c.r.Header["Te"]) {
		b = append(b, "Te: trailers\r\nConnection: Te\r\n"...)
	}
	if c.expects {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	switch n := c.x.Body.Declared(); {
	case n < 0:
		for i, name := range c.trailer {
			if i == 0 {
				b = append(b, "Trailer: "...)
			} else {
				b = append(b, ", "...)
			}
			b = append(b, name...)
		}
		if len(c.trailer) > 0 {
			b = append(b, "\r\n"...)
		}
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	case n > 0 || expectsBody(c.r.Method):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, n, 10)
		return append(b, "\r\n"...)
	}
	return b
}

// announced returns the names of the trailer fields that the client announced,
// that no filter took away, and that may pass. A field that the head holds is
// not among them: a server that joins the two would read the client's word
// beside what a filter has set.
func (c *call) announced() []string {
	var names []string
	for name := range c.r.Trailer {
		if _, said := c.r.Header[name]; !said && wire.TrailerAllowed(name) {
			names = append(names, name)
		}
	}
	return names
}

func acceptsTrailers(te []string) bool {
	for _, v := range te {
		for item := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(item), "trailers") {
				return true
			}
		}
	}
	return false
}

// expectsContinue reports whether the client waits to be asked for its body.
func expectsContinue(r *http.Request) bool {
	e := r.Header["Expect"]
	return len(e) == 1 && strings.EqualFold(e[0], "100-continue") && r.ProtoAtLeast(1, 1)
}

// expectsBody reports whether a request by method says that it has no body.
func expectsBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
