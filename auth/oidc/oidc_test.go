package oidc

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/auth/devkey"
	"gatehouse/auth/introspection"
	"gatehouse/auth/jwt"
	"gatehouse/auth/revoked"
	"gatehouse/auth/scheme"
	"gatehouse/auth/seal"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/secrets"
	"gatehouse/state"
)

type document struct {
	config.At
	OIDC *Config `yaml:"oidc"`
}

func load(text string) (*Config, error) {
	var d document
	_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
	return d.OIDC, err
}

// site is an Authorizer with a provider that prolongs sessions.
type site struct {
	*Authorizer
	asked atomic.Int64
	reply atomic.Pointer[string] // of the token endpoint; "" for status 502
	key   *devkey.Key
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{}
	key, err := devkey.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.key = key
	server := httptest.NewServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/keys":
			_, _ = w.Write(key.JWKS())
		case "/token":
			s.asked.Add(1)
			reply := *s.reply.Load()
			if reply == "" {
				w.WriteHeader(http.StatusBadGateway)
			}
			_, _ = io.WriteString(w, reply)
		default:
			fmt.Fprintf(w, `{"issuer": %[1]q, "jwks_uri": "%[1]s/keys", "token_endpoint": "%[1]s/token", "authorization_endpoint": "%[1]s/authorize"}`, server.URL)
		}
	})
	t.Cleanup(server.Close)
	c, err := load(`oidc: {issuer: "` + server.URL + `", client-id: shop, client-secret: s}`)
	if err != nil {
		t.Fatal(err)
	}
	client := func(*x509.CertPool, bool) *http.Client { return server.Client() }
	foreign := func(*x509.CertPool, []netip.Prefix) *http.Client { return server.Client() }
	fetch := introspection.Fetching(server.Client())
	tokens := jwt.NewKeeper(jwt.Options{
		Fetch:   func(*x509.CertPool) jwt.Fetch { return fetch },
		Foreign: func(*x509.CertPool, []netip.Prefix) jwt.Fetch { return fetch }, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(tokens.Close)
	lease := tokens.Begin()
	verifier, err := lease.Verifier(c.Tokens())
	if err != nil {
		t.Fatal(err)
	}
	lease.Commit()
	folder := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	logouts := revoked.NewLogouts(state.New(state.Options{Log: log}), log)
	k := NewKeeper(introspection.Clients{Own: client, Foreign: foreign}, func() (*seal.Ring, error) { return seal.Open(secrets.NewFiles(folder)) }, logouts)
	t.Cleanup(k.Close)
	l := k.Begin()
	if s.Authorizer, err = l.Authorizer(c, "shop", "people", false, verifier); err != nil {
		t.Fatal(err)
	}
	l.Commit()
	s.answers(`{"access_token": "a", "refresh_token": "r2", "expires_in": 300}`)
	return s
}

func (s *site) answers(text string) { s.reply.Store(&text) }

// session returns the Cookie field of a session whose tokens are good for a while.
func (s *site) session(t testing.TB, good time.Duration) string {
	t.Helper()
	now := time.Now()
	claims := `{"sub": "ann", "sid": "s1", "email": "ann@shop.test", "n": 12345678901234567890}`
	in := &session{ID: random(), Token: "x." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x", Refresh: "r1", Begin: now.Unix(), End: now.Add(8 * time.Hour).Unix(), Expires: now.Add(good).Unix()}
	var pairs []string
	for _, c := range s.cookies(in, httptest.NewRequest("GET", "/", nil)) {
		pair, _, _ := strings.Cut(c, ";")
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, "; ")
}

// ask has a request judged that comes a while from now.
func (s *site) ask(cookie string, later time.Duration) (scheme.Verdict, http.Header) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://shop.test/orders", nil)
	r.Header.Set("Cookie", cookie)
	x, r := exchange.Begin(rec, r, &exchange.Conn{TLS: true}, nil)
	x.Start = x.Start.Add(later)
	v := s.Authenticate(x, r)
	x.Writer.WriteHeader(200)
	x.Finish()
	return v, rec.Header()
}

func TestRefresh(t *testing.T) {
	s := newSite(t)
	cookie := s.session(t, 5*time.Minute)
	if v, h := s.ask(cookie, 0); v.Principal == nil || v.Principal.Claims["email"] != "ann@shop.test" || len(h["Set-Cookie"]) != 0 || s.asked.Load() != 0 {
		t.Fatalf("%+v %v", v, h)
	}
	// In the last minute it is prolonged: once, for all tabs that come with the old one.
	var tabs sync.WaitGroup
	for range 10 {
		tabs.Go(func() {
			if v, h := s.ask(cookie, 4*time.Minute+30*time.Second); v.Principal == nil || len(h["Set-Cookie"]) != 1 {
				t.Errorf("%+v %v", v, h)
			}
		})
	}
	tabs.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("prolonged %d times", n)
	}
	_, h := s.ask(cookie, 4*time.Minute+30*time.Second)
	next, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
	if v, _ := s.ask(next, 0); v.Principal == nil || s.asked.Load() != 1 {
		t.Errorf("the new session: %+v", v)
	}
	for _, want := range []string{"; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(h.Get("Set-Cookie"), want) || !strings.HasPrefix(next, "__Host-gatehouse-people=1.") {
			t.Errorf("%s", h.Get("Set-Cookie"))
		}
	}

	// A provider that is away: the session holds as long as its tokens, and nobody waits
	// for each request.
	s.answers("")
	away := s.session(t, 5*time.Minute)
	before := s.asked.Load()
	for range 5 {
		if v, _ := s.ask(away, 4*time.Minute+30*time.Second); v.Principal == nil {
			t.Errorf("%+v", v)
		}
	}
	if v, _ := s.ask(away, 6*time.Minute); v.Status != 503 || s.asked.Load() != before+1 {
		t.Errorf("%+v, asked %d times", v, s.asked.Load()-before)
	}

	// One that says no ends it; so does one that speaks of somebody else.
	s.answers(`{"error": "invalid_grant"}`)
	if v, _ := s.ask(s.session(t, 5*time.Minute), 4*time.Minute+30*time.Second); v.Reason != "session-over" || v.Status != 0 {
		t.Errorf("%+v", v)
	}
	other, err := s.key.Sign(devkey.Claims{Issuer: s.issuer, Audience: []string{"shop"}, Subject: "eve", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.answers(`{"id_token": "` + other + `"}`)
	if v, _ := s.ask(s.session(t, 5*time.Minute), 4*time.Minute+30*time.Second); v.Reason != "session-over" {
		t.Errorf("%+v", v)
	}
	// And it ends by itself.
	if v, _ := s.ask(s.session(t, 9*time.Hour), 8*time.Hour+time.Minute); v.Reason != "session-over" {
		t.Errorf("%+v", v)
	}
}

func TestRevoked(t *testing.T) {
	s := newSite(t)
	cookie := s.session(t, time.Hour)
	_ = s.revoke(s.sidKey("other"), time.Now())
	if v, _ := s.ask(cookie, 0); v.Principal == nil {
		t.Errorf("%+v", v)
	}
	_ = s.revoke(s.subjectKey("ann"), time.Now().Add(-time.Hour)) // before it began
	if v, _ := s.ask(cookie, 0); v.Principal == nil {
		t.Errorf("%+v", v)
	}
	_ = s.revoke(s.sidKey("s1"), time.Now())
	if v, _ := s.ask(cookie, 0); v.Reason != "revoked" {
		t.Errorf("%+v", v)
	}
}

// A cookie is the session of its own authorizer alone.
func TestSessionOfAnother(t *testing.T) {
	s := newSite(t)
	cookie := s.session(t, time.Hour)
	other := *s.Authorizer
	other.purpose = "another"
	mine := s.Authorizer
	s.Authorizer = &other
	if v, _ := s.ask(cookie, 0); v.Reason != "no-session" {
		t.Errorf("%+v", v)
	}
	s.Authorizer = mine
	for _, bad := range []string{"=1.", "=x", "=2." + strings.Repeat("A", 100), "=0.AAAA", "=99.AAAA", "=1.AAAA; __Host-gatehouse-people=1.BBBB"} {
		if v, _ := s.ask("__Host-gatehouse-people"+bad, 0); v.Principal != nil || !v.Found || v.Status != 0 {
			t.Errorf("%s: %+v", bad, v)
		}
	}
}

func TestConfig(t *testing.T) {
	const good = `issuer: "https://login.test", client-id: shop, client-secret: s`
	for _, tc := range []struct{ text, want string }{
		{good, ""},
		{`issuer: login, client-id: shop, client-secret: s`, "https://HOST"},
		{`issuer: "http://login.test", client-id: shop, client-secret: s`, "over https"},
		{`issuer: "https://login.test", client-id: shop`, "client-secret or key"},
		{good + `, path: /`, "plain segments"}, {good + `, path: /a/`, "plain segments"}, {good + `, path: "/a/../b"`, "plain segments"}, {good + `, path: "/a b"`, "plain segments"},
		{good + `, logout-to: "https://evil.test"`, "same host"}, {good + `, logout-to: "//evil.test"`, "same host"},
		{good + `, scopes: ["a b"]`, "no scope"}, {good + `, ttl: 10s`, "1m"},
	} {
		_, err := load("oidc: {" + tc.text + "}")
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}

// FuzzCookies holds that no text of anybody's is a session.
func FuzzCookies(f *testing.F) {
	s := newSite(f)
	for _, seed := range []string{"1.AAAA", "2.", "-1.x", "1." + strings.Repeat("A", 200), "", ".", "9223372036854775808.x"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		r := &http.Request{Header: http.Header{"Cookie": {"__Host-gatehouse-people=" + one + "; __Host-gatehouse-people-1=" + two + "; __Host-gatehouse-people-login0=" + one}}}
		if found, _ := s.find(r, time.Now()); found != nil {
			t.Errorf("%q %q: a session", one, two)
		}
		if s.under(r, 0, time.Now()) != nil {
			t.Errorf("%q: a login", one)
		}
	})
}

// FuzzLogout holds that what is not signed logs nobody out.
func FuzzLogout(f *testing.F) {
	s := newSite(f)
	token, err := s.key.Sign(devkey.Claims{Issuer: s.issuer, Audience: []string{"shop"}, Subject: "ann", Lifetime: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{token, "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if subject, sid, bad := s.readLogout(text, time.Now()); !bad.Found || subject != "" || sid != "" {
			t.Errorf("%q logs %q %q out", text, subject, sid)
		}
	})
}

func BenchmarkSession(b *testing.B) {
	s := newSite(b)
	r := httptest.NewRequest("GET", "https://shop.test/orders", nil)
	r.Header.Set("Cookie", "theme=dark; "+s.session(b, time.Hour))
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if s.Authenticate(x, r).Principal == nil {
			b.Fatal()
		}
	}
}
