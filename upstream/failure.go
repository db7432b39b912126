package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"gatehouse/dial"
	"gatehouse/exchange"
	"gatehouse/http1/wire"
	"gatehouse/upstream/target"
)

// failure is why an attempt did not lead to an answer.
type failure struct {
	status int
	reason string // the metrics' label
	detail string // for log and trail

	refusal     *exchange.Refusal // in place of the above: it is the request's fault
	gone        bool              // there is nobody left to answer
	unprocessed bool              // the target provably did not see the request
	grpc        int               // the status of a gRPC call where status does not say it; 0 for what that maps to
	stale       bool              // a pooled connection had died: one more may be opened
	crowded     bool              // there was no room for it
	sent        bool              // the target had the request
	retry       time.Duration     // when the client may come again; 0 for nothing to say
}

// fail answers the request with a refusal.
func (c *call) fail(f *failure) {
	c.letGo(false)
	c.x.Upstream.Error = f.detail
	if f.gone {
		c.abort(f)
	}
	refusal := exchange.Refusal{Status: f.status, GRPC: f.grpc, Reason: f.reason, Detail: f.detail, Retry: f.retry}
	if f.refusal != nil {
		refusal = *f.refusal
	}
	refusal.Rule = c.Service.rule
	if c.cut {
		refusal.Header = http.Header{"Connection": {"close"}} // the body's rest is not to be read as a request
	}
	if !exchange.Refuse(c.w, c.r, refusal) {
		c.abort(f)
	}
}

// abort ends a request whose answer cannot be completed, in a way that the
// client sees: its connection breaks.
func (c *call) abort(f *failure) {
	c.letGo(false)
	c.x.Upstream.Error = f.detail
	c.x.Trail.Add(c.Service.rule, exchange.Failed, f.detail)
	c.x.Aborted = true
	panic(http.ErrAbortHandler)
}

func noTarget(err error) *failure {
	return &failure{status: http.StatusServiceUnavailable, reason: "no-target", detail: err.Error()}
}

func (c *call) goneFailure() *failure {
	return &failure{gone: true, reason: "client-gone", detail: errGone.Error()}
}

// bodyFailure is why the client's body could not be read. The HTTP/1 engine
// takes every failure to read for the client's going away, but a client that is
// late, or that has closed its sending half, can be told.
func (c *call) bodyFailure(err error) *failure {
	f := exchange.BodyRefusal(c.Service.rule, err)
	there := f.Status == http.StatusRequestTimeout || errors.Is(err, io.ErrUnexpectedEOF)
	if !there && c.x.Parent().Err() != nil {
		return c.goneFailure()
	}
	return &failure{refusal: &f, reason: f.Reason, detail: err.Error()}
}

// clientFailure is what a call is given up for that ended on its client's side.
// Where a body was being sent, the failure to read it says more than the engine's
// word that the client has gone.
func (c *call) clientFailure() *failure {
	u := c.upload
	if u == nil {
		return c.goneFailure()
	}
	u.stopped.Store(true)
	_ = u.conn.SetDeadline(time.Unix(1, 0))
	<-u.done // reading fails, or has: for that the engine ends the request
	if u.err == nil {
		return c.goneFailure()
	}
	return c.bodyFailure(u.err)
}

// firstLookup waits for names that were never looked up, and for those alone.
func (c *call) firstLookup() *failure {
	ctx, cancel := c.connectContext(time.Now())
	defer cancel()
	err := c.Service.resolved(ctx)
	c.set = c.Service.current()
	switch {
	case len(c.set.endpoints) > 0:
		return nil
	case c.x.Parent().Err() != nil:
		return c.goneFailure()
	case errors.Is(err, errNoTarget):
		return noTarget(err)
	case c.late():
		return &failure{status: http.StatusGatewayTimeout, reason: "deadline", detail: "the target's name was not resolved in time"}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusGatewayTimeout, reason: "connect-timeout", detail: "the target's name was not resolved in time"}
	}
	return &failure{status: http.StatusBadGateway, reason: "dns", detail: target.Why(err).Error()}
}

// connectFailure is why no connection was had. The target did not see the
// request; where that is its own fault, its health hears of it.
func (c *call) connectFailure(err error) *failure {
	kind := dial.KindOf(err)
	f := &failure{status: http.StatusBadGateway, detail: target.Why(err).Error(), unprocessed: true}
	switch {
	case c.x.Parent().Err() != nil:
		return c.goneFailure()
	case errors.Is(err, target.ErrLimit):
		f.status, f.reason = http.StatusServiceUnavailable, "connection-limit"
		return f
	case c.late():
		f.status, f.reason, f.unprocessed = http.StatusGatewayTimeout, "deadline", false
		return f
	case kind == dial.Forbidden:
		f.reason = "rule"
		return f
	case kind == dial.Exhausted:
		f.status, f.reason = http.StatusServiceUnavailable, "exhausted"
		return f
	case kind == dial.Timeout, errors.Is(err, context.DeadlineExceeded):
		f.status, f.reason = http.StatusGatewayTimeout, "connect-timeout"
	case errors.Is(err, target.ErrTLS):
		f.reason = "tls"
	case kind == dial.Refused:
		f.reason = "connect-refused"
	case kind == dial.NoHost, kind == dial.Resolving:
		f.reason = "dns"
	default:
		f.reason = "connect"
	}
	c.endpoint.Failures.Add(1)
	c.endpoint.Doubt()
	c.set.health[c.picked].Unreachable(f.detail)
	return f
}

// sendFailure is what becomes of a request that could not be written. Nil says
// that there may be an answer nevertheless: who refuses a request early may
// have stopped to read it.
func (c *call) sendFailure(sent int, err error) *failure {
	c.keep = false
	if !c.x.Upstream.Reused || !hungUp(err) {
		return nil
	}
	if nothingSent := c.conn.Plain && sent == 0; nothingSent || idempotent(c.r.Method) {
		return &failure{status: http.StatusBadGateway, reason: "reset", detail: "the connection was closed while idle", stale: true}
	}
	return nil
}

// answerFailure is why no answer's head was had.
func (c *call) answerFailure(err error) *failure {
	f := &failure{status: http.StatusBadGateway, reason: "reset", detail: target.Why(err).Error()}
	switch {
	case errors.Is(err, errGone), errors.Is(err, errUpload):
		return c.clientFailure()
	case errors.Is(err, errRoute):
		f.status, f.reason, f.sent = http.StatusGatewayTimeout, "deadline", true
	case errors.Is(err, errAnswer):
		f.status, f.reason = http.StatusGatewayTimeout, "answer-timeout"
	case errors.Is(err, errIdle):
		f.status, f.reason = http.StatusGatewayTimeout, "idle-timeout"
	case errors.Is(err, wire.ErrBad):
		f.reason = "bad-answer"
	case isAlert(err):
		f.reason = "tls"
	case errors.Is(err, net.ErrClosed):
		f.reason = "drained"
	case hungUp(err) && !c.in.Received():
		f.detail = "the connection was closed without an answer"
		f.stale = c.x.Upstream.Reused && idempotent(c.r.Method)
	case hungUp(err):
		f.detail = "the connection was closed within the answer's head"
	}
	return f
}

// isAlert reports whether err is one of TLS after the handshake: from TLS 1.3 on
// a service refuses a client's certificate only then.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}

// hungUp reports whether err says that the other side closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// idempotent reports whether a request may be sent twice where nobody knows
// what became of the first (RFC 9110 section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
