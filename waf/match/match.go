// Package match is the statements of a web ACL's rules: what operators write after
// `when:`, and what that becomes, a tree of matchers that decides about a request.
package match

import (
	"net/http"
	"net/netip"
	"time"

	"gatehouse/exchange"
	"gatehouse/waf/field"
	"gatehouse/waf/geo"
)

// Matcher decides about requests. It is immutable and safe for concurrent use.
type Matcher interface {
	// Match reports whether the request is one that the statement means. Where
	// the request could not be read (Request.Err) what it says does not hold.
	Match(r *Request) bool
}

// Request is one request while the rules of an ACL look at it. It is used again
// for others.
type Request struct {
	field.View

	// Found is where the last statement found what it looks for. It is for the
	// trail of a rule that matches.
	Found Finding

	// Counters are those of the ACL's rate statements, in the order in which they
	// were compiled.
	Counters []Counter

	Crawlers Crawlers // nil where nobody can tell
	Clock    Clock    // nil where no time is counted
}

// Clock counts the processor time of an inspection, but for what lies between Pause
// and Resume.
type Clock interface {
	Pause()
	Resume()
}

// Finding is where a statement found what it looks for.
type Finding struct {
	Field *field.Spec // nil for a statement that inspects no field
	Name  string      // of the header, argument, cookie or member
	Text  string      // the text after its transformations
	At    int         // where in it the match begins
	Len   int         // and how long it is; 0 where the text as a whole matched
	What  string      // what was found, in the statement's words: "contains", "sqli"
}

// Begin makes r that of a request.
func (r *Request) Begin(plan *field.Plan, limits field.Limits, counters []Counter, x *exchange.Exchange, q *http.Request) {
	r.View.Begin(plan, limits, x, q)
	r.Counters = counters
}

// End lets go of the request.
func (r *Request) End() {
	r.View.End()
	r.Found, r.Counters, r.Crawlers, r.Clock = Finding{}, nil, nil, nil
}

// Addresses is a set of addresses.
type Addresses interface {
	Contains(netip.Addr) bool
}

// Countries tells where addresses are.
type Countries interface {
	// Place returns where an address is.
	Place(netip.Addr) geo.Place
}

// Counter counts the requests of one rate statement by key: whom it counts
// together.
type Counter interface {
	// Over counts a request, and reports whether there were more than the limit
	// within the window, this one included.
	Over(key []byte) bool
}

// Rate says what a Counter counts. Counters whose Rate is equal go on over a
// reload.
type Rate struct {
	Name   string // ACL/rule
	Limit  int
	Window time.Duration
	Keys   string // what makes the key
}
