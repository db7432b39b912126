// Package auth finds out who calls.
//
// A route has authorizers, in order. The first whose credential the request
// carries decides: a bad credential is final. One that names another issuer is
// not an authorizer's own; where it is nobody's, it is bad. A good one is taken out
// of the request, so that no service can use or leak it. Ways of proving who one
// is are rooms inside this one, behind the seam of package scheme.
package auth

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// Revocations are credentials that are good and must not be taken any more.
type Revocations interface {
	// Unknown reports whether nobody can tell now what is revoked.
	Unknown() bool
	// Revoked returns why a caller's credential must not be taken; "" where it
	// may be. Requests call it: it waits for nobody.
	Revoked(p *exchange.Principal) string
}

// New returns the filter that lets only callers pass whom one of the
// authorizers knows, and whose credential is not revoked; nil without any.
func New(authorizers []*Authorizer, revoked Revocations) func(http.Handler) http.Handler {
	if len(authorizers) == 0 {
		return nil
	}
	authorizers = slices.Clone(authorizers)
	missing := missing(authorizers)
	return func(next http.Handler) http.Handler {
		return &filter{authorizers: authorizers, missing: missing, revoked: revoked, next: next}
	}
}

// filter is the step of a route's path. It is immutable.
type filter struct {
	authorizers []*Authorizer
	missing     *exchange.Rule // for requests without a credential
	revoked     Revocations
	next        http.Handler
}

// missing is the rule by which requests without any credential are refused:
// the first authorizer's, named after all.
func missing(authorizers []*Authorizer) *exchange.Rule {
	var names []string
	for _, a := range authorizers {
		names = append(names, a.rule.Name)
	}
	return &exchange.Rule{Filter: "auth", Name: strings.Join(names, ", "), At: authorizers[0].rule.At}
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	a, v := f.authenticate(x, r)
	if v.Principal != nil {
		v = f.standing(v)
	}
	switch {
	case v.Principal != nil:
		x.Principal = v.Principal
		x.Trail.Add(a.rule, exchange.Allowed, "")
		if !a.forward {
			a.scheme.Strip(x, r)
		}
		f.next.ServeHTTP(w, r)
	case v.Found:
		a.refuse(w, r, v)
	default:
		f.refuseStranger(w, r)
	}
}

// standing is a good verdict, unless what it is about is revoked.
func (f *filter) standing(v scheme.Verdict) scheme.Verdict {
	if f.revoked.Unknown() {
		return scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "no-state", Detail: "the state has not been read yet: nobody can tell what is revoked", Retry: 5 * time.Second}
	}
	if why := f.revoked.Revoked(v.Principal); why != "" {
		return scheme.Bad("revoked", why)
	}
	return v
}

// authenticate returns what was made of the request's credential, and by whom:
// by the first authorizer that knows it for its own, or else by the first that
// found one.
func (f *filter) authenticate(x *exchange.Exchange, r *http.Request) (first *Authorizer, foreign scheme.Verdict) {
	for _, a := range f.authorizers {
		v := a.scheme.Authenticate(x, r)
		if v.Found && !v.Foreign {
			return a, v
		}
		if v.Found && first == nil {
			first, foreign = a, v
		}
	}
	return first, foreign
}

// refuse answers a request whose credential is not good.
func (a *Authorizer) refuse(w http.ResponseWriter, r *http.Request, v scheme.Verdict) {
	refusal := exchange.Refusal{Status: v.Status, Kind: kind(v), Type: v.Type, Message: v.Message, Rule: a.rule, Reason: v.Reason, Detail: v.Detail, Retry: v.Retry}
	if v.Body != nil {
		refusal = exchange.BodyRefusal(a.rule, v.Body)
	}
	if refusal.Status == 0 {
		if sendToLogin(w, r, a, v) {
			return
		}
		refusal.Status = http.StatusUnauthorized
		refusal.Header = http.Header{"Www-Authenticate": {a.scheme.Challenge(a.realm, true)}}
	}
	exchange.Refuse(w, r, refusal)
}

// kind is the type of a refusal that its status does not tell.
func kind(v scheme.Verdict) exchange.ResponseType {
	switch {
	case v.Expired:
		return exchange.ExpiredToken
	case v.Status >= http.StatusInternalServerError:
		return exchange.AuthorizerFailure
	}
	return exchange.Unspecified
}

// refuseStranger answers a request without any credential: with the challenges
// of all authorizers, or by sending a person to the first login there is.
func (f *filter) refuseStranger(w http.ResponseWriter, r *http.Request) {
	none := scheme.Verdict{Reason: "no-credential", Detail: "the request carries no credential"}
	var challenges []string
	for _, a := range f.authorizers {
		if sendToLogin(w, r, a, none) {
			return
		}
		if c := a.scheme.Challenge(a.realm, false); c != "" && !slices.Contains(challenges, c) {
			challenges = append(challenges, c)
		}
	}
	refusal := exchange.Refusal{Status: http.StatusUnauthorized, Rule: f.missing, Reason: none.Reason, Detail: none.Detail, Header: http.Header{"Www-Authenticate": challenges}}
	if len(challenges) == 0 { // a 401 must have one; this is what API Gateway answers where it wants a signature
		refusal.Status, refusal.Header = http.StatusForbidden, nil
		refusal.Type, refusal.Message = "MissingAuthenticationTokenException", "Missing Authentication Token"
	}
	exchange.Refuse(w, r, refusal)
}
