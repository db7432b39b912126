package oidc

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// ServeHTTP answers under the authorizer's own path.
func (a *Authorizer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	last := x.Path.Segments[len(x.Path.Segments)-1]
	switch {
	case last == callback && r.Method == http.MethodGet:
		a.callback(w, x, r)
	case last == logout && (r.Method == http.MethodGet || r.Method == http.MethodPost):
		a.logout(w, x, r)
	case last == backchannel && r.Method == http.MethodPost:
		a.backchannel(w, x, r)
	default:
		exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusMethodNotAllowed, Rule: a.rule, Reason: "no-method", Header: http.Header{"Allow": {allowed(last)}}})
	}
}

func allowed(action string) string {
	return map[string]string{callback: "GET", logout: "GET, POST", backchannel: "POST"}[action]
}

// logout ends the browser's session, here and at the provider (OpenID Connect
// RP-Initiated Logout 1.0). Another web site's page cannot have it done.
func (a *Authorizer) logout(w http.ResponseWriter, x *exchange.Exchange, r *http.Request) {
	asked := r.Clone(r.Context())
	asked.Method = http.MethodPost // a GET too changes something here
	if site := r.Header.Get("Sec-Fetch-Site"); scheme.CrossOrigin(asked, a.origins) && site != "" || site == "" && r.Method == http.MethodPost && !scheme.SameOrigin(asked, a.origins) {
		a.refuse(w, r, http.StatusForbidden, "cross-origin", "a page of another web site asks for a logout")
		return
	}
	s, _ := a.find(r, x.Start)
	for _, name := range a.own(r) {
		w.Header().Add("Set-Cookie", cookie(name, "", 0))
	}
	back := "https://" + r.Host + a.logoutTo
	x.Trail.Add(a.rule, exchange.Answered, "logged out")
	if s == nil {
		to(w, a.logoutTo, nil)
		return
	}
	if err := a.revoke(s.keys[0], time.Now()); err != nil {
		x.Trail.Add(a.rule, exchange.Failed, "the logout holds here alone as yet: "+err.Error())
	}
	d, err := a.provider.Document()
	if err != nil || d.EndSession == "" {
		to(w, a.logoutTo, nil)
		return
	}
	to(w, d.EndSession, url.Values{"client_id": {a.clientID}, "id_token_hint": {s.Token}, "post_logout_redirect_uri": {back}})
}

// own returns the cookies of the authorizer that a request carries.
func (a *Authorizer) own(r *http.Request) (names []string) {
	for i := range maxChunks {
		names = append(names, a.chunk(i))
	}
	for i := range slots {
		names = append(names, a.slot(i))
	}
	names = append(names, a.just())
	var there []string
	for _, name := range names {
		if has(r, name) {
			there = append(there, name)
		}
	}
	return there
}

// event is what a logout token says that it is.
const event = "http://schemas.openid.net/event/backchannel-logout"

const maxLogout = 32 << 10

// backchannel ends sessions by the provider's word (OpenID Connect Back-Channel
// Logout 1.0 section 2.5).
func (a *Authorizer) backchannel(w http.ResponseWriter, x *exchange.Exchange, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLogout))
	if err != nil {
		exchange.Refuse(w, r, exchange.BodyRefusal(a.rule, err))
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		a.refuse(w, r, http.StatusBadRequest, "logout-token", "the form has no logout_token, or several")
		return
	}
	subject, sid, why := a.readLogout(form.Get("logout_token"), x.Start)
	if why.Found {
		status := http.StatusBadRequest
		if why.Status == http.StatusServiceUnavailable {
			status = why.Status
		}
		a.refuse(w, r, status, "logout-token", "the logout token: "+why.Detail)
		return
	}
	key := a.subjectKey(subject)
	if sid != "" {
		key = a.sidKey(sid)
	}
	if err := a.revoke(key, time.Now()); err != nil {
		// It holds here; that the provider tries again brings it to the others.
		a.refuse(w, r, http.StatusServiceUnavailable, "logout-not-stored", "the logout holds here alone as yet: "+err.Error())
		return
	}
	x.Trail.Add(a.rule, exchange.Answered, "the provider logged a person out")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// readLogout judges a logout token (section 2.6).
func (a *Authorizer) readLogout(text string, now time.Time) (subject, sid string, bad scheme.Verdict) {
	claims, bad := a.tokens.Claims(text, true, now)
	if bad.Found {
		return "", "", bad
	}
	events, _ := claims["events"].(map[string]any)
	if _, is := events[event].(map[string]any); !is {
		return "", "", scheme.Bad("malformed", "it does not say to be one (events)")
	}
	if _, is := claims["nonce"]; is {
		return "", "", scheme.Bad("malformed", "it has a nonce, as ID tokens have")
	}
	if _, is := claims["jti"].(string); !is {
		return "", "", scheme.Bad("malformed", "it has no name of its own (jti)")
	}
	if _, is := claims["iat"]; !is {
		return "", "", scheme.Bad("malformed", "it does not say when it was made (iat)")
	}
	subject, _ = claims["sub"].(string)
	sid, _ = claims["sid"].(string)
	if subject == "" && sid == "" {
		return "", "", scheme.Bad("malformed", "it names neither a person (sub) nor a session (sid)")
	}
	return subject, sid, bad
}
