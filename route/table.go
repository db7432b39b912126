package route

import (
	"net/http"
	"strings"

	"gatehouse/exchange"
)

// Request is what a lookup goes by.
type Request struct {
	Host   string         // lower case, without port and final dot
	Method string         // of a preflight: the one that it asks for
	Path   *exchange.Path // parsed
	Header http.Header
	// Preflight says that the lookup is for the request that a CORS preflight
	// asks for: a header that this request may have counts as there.
	Preflight bool
}

// Of returns the Request of x and r as they stand.
func Of(x *exchange.Exchange, r *http.Request) Request {
	return Request{Host: x.Host, Method: x.Method, Path: &x.Path, Header: r.Header}
}

// PreflightOf returns the Request that r, a CORS preflight, asks for; false
// where r is none. (Fetch standard, "CORS-preflight request".)
func PreflightOf(x *exchange.Exchange, r *http.Request) (Request, bool) {
	if x.Method != http.MethodOptions || len(r.Header["Origin"]) == 0 {
		return Request{}, false
	}
	method := r.Header.Get("Access-Control-Request-Method")
	if method == "" {
		return Request{}, false
	}
	return Request{Host: x.Host, Method: method, Path: &x.Path, Header: r.Header, Preflight: true}, true
}

// Outcome says how a lookup ended.
type Outcome uint8

const (
	NoHost   Outcome = iota // no stage answers for the host: Value is the zero T
	NoStage                 // the host's stages all stand below other paths: Value is the zero T
	NoRoute                 // 404: Value is the stage's Default
	NoMethod                // 405 with Allow: Value is the stage's Default
	Found
)

func (o Outcome) String() string {
	return [...]string{"unknown host", "no stage", "no route", "no method", "found"}[o]
}

// Result is what a lookup found.
type Result[T any] struct {
	Outcome Outcome
	Value   T
	Params  []exchange.Param // those given, with the route's own appended
	Prefix  int              // how many segments of the path are the stage's
	Allow   Methods          // what the path takes, for NoMethod
}

// Table leads from requests to values. It is immutable.
type Table[T any] struct {
	exact    map[string]*prefix[T]
	wildcard map[string]*prefix[T] // by what follows "*."
	any      *prefix[T]
}

// prefix is a tree of the paths that the stages of one host stand below.
type prefix[T any] struct {
	below map[string]*prefix[T]
	stage *stage[T]
}

// stage is a Stage compiled.
type stage[T any] struct {
	root     node[T]
	fallback T
	options  bool
}

// Lookup finds the route of q. It appends the route's parameters to params.
func (t *Table[T]) Lookup(q Request, params []exchange.Param) Result[T] {
	res := Result[T]{Params: params}
	h := t.host(q.Host)
	if h == nil {
		return res
	}
	st, skip := h.find(q.Path.Segments)
	if st == nil {
		res.Outcome = NoStage
		return res
	}
	res.Prefix = skip
	s := search[T]{q: &q, segments: q.Path.Segments[skip:], wanted: wantedBy(q.Method)}
	if s.walk(&st.root, 0) {
		res.Outcome, res.Value = Found, s.found.value
		res.Params = s.found.appendParams(params, q.Path, skip)
		return res
	}
	res.Outcome, res.Value = NoRoute, st.fallback
	if s.allow != 0 {
		res.Outcome, res.Allow = NoMethod, s.allow
		if st.options {
			res.Allow |= bitOPTIONS
		}
	}
	return res
}

// Serves reports whether any stage answers for a host.
func (t *Table[T]) Serves(host string) bool { return t.host(host) != nil }

// host returns the stages of a host: its own, those of the longest wildcard
// that it falls under, or those of any host.
func (t *Table[T]) host(name string) *prefix[T] {
	if p := t.exact[name]; p != nil {
		return p
	}
	if len(t.wildcard) == 0 {
		return t.any
	}
	for rest := name; ; {
		label, after, more := strings.Cut(rest, ".")
		if !more || label == "" {
			return t.any
		}
		if p := t.wildcard[after]; p != nil {
			return p
		}
		rest = after
	}
}

// find returns the stage that stands below the longest prefix of segments, and
// that prefix's length.
func (p *prefix[T]) find(segments []string) (*stage[T], int) {
	best, length := p.stage, 0
	for i, s := range segments {
		if p = p.below[s]; p == nil {
			break
		}
		if p.stage != nil {
			best, length = p.stage, i+1
		}
	}
	return best, length
}
