package route

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"gatehouse/exchange"
)

// condition narrows a route: a header or query parameter that must be there,
// with this very value or, for "*", with any.
type condition struct {
	header bool
	name   string // a header's in canonical form
	value  string
	any    bool
}

// conditionsOf returns the conditions of two maps of the configuration, in an
// order of their own.
func conditionsOf(headers, query map[string]string) []condition {
	out := make([]condition, 0, len(headers)+len(query))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		v := headers[name]
		out = append(out, condition{true, textproto.CanonicalMIMEHeaderKey(name), v, v == "*"})
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		v := query[name]
		out = append(out, condition{false, name, v, v == "*"})
	}
	return out
}

func (c *condition) met(q *Request) bool {
	if !c.header {
		return c.inQuery(q.Path)
	}
	values := q.Header[c.name]
	if c.any && len(values) > 0 {
		return true
	}
	for _, v := range values {
		if strings.Trim(v, " \t") == c.value {
			return true
		}
	}
	return q.Preflight && c.announced(q.Header)
}

// announced reports whether the request that a preflight asks for could have
// the header: the browser names it, or sends it without naming it (Fetch
// standard, "CORS-safelisted request-header").
func (c *condition) announced(h http.Header) bool {
	switch c.name {
	case "Accept", "Accept-Language", "Content-Language", "Content-Type", "Range":
		return true
	}
	for _, list := range h["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.Trim(name, " \t"), c.name) {
				return true
			}
		}
	}
	return false
}

// inQuery reports whether any of the parameters of that name has the value.
func (c *condition) inQuery(p *exchange.Path) bool {
	for rest := p.Query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(pair, "=")
		if decodesTo(name, c.name) && (c.any || decodesTo(value, c.value)) {
			return true
		}
	}
	return false
}

// decodesTo reports whether raw, a name or value of a query, stands for plain:
// "+" is a space, %XX a byte. Broken encoding stands for nothing.
func decodesTo(raw, plain string) bool {
	n := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(raw) {
				return false
			}
			var ok bool
			if c, ok = exchange.Unhex(raw[i+1], raw[i+2]); !ok {
				return false
			}
			i += 2
		}
		if n == len(plain) || plain[n] != c {
			return false
		}
		n++
	}
	return n == len(plain)
}
