package upstream

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"gatehouse/exchange"
	"gatehouse/http1/wire"
	"gatehouse/upstream/target"
)

// await reads the head of the final answer into the client's.
func (c *call) await() (wire.Head, *failure) {
	for range wire.MaxInformational + 1 {
		head, err := c.in.ReadHead(c.r.Method, c.w.Header())
		if err != nil {
			return head, c.answerFailure(err)
		}
		if !head.Informational() {
			c.x.Upstream.Latency = time.Since(c.clock.sent)
			c.x.Upstream.Status = head.Status
			c.keep = c.keep && !c.early()
			return head, nil
		}
		if head.Status == http.StatusSwitchingProtocols {
			return head, c.answerFailure(fmt.Errorf("%w: a switch of protocols that nobody asked for", wire.ErrBad))
		}
		c.informational(head)
	}
	return wire.Head{}, c.answerFailure(fmt.Errorf("%w: more than %d informational answers", wire.ErrBad, wire.MaxInformational))
}

// early reports whether the answer comes before the request's last bytes are on
// their way. Who answers so may take the rest of the body for another request.
func (c *call) early() bool { return c.asking || c.upload != nil && !c.upload.last.Load() }

// informational passes Early Hints on, and sends a body that was asked for.
// Nobody waits for anything else: it is dropped, and the connection is not
// trusted any further.
func (c *call) informational(head wire.Head) {
	switch {
	case head.Status == http.StatusEarlyHints:
		c.hint(head)
	case head.Status == http.StatusContinue && c.asking:
		c.proceed()
	default:
		c.keep = false
	}
}

// hint passes Early Hints on to a client that knows informational answers.
func (c *call) hint(head wire.Head) {
	if !c.r.ProtoAtLeast(1, 1) {
		return
	}
	h := c.w.Header()
	own := maps.Clone(h)
	clear(h)
	maps.Copy(h, head.Early)
	c.w.WriteHeader(http.StatusEarlyHints)
	clear(h)
	maps.Copy(h, own)
}

// deliver passes the answer on. It does not return where that fails halfway.
func (c *call) deliver(head wire.Head) {
	h := c.w.Header()
	if len(head.Trailer) > 0 {
		h["Trailer"] = head.Trailer
	}
	c.keep = c.keep && !head.Close
	c.clock.body, c.clock.until = true, time.Time{}
	if bulky := head.Length > wire.LargeBuffer; bulky != c.bulky.Load() {
		c.bulky.Store(bulky)
	}
	c.clock.live = isStream(h)
	c.eager = head.Length < 0 || c.clock.live
	if c.eager && c.Service.guard != nil {
		c.judgeStatus(head.Status) // nobody knows when this ends
	}
	c.stick(h, head.Status)
	c.x.Trail.Add(c.Service.rule, exchange.Passed, c.how())
	c.w.WriteHeader(head.Status)
	c.unflushed = c.eager
	for {
		if c.splices() && !c.passUnseen() {
			return
		}
		p, err := c.in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			c.breakOff(c.bodyCut(err))
			return
		}
		if _, err := c.w.Write(p); err != nil {
			c.abort(&failure{reason: "client-gone", detail: "the answer could not be written: " + err.Error()})
		}
		c.unflushed = c.eager
	}
	c.passTrailer(h, head.Trailer)
	c.letGo(c.in.Clean())
}

// passTrailer leaves the trailer's fields where the engine looks for them. It
// keeps room for those that were not announced only if the head has been sent.
func (c *call) passTrailer(h http.Header, announced []string) {
	for name, values := range c.in.Trailer() {
		if slices.Contains(announced, name) {
			h[name] = values
			continue
		}
		c.x.Writer.Flush()
		h[http.TrailerPrefix+name] = values
	}
}

// breakOff ends an answer that came in part. Where its head is still held back
// by a filter, it becomes a refusal.
func (c *call) breakOff(f *failure) {
	if c.Service.guard != nil {
		c.judgeFailure(f, true)
	}
	if c.x.Writer.Begun() {
		c.abort(f)
	}
	c.fail(f)
}

// bodyCut is why an answer's body is not complete.
func (c *call) bodyCut(err error) *failure {
	f := c.answerFailure(err)
	if f.reason == "reset" {
		f.detail = "the answer's body was cut off: " + target.Why(err).Error()
	}
	return f
}
