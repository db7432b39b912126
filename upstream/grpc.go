package upstream

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/exchange"
)

// The codes of gRPC that failures have which no HTTP status says.
const (
	grpcCancelled         = 1
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcInternal          = 13
	grpcUnavailable       = 14
)

// isGRPC reports whether a media type is gRPC's.
func isGRPC(kind string) bool {
	rest, ok := strings.CutPrefix(kind, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// prepareGRPC makes a call ready that is a sequence of messages: the limit of
// the body holds for each of them, and the client may be silent between two.
func (c *call2) prepareGRPC() *failure {
	body := &c.x.Body
	c.stream, c.trailer = true, c.announced()
	c.messageLimit = body.Limit()
	body.SetLimit(0)
	body.Patient()
	left, said := grpcTimeout(first(c.r.Header["Grpc-Timeout"]))
	if !said {
		return nil
	}
	c.watch.until = c.x.Start.Add(left)
	if !time.Now().Before(c.watch.until) {
		return &failure{status: http.StatusGatewayTimeout, reason: "client-deadline", detail: errClientDeadline.Error()}
	}
	return nil
}

// grpcTimeout reads a grpc-timeout: at most eight digits and a unit ("Requests"
// in gRPC over HTTP/2). What is none, or longer than time can tell, is no
// deadline.
func grpcTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || unit == 0 || time.Duration(n) > (1<<62)/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// appendTimeout appends a grpc-timeout, in the finest unit that it fits in.
func appendTimeout(b []byte, d time.Duration) []byte {
	d = max(d, 0)
	for _, u := range [...]struct {
		unit time.Duration
		name byte
	}{{time.Nanosecond, 'n'}, {time.Microsecond, 'u'}, {time.Millisecond, 'm'}, {time.Second, 'S'}, {time.Minute, 'M'}} {
		if n := d / u.unit; n < 1e8 {
			return append(strconv.AppendInt(b, int64(n), 10), u.name)
		}
	}
	return append(strconv.AppendInt(b, int64(d/time.Hour), 10), 'H')
}

// tellDeadline tells the service how long the client still waits: what has
// passed here counts.
func (c *call2) tellDeadline(h http.Header) {
	if c.watch.until.IsZero() {
		return
	}
	h["Grpc-Timeout"] = []string{string(appendTimeout(nil, time.Until(c.watch.until)))}
}

// messages follows the messages of a gRPC body ("Length-Prefixed-Message" in
// gRPC over HTTP/2), to find one that is too long.
type messages struct {
	most int64 // bytes of one; 0 for any
	head [5]byte
	have int
	left int64 // bytes of the message under way
}

// over follows p, and reports whether a message begins there that is too long.
func (m *messages) over(p []byte) bool {
	for len(p) > 0 {
		if m.left > 0 {
			n := min(int64(len(p)), m.left)
			m.left -= n
			p = p[n:]
			continue
		}
		n := copy(m.head[m.have:], p)
		m.have += n
		p = p[n:]
		if m.have < len(m.head) {
			return false
		}
		m.have = 0
		m.left = int64(binary.BigEndian.Uint32(m.head[1:]))
		if m.most > 0 && m.left > m.most {
			return true
		}
	}
	return false
}

// between reports whether no message is under way.
func (m *messages) between() bool { return m.have == 0 && m.left == 0 }

// grpcCode returns the grpc-status of a failure.
func (f *failure) grpcCode() int {
	if f.grpc != 0 {
		return f.grpc
	}
	return exchange.GRPCCode(f.status)
}

// endGRPC ends a gRPC answer that broke off by a status, which says more than a
// reset. It never says OK.
func (c *call2) endGRPC(f *failure) {
	c.noteBroken(f)
	h := c.w.Header()
	h[http.TrailerPrefix+"Grpc-Status"] = []string{strconv.Itoa(f.grpcCode())}
	h[http.TrailerPrefix+"Grpc-Message"] = []string{brokenOff()}
}

func brokenOff() string { return exchange.GRPCMessage("the answer broke off behind the gateway") }

// noteBroken notes why an answer was not complete.
func (c *call2) noteBroken(f *failure) {
	c.x.Upstream.Error = f.detail
	c.x.Trail.Add(c.Service.rule, exchange.Failed, f.detail)
}
