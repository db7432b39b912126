package cedar

import (
	"net/http"

	"github.com/cedar-policy/cedar-go/types"

	"gatehouse/exchange"
)

// New returns the filter that lets pass what policies permit callers who are known;
// nil without policies.
func New(p *Policies) func(http.Handler) http.Handler {
	if p == nil {
		return nil
	}
	return func(next http.Handler) http.Handler { return &filter{p, next} }
}

// filter is the step of a route's path. It is immutable.
type filter struct {
	policies *Policies
	next     http.Handler
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	if x.Principal == nil {
		exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusForbidden, Rule: f.policies.none, Reason: "not-permitted", Detail: "nobody is known to call"})
		return
	}
	body, refusal := f.body(x, r)
	if refusal != nil {
		exchange.Refuse(w, r, *refusal)
		return
	}
	d := f.policies.Decide(x, isSecure(x, r), body)
	if !d.Allowed {
		exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusForbidden, Type: "AccessDeniedException", Rule: d.Rule, Reason: d.Reason, Detail: d.Detail})
		return
	}
	x.Trail.Add(d.Rule, exchange.Allowed, "")
	f.next.ServeHTTP(w, r)
}

// body reads the body where policies may ask about it.
func (f *filter) body(x *exchange.Exchange, r *http.Request) (types.Value, *exchange.Refusal) {
	c := f.policies.config
	if len(c.Body) == 0 || r.Body == nil || r.Body == http.NoBody || !isJSON(r.Header) {
		return nil, nil
	}
	data, err := x.Body.All(int64(c.Limit))
	if err != nil {
		refusal := exchange.BodyRefusal(f.policies.none, err)
		return nil, &refusal
	}
	v, err := f.policies.readBody(data)
	if err != nil {
		return nil, &exchange.Refusal{Status: http.StatusBadRequest, Rule: f.policies.none, Reason: "body-ambiguous", Detail: err.Error()}
	}
	return v, nil
}

// isSecure says whether the client came over TLS, by the word of the edge.
func isSecure(x *exchange.Exchange, r *http.Request) bool {
	said := r.Header["X-Forwarded-Proto"]
	return len(said) == 1 && said[0] == "https" || len(said) == 0 && x.Conn.TLS
}
