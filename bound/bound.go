package bound

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/exchange"
)

// Head returns the filter that refuses requests with too many headers, or too
// large ones; nil where c limits neither.
func Head(c *Config) func(http.Handler) http.Handler {
	if c == nil || c.Header == nil && c.Headers == nil {
		return nil
	}
	f := head{}
	var name []string
	if c.Header != nil {
		f.size = int64(*c.Header)
		name = append(name, fmt.Sprintf("headers of %v", *c.Header))
	}
	if c.Headers != nil {
		f.fields = *c.Headers
		name = append(name, fmt.Sprintf("%d headers", f.fields))
	}
	f.rule = &exchange.Rule{Filter: "limits", Name: strings.Join(name, ", "), At: c.Pos}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// head is one step of a route's path. It is immutable.
type head struct {
	size   int64 // 0 for any
	fields int   // 0 for any
	rule   *exchange.Rule
	next   http.Handler
}

func (f *head) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fields, size := measure(r.Header)
	refusal := exchange.Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Rule: f.rule}
	switch {
	case f.fields > 0 && fields > f.fields:
		refusal.Reason, refusal.Detail = "too-many-headers", fmt.Sprintf("the request has %d headers", fields)
	case f.size > 0 && size > f.size:
		refusal.Reason, refusal.Detail = "headers-too-large", fmt.Sprintf("the headers take %d bytes", size)
	default:
		exchange.From(r).Trail.Add(f.rule, exchange.Passed, "")
		f.next.ServeHTTP(w, r)
		return
	}
	exchange.Refuse(w, r, refusal)
}

// measure counts the header fields of a client, and the bytes that they take on
// a line each. What the gateway itself says does not count.
func measure(h http.Header) (fields int, size int64) {
	for name, values := range h {
		if isOurs(name) {
			continue
		}
		fields += len(values)
		for _, v := range values {
			size += int64(len(name) + len(v) + len(": \r\n"))
		}
	}
	return fields, size
}

func isOurs(name string) bool {
	switch name {
	case "Traceparent", "Tracestate", "X-Amzn-Trace-Id":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

// Concurrent returns the filter that refuses requests while too many of the
// route, which scope tells from every other, are under way; nil where c does not
// limit them.
func Concurrent(c *Config, scope string, l *Lease) func(http.Handler) http.Handler {
	if c == nil || c.Concurrent == nil {
		return nil
	}
	f := concurrent{
		most: int64(*c.Concurrent), count: l.count(scope),
		rule: &exchange.Rule{Filter: "limits", Name: fmt.Sprintf("%d at once", *c.Concurrent), At: c.Pos},
	}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// concurrent is one step of a route's path. It is immutable, but for the count.
type concurrent struct {
	most  int64
	count *count
	rule  *exchange.Rule
	next  http.Handler
}

func (f *concurrent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.count.enter(f.most) {
		exchange.Refuse(w, r, exchange.Refusal{
			Status: http.StatusServiceUnavailable, Kind: exchange.Default5XX, Rule: f.rule, Reason: "concurrent",
			Detail: "as many requests of the route as may be are under way", Retry: time.Second,
		})
		return
	}
	defer f.count.leave()
	exchange.From(r).Trail.Add(f.rule, exchange.Passed, "")
	f.next.ServeHTTP(w, r)
}
