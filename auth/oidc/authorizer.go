package oidc

import (
	"net/http"
	"strings"
	"time"

	"gatehouse/auth/discovery"
	"gatehouse/auth/jwt"
	"gatehouse/auth/place"
	"gatehouse/auth/recall"
	"gatehouse/auth/scheme"
	"gatehouse/auth/seal"
	"gatehouse/auth/sign"
	"gatehouse/exchange"
)

// Authorizer knows people by their session's cookie, and lets them log in. It is a
// scheme.Scheme and a scheme.Starter, safe for concurrent use.
type Authorizer struct {
	name     string // of its cookies
	purpose  string // of what it seals: no other authorizer opens it
	issuer   string
	clientID string
	secret   string
	key      *sign.Key // nil for a client with a secret
	scopes   string
	path     string
	logoutTo string
	ttl      time.Duration
	origins  []string
	forward  bool // services get the access token
	rule     *exchange.Rule

	ring     *seal.Ring
	tokens   *jwt.Verifier
	provider *discovery.Provider
	client   *http.Client
	foreign  *http.Client
	memory   *memory
	logouts  Logouts
}

// memory is what is remembered of sessions, over reloads.
type memory struct {
	printer   recall.Printer
	sessions  *recall.Cache[*session] // opened, by cookie
	refreshed *recall.Cache[*session] // by the session that they follow
	failing   *recall.Cache[error]    // why a session could not be prolonged a moment ago
}

// Bounds of what is remembered.
const (
	maxSessions = 1 << 14
)

func newMemory() *memory {
	return &memory{recall.NewPrinter(), recall.New[*session](maxSessions), recall.New[*session](maxSessions), recall.New[error](maxSessions)}
}

var (
	_ scheme.Scheme  = (*Authorizer)(nil)
	_ scheme.Starter = (*Authorizer)(nil)
)

// Authenticate implements scheme.Scheme. A session that was opened before costs a
// keyed hash of its cookie.
func (a *Authorizer) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	s, found := a.find(r, x.Start)
	switch {
	case !found:
		return scheme.Verdict{}
	case s == nil:
		return scheme.Bad("no-session", "the session's cookie is none of this gateway's, or not whole")
	}
	s, bad := a.current(s, x, r)
	if bad.Found {
		return bad
	}
	if !scheme.SameOrigin(r, a.origins) {
		return scheme.CrossOriginVerdict("session")
	}
	return scheme.Good(s.principal)
}

// current returns the session if it still holds, renewed where it is time.
func (a *Authorizer) current(s *session, x *exchange.Exchange, r *http.Request) (*session, scheme.Verdict) {
	now := x.Start
	switch {
	case now.After(s.end()):
		return nil, scheme.Bad("session-over", "the session is over")
	case a.isRevoked(s):
		return nil, scheme.Bad("revoked", "the person was logged out")
	case s.Refresh == "" || now.Before(s.expires().Add(-early)):
		return s, scheme.Verdict{}
	}
	next, err := a.refresh(s)
	switch {
	case err == nil && next == nil:
		return nil, scheme.Bad("session-over", "the provider does not prolong the session")
	case err == nil:
		cookies := a.cookies(next, r)
		x.OnHead(func(h *exchange.Head) { h.Header["Set-Cookie"] = append(h.Header["Set-Cookie"], cookies...) })
		return next, scheme.Verdict{}
	case now.Before(s.expires()):
		return s, scheme.Verdict{} // it holds for a moment yet
	}
	return nil, scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "issuer-unreachable", Detail: err.Error(), Retry: time.Second}
}

// early is how long before it ends a session is prolonged.
const early = time.Minute

// Challenge implements scheme.Scheme: programs do not log in here.
func (a *Authorizer) Challenge(realm string, bad bool) string {
	return `Session realm="` + strings.ReplaceAll(realm, `"`, "") + `"`
}

// Login implements scheme.Scheme: it is a Starter.
func (a *Authorizer) Login() string { return "" }

// QueryParameters implements scheme.Scheme.
func (a *Authorizer) QueryParameters() []string { return nil }

// Strip implements scheme.Scheme: no cookie of the login reaches a service. Where
// services are to have a credential it is the person's access token.
func (a *Authorizer) Strip(x *exchange.Exchange, r *http.Request) {
	if a.forward {
		if s, _ := a.find(r, x.Start); s != nil && s.Access != "" {
			if next, ok := a.memory.refreshed.Get(a.refreshKey(s), x.Start); ok && next != nil {
				s = next
			}
			r.Header["Authorization"] = []string{"Bearer " + s.Access}
		}
	}
	place.StripCookies(r.Header, func(name string) bool { return strings.HasPrefix(name, a.name) })
}
