package cors

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/exchange"
	"gatehouse/origin"
)

// New returns the filter of cfg, or nil for a nil cfg and one that is off. Methods are those that
// the resource's routes take, for a cfg that names none: nil for every method.
//
// A preflight is answered with 204, to an origin that may not call without any
// field that would let it. Other requests pass whatever their origin, as
// through API Gateway: browsers withhold the answer from the page, and who is no
// browser can claim any origin.
func New(cfg *Config, methods []string) func(http.Handler) http.Handler {
	if cfg == nil || cfg.Off {
		return nil
	}
	p := newPolicy(cfg, methods)
	return func(next http.Handler) http.Handler {
		return &filter{policy: p, next: next}
	}
}

// policy is a Config compiled. Field values are made once and shared by all
// answers; their slices have no room to append to.
type policy struct {
	rule        *exchange.Rule
	origins     origin.Set
	hooks       map[string]func(*exchange.Head) // for the origins that are written out
	plain       func(*exchange.Head)            // for requests without an origin, and where all may call
	closed      func(*exchange.Head)            // for those of an origin that may not
	credentials []string                        // the field's value; nil where they stay at home
	methods     []string                        // nil: what the preflight asks for
	headers     []string                        // nil: none
	anyHeader   bool                            // what the preflight asks for
	expose      []string
	maxAge      []string
}

func newPolicy(cfg *Config, methods []string) *policy {
	p := &policy{
		rule:    &exchange.Rule{Filter: "cors", Name: ruleName(cfg), At: cfg.Pos},
		origins: origin.NewSet(cfg.Origins),
		hooks:   make(map[string]func(*exchange.Head)),
		headers: joined(cfg.Headers),
		expose:  joined(cfg.Expose),
	}
	if cfg.Credentials {
		p.credentials = []string{"true"}
	}
	if len(cfg.Methods) > 0 {
		methods = nil
		for _, m := range cfg.Methods {
			methods = append(methods, string(m))
		}
	}
	if len(methods) > 0 && methods[0] != "*" {
		p.methods = []string{strings.Join(methods, ", ")}
	}
	if len(cfg.Headers) > 0 && cfg.Headers[0] == "*" {
		p.headers, p.anyHeader = nil, true
	}
	if cfg.MaxAge > 0 || cfg.Has("max-age") {
		p.maxAge = []string{strconv.Itoa(int(cfg.MaxAge.D() / time.Second))}
	}
	for name := range p.origins.Exact() {
		p.hooks[name] = p.hookFor(name)
	}
	p.closed = p.close
	p.plain = p.closed
	if p.origins.All() {
		p.plain = p.hookFor("*")
	}
	return p
}

func ruleName(cfg *Config) string {
	if len(cfg.Origins) == 1 {
		return string(cfg.Origins[0])
	}
	return strconv.Itoa(len(cfg.Origins)) + " origins"
}

func joined(names []Header) []string {
	if len(names) == 0 {
		return nil
	}
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return []string{strings.Join(list, ", ")}
}

// Allows returns what reports whether a page of an origin may call by cfg; nil
// for a nil cfg.
func Allows(cfg *Config) func(origin string) bool {
	if cfg == nil {
		return nil
	}
	set := origin.NewSet(cfg.Origins)
	return set.Has
}

type filter struct {
	*policy
	next http.Handler
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	from := r.Header["Origin"]
	if len(from) == 0 {
		x.OnHead(f.plain)
		f.next.ServeHTTP(w, r)
		return
	}
	// More than one Origin comes from no browser.
	allowed := len(from) == 1 && f.origins.Has(from[0])
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		f.preflight(w, r, x, allowed)
		return
	}
	if !allowed {
		x.Trail.Add(f.rule, exchange.Passed, "the origin may not read the answer")
		x.OnHead(f.closed)
	} else {
		x.Trail.Add(f.rule, exchange.Allowed, "")
		x.OnHead(f.hook(from[0]))
	}
	f.next.ServeHTTP(w, r)
}

// hook returns the hook for answers to an origin that may call.
func (p *policy) hook(origin string) func(*exchange.Head) {
	if p.origins.All() {
		return p.plain
	}
	if h := p.hooks[origin]; h != nil {
		return h
	}
	return p.hookFor(origin)
}

// hookFor makes the hook for answers that origin may read.
func (p *policy) hookFor(origin string) func(*exchange.Head) {
	allow := []string{origin}
	return func(h *exchange.Head) {
		p.close(h)
		h.Header["Access-Control-Allow-Origin"] = allow
		if p.credentials != nil {
			h.Header["Access-Control-Allow-Credentials"] = p.credentials
		}
		if p.expose != nil {
			h.Header["Access-Control-Expose-Headers"] = p.expose
		}
	}
}

// fields are what a target may have said of CORS.
var fields = [...]string{
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
	"Access-Control-Allow-Private-Network", "Access-Control-Expose-Headers", "Access-Control-Max-Age",
}

// close takes the target's own fields out, and tells caches where the answer
// depends on who asks.
func (p *policy) close(h *exchange.Head) {
	for _, name := range fields {
		delete(h.Header, name)
	}
	if !p.origins.All() {
		vary(h.Header, "Origin")
	}
}

func (f *filter) preflight(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, allowed bool) {
	h := w.Header()
	if !f.origins.All() {
		vary(h, "Origin")
	}
	if !allowed {
		x.Trail.Add(f.rule, exchange.Answered, "a preflight of an origin that may not call")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	x.Trail.Add(f.rule, exchange.Answered, "a preflight")
	f.grant(h, r)
	w.WriteHeader(http.StatusNoContent)
}

// grant writes what the origin may do. A list of the configuration is sent
// whole: the browser looks for what it wants.
func (f *filter) grant(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if f.origins.All() {
		origin = "*"
	}
	h["Access-Control-Allow-Origin"] = []string{origin}
	if f.credentials != nil {
		h["Access-Control-Allow-Credentials"] = f.credentials
	}
	if f.maxAge != nil {
		h["Access-Control-Max-Age"] = f.maxAge
	}
	if f.methods != nil {
		h["Access-Control-Allow-Methods"] = f.methods
	} else if asked := r.Header.Get("Access-Control-Request-Method"); isToken(asked) {
		vary(h, "Access-Control-Request-Method")
		h["Access-Control-Allow-Methods"] = []string{asked}
	}
	if f.headers != nil {
		h["Access-Control-Allow-Headers"] = f.headers
	} else if f.anyHeader {
		vary(h, "Access-Control-Request-Headers")
		if asked := requested(r.Header); asked != "" {
			h["Access-Control-Allow-Headers"] = []string{asked}
		}
	}
}

// requested returns the names that a preflight asks for, to be sent back: a *
// would not stand for Authorization, nor for anything with credentials.
func requested(h http.Header) string {
	list := strings.Join(h["Access-Control-Request-Headers"], ",")
	for name := range strings.SplitSeq(list, ",") {
		if !isToken(strings.Trim(name, " \t")) {
			return ""
		}
	}
	return list
}

// vary adds name to Vary, unless it is there.
func vary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.Trim(item, " \t"); item == "*" || strings.EqualFold(item, name) {
				return
			}
		}
	}
	h["Vary"] = append(h["Vary"], name)
}
