package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"gatehouse/upstream/target"
)

// resetError is what the transport says of a stream that was reset: it fills any
// struct of this form.
type resetError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error implements error.
func (e resetError) Error() string { return "the service reset the stream: " + resetName(e.Code) }

// The codes of RST_STREAM that mean more than a failure (RFC 9113 section 7).
const (
	resetRefused     = 0x7
	resetCancel      = 0x8
	resetCalm        = 0xb
	resetSecurity    = 0xc
	resetNeedsHTTP11 = 0xd
)

func resetName(code uint32) string {
	names := [...]string{
		"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
		"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
	}
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("code %d", code)
}

// resetCode maps a reset as gRPC over HTTP/2 says under "Errors".
func resetCode(code uint32) int {
	switch code {
	case resetRefused:
		return grpcUnavailable
	case resetCancel:
		return grpcCancelled
	case resetCalm:
		return grpcResourceExhausted
	case resetSecurity:
		return grpcPermissionDenied
	}
	return grpcInternal
}

// failure2 is why an attempt by HTTP/2 came to no answer, or to a part of one.
func (c *call2) failure2(ctx context.Context, err error) *failure {
	if c.body != nil {
		if bad := c.body.failed(); bad != nil {
			return c.bodyFailure(bad)
		}
	}
	if ctx.Err() != nil {
		return c.timeFailure(context.Cause(ctx))
	}
	if c.watch.overClient() {
		return c.timeFailure(errClientDeadline) // the service knows of the deadline, and may act on it first
	}
	f := &failure{status: http.StatusBadGateway, reason: "reset", detail: target.Why(err).Error()}
	if reset, ok := errors.AsType[resetError](err); ok {
		f.detail, f.grpc = reset.Error(), resetCode(reset.Code)
		f.unprocessed = reset.Code == resetRefused && !c.watch.head.Load()
		f.stale = f.unprocessed
		return f
	}
	if errors.Is(err, net.ErrClosed) {
		f.reason = "drained"
		return f
	}
	f.unprocessed = neverSent(err) && !c.watch.head.Load()
	f.stale = c.x.Upstream.Reused && !c.watch.head.Load() && (f.unprocessed || idempotent(c.r.Method))
	return f
}

// neverSent reports whether the transport says that the service did not see the
// request: it said so by GOAWAY, or the connection was gone before.
func neverSent(err error) bool {
	text := err.Error()
	return strings.Contains(text, "graceful shutdown GOAWAY") || strings.Contains(text, "client conn not usable") ||
		strings.Contains(text, "client conn could not be established")
}

// timeFailure is what an attempt was given up for.
func (c *call2) timeFailure(cause error) *failure {
	f := &failure{status: http.StatusGatewayTimeout, detail: cause.Error(), grpc: grpcDeadlineExceeded}
	switch cause {
	case errRoute:
		f.reason, f.sent = "deadline", true
	case errClientDeadline:
		f.reason = "client-deadline"
	case errAnswer:
		f.reason = "answer-timeout"
	case errIdle:
		f.reason = "idle-timeout"
	default:
		return c.goneFailure()
	}
	return f
}

// fail2 answers the request with a refusal.
func (c *call2) fail2(f *failure) {
	c.endBody()
	c.fail(f)
}

// breakOff2 ends an answer that came in part.
func (c *call2) breakOff2(f *failure) {
	if c.Service.guard != nil {
		c.judgeFailure(f, true)
	}
	if c.grpc && c.watch.live.Load() && c.x.Writer.Begun() && !f.gone {
		if c.web != nil {
			c.endWeb(f)
		} else {
			c.endGRPC(f)
		}
		return
	}
	c.breakOff(f)
}
