package oidc

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/auth/place"
	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// A login is under way in one of a few slots, each a cookie of its own: tabs log in
// side by side, and no browser gathers more cookies than that.
const (
	slots      = 4
	loginTime  = 10 * time.Minute
	loopTime   = 20 // seconds in which a login that has just ended is not begun anew
	maxReturn  = 2048
	randomSize = 32
)

// login is what the cookie of a login says.
type login struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // RFC 7636
	Return   string `json:"r"` // path and query
	Begin    int64  `json:"b"`
}

func (a *Authorizer) slot(i int) string { return a.name + "-login" + strconv.Itoa(i) }
func (a *Authorizer) just() string      { return a.name + "-just" }

// Start implements scheme.Starter.
func (a *Authorizer) Start(w http.ResponseWriter, x *exchange.Exchange, r *http.Request) bool {
	switch {
	case scheme.Proto(x, r) != "https":
		x.Trail.Add(a.rule, exchange.Failed, "a login needs https: its cookies are for that alone")
		return false
	case has(r, a.just()):
		x.Trail.Add(a.rule, exchange.Failed, "a login has just ended, and there is no session: the browser does not keep its cookie, or it was revoked")
		return false
	}
	d, err := a.provider.Document()
	if err != nil || d.Authorization == "" || d.Token == "" {
		a.refuse(w, r, http.StatusServiceUnavailable, "issuer-unreachable", problem(err, "the provider's description names no endpoints to log in at"))
		return true
	}
	l := login{State: random(), Nonce: random(), Verifier: random() + random(), Return: returnTo(x), Begin: x.Start.Unix()}
	i := a.free(r, x.Start)
	plain, _ := json.Marshal(l) // texts: never fails
	h := w.Header()
	h.Add("Set-Cookie", cookie(a.slot(i), a.ring.Seal(a.purpose+" login", plain), int(loginTime/time.Second)))
	sum := sha256.Sum256([]byte(l.Verifier))
	to(w, d.Authorization, url.Values{
		"response_type": {"code"}, "client_id": {a.clientID}, "redirect_uri": {a.address(x, r, callback)}, "scope": {a.scopes},
		"state": {strconv.Itoa(i) + "." + l.State}, "nonce": {l.Nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	})
	x.Trail.Add(a.rule, exchange.Answered, "sent to log in at "+a.issuer)
	return true
}

func random() string {
	b := make([]byte, randomSize)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// returnTo is where the person comes back to: path and query of what was asked for,
// on the same host whatever they hold.
func returnTo(x *exchange.Exchange) string {
	to := "/" + strings.TrimLeft(x.Path.Canonical(), "/")
	if query := x.Path.Query; query != "" && len(to)+len(query) < maxReturn {
		to += "?" + query
	}
	if len(to) > maxReturn {
		return "/"
	}
	return to
}

// address is the URL of an action on the host and stage that the request is for.
func (a *Authorizer) address(x *exchange.Exchange, r *http.Request, action string) string {
	stage := ""
	if x.Skip > 0 {
		stage = "/" + string(x.Path.AppendSegments(nil, 0, min(x.Skip, len(x.Path.Segments))))
	}
	return "https://" + r.Host + stage + a.path + "/" + action
}

// free returns a slot in which no login is under way, or else that of the oldest.
func (a *Authorizer) free(r *http.Request, now time.Time) (oldest int) {
	begin := now.Unix() + 1
	for i := range slots {
		l := a.under(r, i, now)
		if l == nil {
			return i
		}
		if l.Begin < begin {
			oldest, begin = i, l.Begin
		}
	}
	return oldest
}

// under returns the login that is under way in a slot; nil for none.
func (a *Authorizer) under(r *http.Request, slot int, now time.Time) *login {
	text, found, err := (&place.From{Place: "cookie", Name: a.slot(slot)}).Find(r, "")
	if !found || err != nil {
		return nil
	}
	plain, ok := a.ring.Open(a.purpose+" login", text)
	l := &login{}
	if !ok || json.Unmarshal(plain, l) != nil || now.Sub(time.Unix(l.Begin, 0)) > loginTime {
		return nil
	}
	return l
}

// to sends the browser elsewhere.
func to(w http.ResponseWriter, address string, with url.Values) {
	h := w.Header()
	if len(with) > 0 {
		mark := "?"
		if strings.Contains(address, "?") {
			mark = "&"
		}
		address += mark + with.Encode()
	}
	h.Set("Location", address)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
}

// callback takes the person back from the provider (OpenID Connect Core 1.0
// section 3.1.2.5).
func (a *Authorizer) callback(w http.ResponseWriter, x *exchange.Exchange, r *http.Request) {
	q, err := url.ParseQuery(x.Path.Query)
	if err != nil || len(q["state"]) != 1 || len(q["code"]) > 1 {
		a.refuse(w, r, http.StatusBadRequest, "login-state", "the address has no state, or several")
		return
	}
	at, state, _ := strings.Cut(q.Get("state"), ".")
	i, err := strconv.Atoi(at)
	var l *login
	if err == nil && i >= 0 && i < slots {
		l = a.under(r, i, x.Start)
	}
	if l == nil || subtle.ConstantTimeCompare([]byte(l.State), []byte(state)) != 1 {
		a.lost(w, x, r)
		return
	}
	w.Header().Add("Set-Cookie", cookie(a.slot(i), "", 0))
	if iss, sent := q["iss"]; sent && (len(iss) != 1 || iss[0] != a.issuer) { // RFC 9207
		a.refuse(w, r, http.StatusBadRequest, "wrong-issuer", "another issuer sent the person back (iss)")
		return
	}
	if problem := q.Get("error"); problem != "" {
		a.refuse(w, r, http.StatusForbidden, "login-refused", "the provider let nobody log in: "+clip(problem))
		return
	}
	a.redeem(w, x, r, l, q.Get("code"))
}

func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}

// lost answers who comes back from a login that this browser has not begun, or that
// another tab has ended: with a session there is nothing more to do.
func (a *Authorizer) lost(w http.ResponseWriter, x *exchange.Exchange, r *http.Request) {
	if s, _ := a.find(r, x.Start); s != nil && x.Start.Before(s.end()) && !a.isRevoked(s) {
		x.Trail.Add(a.rule, exchange.Answered, "logged in already")
		to(w, "/", nil)
		return
	}
	a.refuse(w, r, http.StatusBadRequest, "login-state", "no login of this browser is under way with this state: it took over 10 minutes, or cookies are refused")
}

// redeem exchanges the code for a session.
func (a *Authorizer) redeem(w http.ResponseWriter, x *exchange.Exchange, r *http.Request, l *login, code string) {
	if code == "" {
		a.refuse(w, r, http.StatusBadRequest, "login-state", "the address has no code")
		return
	}
	t, err := a.ask(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.address(x, r, callback)}, "code_verifier": {l.Verifier}})
	switch {
	case err != nil:
		a.refuse(w, r, http.StatusServiceUnavailable, "issuer-unreachable", err.Error())
		return
	case t.Problem != "":
		a.refuse(w, r, http.StatusForbidden, "login-refused", "the provider gives no tokens for the code: "+clip(t.Problem))
		return
	}
	claims, bad := a.tokens.Claims(t.ID, false, x.Start)
	if bad.Found {
		a.refuse(w, r, http.StatusForbidden, "login-token", "the ID token: "+bad.Detail)
		return
	}
	if why := a.judge(claims, l.Nonce); why != "" {
		a.refuse(w, r, http.StatusForbidden, "login-token", "the ID token "+why)
		return
	}
	s := a.begin(t, x.Start)
	if !a.fill(s) {
		a.refuse(w, r, http.StatusForbidden, "login-token", "the ID token has no subject (sub)")
		return
	}
	cookies := a.cookies(s, r)
	if cookies == nil {
		a.refuse(w, r, http.StatusInternalServerError, "login-size", "the provider's tokens are too long for cookies")
		return
	}
	h := w.Header()
	h["Set-Cookie"] = append(append(h["Set-Cookie"], cookies...), cookie(a.just(), "1", loopTime))
	x.Principal = s.principal
	x.Trail.Add(a.rule, exchange.Answered, "logged in")
	to(w, l.Return, nil)
}

