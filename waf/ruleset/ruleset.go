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
	// leaves with x.OnHead.
	Inspect(x *exchange.Exchange, r *http.Request) Verdict
}

// Verdict is what an Engine says of a request.
type Verdict struct {
	// Refusal answers a request that is not to pass: its Status is 0 where it is,
	// also where the set only counts.
	Refusal exchange.Refusal
	// Detail says for the trail what matched, truncated and redacted; "" for
	// nothing.
	Detail string
	Labels []string // whole, as rules look for them: "gatehouse:crs:attack-sqli"
}
