// Package scheme is the seam between the auth filter and the ways of proving
// who calls: JWT now, others beside it later.
package scheme

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/exchange"
)

// Scheme is one way of finding out who calls, as configured once. It is
// immutable and safe for concurrent use.
type Scheme interface {
	// Authenticate looks for a credential of its kind in the request and
	// judges it. It does not answer the request, and leaves the credential in
	// it.
	Authenticate(x *exchange.Exchange, r *http.Request) Verdict
	// Challenge returns the WWW-Authenticate value (RFC 9110 section 11.6.1)
	// that goes with a refusal. It says no more than that there was no
	// credential, or that there was one and it was bad.
	Challenge(realm string, bad bool) string
	// Login returns the URL that a person without a good credential is sent
	// to; "" for none.
	Login() string
	// QueryParameters returns the names of the query parameters that
	// credentials are read from: no address that a client is sent to may hold
	// them.
	QueryParameters() []string
}

// Verdict is what a Scheme made of a request.
type Verdict struct {
	// Principal is who calls; nil unless the credential is good.
	Principal *exchange.Principal
	// Found says that the request carries a credential of the scheme's kind,
	// good or bad. Without, the next authorizer is asked.
	Found bool
	// Foreign says of a credential that was found, and is not good, that by its
	// own word it is somebody else's: the next authorizer is asked for it.
	Foreign bool
	// Expired says of a credential that was found that its time is over.
	Expired bool
	// Reason says in one or two words, one of few, why there is no
	// Principal: "expired", "wrong-audience".
	Reason string
	// Detail says it exactly, for log and trail, and holds nothing of the
	// credential.
	Detail string
	// Status is 401 where 0; 403 for a good credential that must not be used
	// like this, and for kinds that are refused so; 503 where nobody can tell
	// now.
	Status int
	// Type and Message are what the client is told; "" for what is usual with
	// Status.
	Type, Message string
	// Body is why the request's body could not be read, where the credential
	// covers it: the client is told that alone.
	Body error
	// Retry is when to ask again, with 503.
	Retry time.Duration
}

// Good returns the verdict on a good credential.
func Good(p *exchange.Principal) Verdict { return Verdict{Principal: p, Found: true} }

// Bad returns the verdict on a bad one.
func Bad(reason, detail string) Verdict { return Verdict{Found: true, Reason: reason, Detail: detail} }

// Expired returns the verdict on one whose time is over.
func Expired(detail string) Verdict {
	return Verdict{Found: true, Expired: true, Reason: "expired", Detail: detail}
}

// Foreign returns the verdict on one that by its own word is somebody else's.
func Foreign(reason, detail string) Verdict {
	return Verdict{Found: true, Foreign: true, Reason: reason, Detail: detail}
}

// CrossOrigin reports a request by which a page of another web site makes the
// browser change something here, as far as browsers tell: by Sec-Fetch-Site
// and, where they do not send it, by Origin. Requests of other programs, which
// send neither, are none. It matters for credentials that browsers add of
// themselves: cookies. Allowed are further origins whose pages may.
func CrossOrigin(r *http.Request, allowed []string) bool {
	if isSafe(r) {
		return false
	}
	origin := strings.ToLower(r.Header.Get("Origin"))
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		if origin == "" {
			return false
		}
		if isOwn(origin, r) {
			return false
		}
	}
	return !slices.Contains(allowed, origin)
}

// isOwn reports whether an origin is that of the request itself. A page that came
// over http, where anybody on the way can change it, is no page of an https site;
// the edge says which the request came by.
func isOwn(origin string, r *http.Request) bool {
	scheme, host, ok := strings.Cut(origin, "://")
	if scheme == "http" && r.Header.Get("X-Forwarded-Proto") == "https" {
		return false
	}
	return ok && host == strings.ToLower(r.Host)
}

// isSafe reports a request that changes nothing (RFC 9110 section 9.2.1). A
// WebSocket's handshake is a GET, but what follows is not.
func isSafe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header.Get("Upgrade") == ""
	}
	return false
}
