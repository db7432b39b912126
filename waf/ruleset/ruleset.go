// Package ruleset is the seam between a web ACL and a set of rules with a language
// of its own that stands among its rules, such as the Core Rule Set: narrow, so
// that one engine can take another's place.
package ruleset

import (
	"net/http"

	"gatehouse/exchange"
)

// Engine is such a set, compiled. It is immutable and safe for concurrent use.
type Engine interface {
	// Inspect decides about a request by its head and its body, which it buffers
	// for everybody (x.Body.Peek) as far as it looks. What it asks of the answer it
	// leaves with x.OnHead, and calls late, once, with what it made of it; not
	// where the answer is never seen.
	Inspect(x *exchange.Exchange, r *http.Request, late func(Verdict)) Verdict
}

// Verdict is what an Engine says of a request, or of its answer.
type Verdict struct {
	// Refusal answers a request that is not to pass: its Status is 0 where it is,
	// also where the set only counts. That of an answer was sent already.
	Refusal exchange.Refusal
	// Detail says for the trail what matched, truncated and redacted; "" for
	// nothing.
	Detail string
	Labels []string // whole, as rules look for them: "gatehouse:crs:attack-sqli"
	// Failed is why the inspection failed, as metrics count it; "" where it did not.
	Failed string
	// Unseen is why a request passes of which not everything was inspected, as
	// metrics count it; "" where everything was.
	Unseen  string
	Score   int
	Matches []Match // for the log
}

// Match is one rule of the set that matched.
type Match struct {
	ID      string
	Message string
	Places  []Place // where; none for the request as a whole
}

// Place is where a rule matched, and what. Nothing of it is redacted.
type Place struct {
	Target string // "ARGS:comment"
	Found  string // the piece that matched; "" where that is not known
	Value  string // what it is a piece of, cut
}
