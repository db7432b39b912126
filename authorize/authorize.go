// Package authorize decides whether a caller who is known may do what it asks
// for: by the scopes that its credential grants.
package authorize

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse/exchange"
)

// New returns the filter that lets only callers with the wanted scopes pass;
// nil where c wants none.
func New(c *Config) func(http.Handler) http.Handler {
	if c == nil || !c.WantsScopes() {
		return nil
	}
	wanted := slices.Concat(c.AllScopes, c.Scopes)
	f := filter{
		any:       slices.Clone(c.Scopes),
		all:       slices.Clone(c.AllScopes),
		rule:      &exchange.Rule{Filter: "authorize", Name: name(c), At: c.Pos},
		challenge: []string{`Bearer error="insufficient_scope", scope="` + strings.Join(wanted, " ") + `"`},
	}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// name says in words what the rule wants.
func name(c *Config) string {
	var parts []string
	if len(c.AllScopes) > 0 {
		parts = append(parts, "scopes "+strings.Join(c.AllScopes, " and "))
	}
	if len(c.Scopes) > 0 {
		parts = append(parts, "scope "+strings.Join(c.Scopes, " or "))
	}
	return strings.Join(parts, ", and ")
}

// filter is the step of a route's path. It is immutable.
type filter struct {
	any, all  []string
	rule      *exchange.Rule
	challenge []string // RFC 6750 section 3.1
	next      http.Handler
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	if f.allows(x.Principal) {
		x.Trail.Add(f.rule, exchange.Allowed, "")
		f.next.ServeHTTP(w, r)
		return
	}
	exchange.Refuse(w, r, exchange.Refusal{
		Status: http.StatusForbidden,
		Rule:   f.rule,
		Reason: "insufficient-scope",
		Detail: "the caller's credential does not grant the scopes that are wanted",
		Header: http.Header{"Www-Authenticate": f.challenge},
	})
}

func (f *filter) allows(p *exchange.Principal) bool {
	if p == nil {
		return false
	}
	for _, scope := range f.all {
		if !p.HasScope(scope) {
			return false
		}
	}
	return len(f.any) == 0 || slices.ContainsFunc(f.any, p.HasScope)
}
