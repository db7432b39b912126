package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The gateway as the provider knows it; the secret is for the example alone.
const (
	clientID     = "shop"
	clientSecret = "open-sesame-for-the-example"
	codeTime     = time.Minute
)

// whoPage asks who it is; its form goes to its own address.
const whoPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in to the shop</title><h1>Who are you?</h1>
<form method="post"><button name="user" value="alice">alice</button> <button name="user" value="bob">bob</button></form>
<p>An example: nobody needs a password here.</p></html>
`

// login is a small OpenID provider: authorization codes with PKCE, and ID tokens by a key
// that is made at the start. It remembers nobody: a logout has no session to end here.
type login struct {
	issuer string
	signer jose.Signer
	keys   jose.JSONWebKeySet
	codes  sync.Map // to grants, for codeTime
}

// grant is what a code stands for, once.
type grant struct{ user, redirect, challenge, nonce string }

func newLogin(issuer string) (*login, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private := jose.JSONWebKey{Key: key, KeyID: rand.Text(), Algorithm: "ES256", Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, nil)
	return &login{issuer: issuer, signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}}}, err
}

func (l *login) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /.well-known/openid-configuration", l.describe)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, l.keys) })
	mux.HandleFunc("/authorize", l.authorize)
	mux.HandleFunc("POST /token", l.token)
	mux.HandleFunc("/logout", l.logout)
	return mux
}

func (l *login) describe(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{
		"issuer": l.issuer, "authorization_endpoint": l.issuer + "/authorize", "token_endpoint": l.issuer + "/token",
		"jwks_uri": l.issuer + "/keys", "end_session_endpoint": l.issuer + "/logout",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}, "authorization_response_iss_parameter_supported": true,
	})
}

// authorize asks who it is, and sends them back with a code once they have said so.
func (l *login) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect, user := q.Get("redirect_uri"), r.PostFormValue("user")
	if q.Get("client_id") != clientID || !registered(redirect, "/_auth/callback") {
		problem(w, http.StatusBadRequest, "no client of that client_id and redirect_uri is registered")
		return
	}
	answer := url.Values{"state": {q.Get("state")}, "iss": {l.issuer}}
	switch {
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		answer.Set("error", "invalid_request")
	case user != "alice" && user != "bob":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Write([]byte(whoPage))
		return
	default:
		code := rand.Text()
		l.codes.Store(code, grant{user, redirect, q.Get("code_challenge"), q.Get("nonce")})
		time.AfterFunc(codeTime, func() { l.codes.Delete(code) })
		answer.Set("code", code)
	}
	http.Redirect(w, r, redirect+"?"+answer.Encode(), http.StatusSeeOther)
}

func registered(address, path string) bool {
	host, ok := strings.CutSuffix(address, path)
	return ok && (host == "https://localhost:8443" || host == "https://api.shop.test:8443")
}

// token gives an ID token for a code. The access token that goes with it opens nothing.
func (l *login) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	id, secret, _ := r.BasicAuth()
	taken, _ := l.codes.LoadAndDelete(r.PostFormValue("code"))
	g, good := taken.(grant)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case id != clientID || subtle.ConstantTimeCompare([]byte(secret), []byte(clientSecret)) != 1:
		w.Header().Set("WWW-Authenticate", "Basic")
		write(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	case r.PostFormValue("grant_type") != "authorization_code":
		write(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	case !good || r.PostFormValue("redirect_uri") != g.redirect || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge:
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now().Unix()
	token, err := jwt.Signed(l.signer).Claims(map[string]any{
		"iss": l.issuer, "aud": clientID, "sub": g.user, "email": g.user + "@shop.test", "nonce": g.nonce, "iat": now, "exp": now + 3600,
	}).Serialize()
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	write(w, http.StatusOK, map[string]any{"id_token": token, "access_token": rand.Text(), "token_type": "Bearer", "expires_in": 3600})
}

// logout sends people back to the shop.
func (l *login) logout(w http.ResponseWriter, r *http.Request) {
	back := r.FormValue("post_logout_redirect_uri")
	if !registered(back, "/public/") {
		problem(w, http.StatusBadRequest, "no client of that post_logout_redirect_uri is registered")
		return
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
