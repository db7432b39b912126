package limit

import (
	"strconv"
	"time"

	"gatehouse/exchange"
)

// The fields of draft-ietf-httpapi-ratelimit-headers, as net/http spells them.
const (
	policyField = "Ratelimit-Policy"
	limitField  = "Ratelimit"
)

// Policy is one limit as clients are told of it.
type Policy struct {
	Name   string        // without quotes or backslashes
	Quota  int64         // requests
	Window time.Duration // in which they may come
}

// Policies writes the RateLimit-Policy field. A token bucket is said as its
// burst in the time that it takes to fill, rounded up: who keeps to that is never
// refused.
func Policies(list []Policy) string {
	var b []byte
	for i, p := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '"')
		b = append(b, p.Name...)
		b = append(b, `";q=`...)
		b = strconv.AppendInt(b, p.Quota, 10)
		b = append(b, `;w=`...)
		b = strconv.AppendInt(b, max(1, seconds(p.Window)), 10)
	}
	return string(b)
}

// TellPolicies adds a RateLimit-Policy field, of one value, to an answer. The
// value may be shared: it is never written to.
func TellPolicies(h *exchange.Head, field []string) {
	before := h.Header[policyField]
	if len(before) == 0 {
		h.Header[policyField] = field
		return
	}
	h.Header[policyField] = append(before[:len(before):len(before)], field...)
}

// Tell notes what a limit leaves, where that is the least so far or where the
// limit refuses, and has the answer say it.
func Tell(x *exchange.Exchange, refused bool, left exchange.RateLimit) {
	last := &x.RateLimit
	if last.Policy == "" {
		x.OnHead(tellLimit)
	}
	if last.Policy == "" || refused || left.Remaining < last.Remaining {
		*last = left
	}
}

// tellLimit adds what the tightest limit of all filters leaves. Limits that
// the target told stay beside it: the field is a list.
func tellLimit(h *exchange.Head) {
	h.Header[limitField] = append(h.Header[limitField], remaining(&h.Exchange.RateLimit))
}

// remaining writes the RateLimit field: the requests left, and the seconds in
// which no more than these should come.
func remaining(l *exchange.RateLimit) string {
	var space [64]byte
	b := append(space[:0], '"')
	b = append(b, l.Policy...)
	b = append(b, `";r=`...)
	b = strconv.AppendInt(b, int64(l.Remaining), 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, seconds(l.Reset), 10)
	return string(b)
}

// seconds rounds up, and stays among the integers of structured fields (RFC
// 9651 section 3.3.1).
func seconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d%time.Second > 0 {
		n++
	}
	return n
}
