package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// provider is a small OpenID provider with real keys: discovery, authorization
// codes with PKCE, tokens, refresh tokens that are good once, introspection, and
// logout at the front and the back.
type provider struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	key      *ecdsa.PrivateKey
	kid      int
	codes    map[string]url.Values // the authorization request of each
	refresh  map[string]string     // sid of refresh tokens that are good
	access   map[string]map[string]any
	user     string        // who logs in; "" has a page ask
	lifetime time.Duration // of what is given out
	change   func(claims map[string]any)
	describe func(map[string]any)
	down     bool

	asked     map[string]int // requests by path
	endedBack string         // where the last logout led
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{
		t: t, codes: make(map[string]url.Values), refresh: make(map[string]string), access: make(map[string]map[string]any), asked: make(map[string]int),
		lifetime: time.Hour, user: "ann",
	}
	p.rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("/keys", p.keys)
	mux.HandleFunc("/authorize", p.authorize)
	mux.HandleFunc("/token", p.token)
	mux.HandleFunc("/introspect", p.introspect)
	mux.HandleFunc("/logout", p.logout)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked[r.URL.Path]++
		if p.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = r.ParseForm()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// set changes the provider.
func (p *provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) times(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *provider) rotate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.key = key
	p.kid++
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	d := map[string]any{
		"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"introspection_endpoint": p.URL + "/introspect", "end_session_endpoint": p.URL + "/logout",
	}
	if p.describe != nil {
		p.describe(d)
	}
	answerJSON(w, d)
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: fmt.Sprint(p.kid), Algorithm: "ES256", Use: "sig"}}})
}

// sign signs claims as a token of a type.
func (p *provider) sign(kind string, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)).WithHeader("kid", fmt.Sprint(p.kid)))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	token, _ := signed.CompactSerialize()
	return token
}

// authorize lets the user in at once, or after a click where there is none yet.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.Form
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("nonce") == "" || !slices.Contains(strings.Fields(q.Get("scope")), "openid") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	user := p.user
	if user == "" {
		user = q.Get("user")
	}
	if user == "" {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>Log in</title><form><input name=user value=ann>`)
		for name := range q {
			fmt.Fprintf(w, `<input type=hidden name=%q value="%s">`, name, html.EscapeString(q.Get(name)))
		}
		fmt.Fprint(w, `<button id=go>Log in</button></form>`)
		return
	}
	code := rand.Text()
	q.Set("user", user)
	p.codes[code] = q
	answer := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	fail := func(what string) {
		w.WriteHeader(http.StatusBadRequest)
		answerJSON(w, map[string]string{"error": what})
	}
	id, secret, _ := r.BasicAuth()
	if id != "shop" || secret != "s3cret%2F" { // form-encoded, as RFC 6749 has it
		fail("invalid_client")
		return
	}
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		q := p.codes[r.Form.Get("code")]
		delete(p.codes, r.Form.Get("code"))
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if q == nil || base64.RawURLEncoding.EncodeToString(sum[:]) != q.Get("code_challenge") || r.Form.Get("redirect_uri") != q.Get("redirect_uri") {
			fail("invalid_grant")
			return
		}
		p.give(w, q.Get("user"), rand.Text(), q.Get("nonce"))
	case "refresh_token":
		who := p.refresh[r.Form.Get("refresh_token")]
		delete(p.refresh, r.Form.Get("refresh_token"))
		user, sid, ok := strings.Cut(who, " ")
		if !ok {
			fail("invalid_grant")
			return
		}
		p.give(w, user, sid, "")
	default:
		fail("unsupported_grant_type")
	}
}

func (p *provider) give(w http.ResponseWriter, user, sid, nonce string) {
	claims := map[string]any{
		"iss": p.URL, "aud": "shop", "sub": user, "sid": sid, "email": user + "@shop.test", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if p.change != nil {
		p.change(claims)
	}
	refresh, access := rand.Text(), rand.Text()
	p.refresh[refresh] = user + " " + sid
	p.access[access] = map[string]any{"active": true, "iss": p.URL, "sub": user, "scope": "orders.read", "aud": []string{"shop"}, "exp": time.Now().Add(time.Hour).Unix()}
	answerJSON(w, map[string]any{"id_token": p.sign("JWT", claims), "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": int(p.lifetime / time.Second)})
}

func (p *provider) introspect(w http.ResponseWriter, r *http.Request) {
	if id, secret, _ := r.BasicAuth(); id != "shop" || secret != "s3cret%2F" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if known := p.access[r.Form.Get("token")]; known != nil {
		answerJSON(w, known)
		return
	}
	answerJSON(w, map[string]any{"active": false})
}

func (p *provider) logout(w http.ResponseWriter, r *http.Request) {
	p.endedBack = r.Form.Get("post_logout_redirect_uri")
	if r.Form.Get("id_token_hint") == "" || r.Form.Get("client_id") != "shop" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, p.endedBack, http.StatusFound)
}

// logoutToken returns what tells the gateway that somebody was logged out.
func (p *provider) logoutToken(change func(map[string]any)) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	claims := map[string]any{
		"iss": p.URL, "aud": "shop", "sub": "ann", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	kind := "logout+jwt"
	if change != nil {
		change(claims)
	}
	if k, ok := claims["typ"].(string); ok {
		kind = k
		delete(claims, "typ")
	}
	return p.sign(kind, claims)
}