// judge holds an ID token against the login that it is for.
func (a *Authorizer) judge(claims map[string]any, nonce string) string {
	if said, _ := claims["nonce"].(string); subtle.ConstantTimeCompare([]byte(said), []byte(nonce)) != 1 {
		return "is of another login (nonce)"
	}
	if azp, sent := claims["azp"]; sent && azp != a.clientID {
		return "was given to another client (azp)"
	}
	if all, several := claims["aud"].([]any); several && len(all) > 1 && claims["azp"] == nil {
		return "is for several, and does not say to whom it was given (azp)"
	}
	return ""
}

func (a *Authorizer) begin(t *tokens, now time.Time) *session {
	s := &session{ID: random(), Token: t.ID, Begin: now.Unix(), End: now.Add(a.ttl).Unix()}
	a.carry(s, t, now)
	return s
}

// carry notes in a session what tokens were given for it.
func (a *Authorizer) carry(s *session, t *tokens, now time.Time) {
	s.Refresh = t.Refresh
	if a.forward {
		s.Access = t.Access
	}
	lifetime := time.Duration(t.Lifetime) * time.Second
	if lifetime <= 0 {
		lifetime = usualLifetime
	}
	s.Expires = now.Add(max(lifetime, minLifetime)).Unix()
}

// How long tokens are good where the provider does not say, and at least: a session
// is not prolonged at every request.
const (
	usualLifetime = 5 * time.Minute
	minLifetime   = 90 * time.Second
)

func (a *Authorizer) refuse(w http.ResponseWriter, r *http.Request, status int, reason, detail string) {
	f := exchange.Refusal{Status: status, Rule: a.rule, Reason: reason, Detail: detail}
	if status == http.StatusServiceUnavailable {
		f.Retry = time.Second
	}
	if set := w.Header()["Set-Cookie"]; len(set) > 0 {
		f.Header = http.Header{"Set-Cookie": set}
	}
	exchange.Refuse(w, r, f)
}

func problem(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}
