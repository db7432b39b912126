package throttle

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

// policies writes the RateLimit-Policy field: for each throttle its name, the
// quota and the window in seconds. A token bucket is said as its burst in the
// time that it takes to fill, rounded up: who keeps to that is never refused.
func policies(throttles []throttle) string {
	var b []byte
	for i, t := range throttles {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '"')
		b = append(b, t.policy...)
		b = append(b, `";q=`...)
		b = strconv.AppendInt(b, int64(t.limit.Burst()), 10)
		b = append(b, `;w=`...)
		b = strconv.AppendInt(b, max(1, seconds(t.limit.Window())), 10)
	}
	return string(b)
}

// tellPolicies adds the filter's policies to the answer.
func (f *filter) tellPolicies(h *exchange.Head) {
	before := h.Header[policyField]
	if len(before) == 0 {
		h.Header[policyField] = f.field
		return
	}
	h.Header[policyField] = append(before[:len(before):len(before)], f.field...)
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
