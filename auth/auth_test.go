package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/auth/devkey"
	"gatehouse/auth/jwt"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam"
)

// site is what the tests need of a gateway: authorizers by a configuration, and
// the development key that signs for them.
type site struct {
	key         *devkey.Key
	authorizers map[string]*Authorizer
}

type document struct {
	config.At
	Authorizers map[string]*Config `yaml:"authorizers"`
}

const usual = `
authorizers:
  customers: {jwt: {issuer: i, audience: shop, jwks: development, from: [header.Authorization, cookie.session], login: "https://login.shop.test/?app=shop"}}
  partners: {jwt: {issuer: i, audience: bank, jwks: development, from: header.X-Partner}}
  links: {jwt: {issuer: i, audience: links, jwks: development, from: query.token, login: /login}}
  others: {jwt: {issuer: other, audience: bank, jwks: development, from: [header.Authorization, cookie.session]}}
  away: {jwt: {issuer: i, audience: shop, jwks: "https://login.test/jwks.json", login: /login}}
`

func newSite(t *testing.T, text string) *site {
	t.Helper()
	var d document
	if _, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{}); err != nil {
		t.Fatal(err)
	}
	key, err := devkey.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	keeper := NewKeeper(Options{
		Fetch: func(*x509.CertPool) Fetch {
			return func(context.Context, string) ([]byte, http.Header, error) {
				return nil, nil, errors.New("connection refused")
			}
		},
		Development: func() ([]byte, error) { return key.JWKS(), nil },
		Client:      func(*x509.CertPool, bool) *http.Client { return &http.Client{Transport: &http.Transport{}} },
		Sessions:    iam.NewSealer([32]byte{}),
		Log:         slog.New(slog.DiscardHandler),
	})
	t.Cleanup(keeper.Close)
	s := &site{key: key, authorizers: make(map[string]*Authorizer)}
	lease := keeper.Begin()
	defer lease.Commit()
	for name, c := range d.Authorizers {
		if s.authorizers[name], err = lease.Authorizer("shop", c, iam.Compile(nil, "123456789012", "local", nil)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *site) token(t *testing.T, audience string, lifetime time.Duration) string {
	t.Helper()
	return s.issue(t, "i", audience, lifetime)
}

func (s *site) issue(t *testing.T, issuer, audience string, lifetime time.Duration) string {
	t.Helper()
	token, err := s.key.Sign(devkey.Claims{Issuer: issuer, Audience: []string{audience}, Subject: "ann", Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type answer struct {
	*httptest.ResponseRecorder
	x         *exchange.Exchange
	principal *exchange.Principal
	served    bool
}

// ask sends a request through the filter of the named authorizers.
func (s *site) ask(t *testing.T, names string, r *http.Request) answer {
	t.Helper()
	var authorizers []*Authorizer
	for name := range strings.FieldsSeq(names) {
		authorizers = append(authorizers, s.authorizers[name])
	}
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	chain := New(authorizers, nothing{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.served, a.principal = true, exchange.From(r).Principal
	}))
	x, r := exchange.Begin(a, r, &exchange.Conn{TLS: true}, nil)
	if err := x.Path.Parse(r.RequestURI); err != nil {
		t.Fatal(err)
	}
	chain.ServeHTTP(&x.Writer, r)
	x.Finish()
	a.x = x
	return a
}

func get(target string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	r.Host = "api.shop.test"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestNothingToDo(t *testing.T) {
	if New(nil, nothing{}) != nil {
		t.Error("a filter without authorizers")
	}
}

// The first authorizer whose credential is present decides; a bad one is
// final.
func TestSeveralAuthorizers(t *testing.T) {
	s := newSite(t, usual)
	shop, bank := s.token(t, "shop", time.Hour), s.token(t, "bank", time.Hour)
	for _, tc := range []struct {
		name, authorizers string
		header            []string
		status            int
		decider, reason   string
	}{
		{"the first", "customers partners", []string{"Authorization", "Bearer " + shop}, 200, "customers (jwt)", ""},
		{"the second", "customers partners", []string{"X-Partner", bank}, 200, "partners (jwt)", ""},
		{"both good: the first in the list", "partners customers", []string{"Authorization", "Bearer " + shop, "X-Partner", bank}, 200, "partners (jwt)", ""},
		{"the first bad, the second good", "customers partners", []string{"Authorization", "Bearer " + bank, "X-Partner", bank}, 401, "customers (jwt)", "wrong-audience"},
		{"the first good, the second bad", "customers partners", []string{"Authorization", "Bearer " + shop, "X-Partner", "x"}, 200, "customers (jwt)", ""},
		{"the second's credential in the first's place", "customers partners", []string{"Authorization", "Bearer " + bank}, 401, "customers (jwt)", "wrong-audience"},
		{"none", "customers partners", nil, 401, "customers (jwt), partners (jwt)", "no-credential"},
		{"another scheme", "customers partners", []string{"Authorization", "Basic YTpi"}, 401, "customers (jwt), partners (jwt)", "no-credential"},
		{"one that is not asked", "partners", []string{"Authorization", "Bearer " + shop}, 401, "partners (jwt)", "no-credential"},
	} {
		a := s.ask(t, tc.authorizers, get("/orders", tc.header...))
		last := a.x.Trail.Steps()[len(a.x.Trail.Steps())-1]
		if a.Code != tc.status || a.served != (tc.status == 200) || last.Rule.Name != tc.decider || last.Rule.Filter != "auth" {
			t.Errorf("%s: got %d by %s", tc.name, a.Code, last.Rule.Name)
		}
		if tc.status == 200 {
			if a.principal == nil || a.principal.ID != "jwt:i|ann" || last.Decision != exchange.Allowed {
				t.Errorf("%s: principal %+v, %v", tc.name, a.principal, last.Decision)
			}
		} else if a.x.Principal != nil || a.x.Refused == nil || a.x.Refused.Reason != tc.reason || last.Decision != exchange.Denied {
			t.Errorf("%s: principal %+v, refusal %+v", tc.name, a.x.Principal, a.x.Refused)
		}
	}
}

// Two issuers in the same places: the token says whose it is, and that one's
// word is final.
func TestSeveralIssuers(t *testing.T) {
	s := newSite(t, usual)
	shop, bank := s.token(t, "shop", time.Hour), s.issue(t, "other", "bank", time.Hour)
	late, nobodys := s.issue(t, "other", "bank", -time.Hour), s.issue(t, "nobody", "shop", time.Hour)
	for _, tc := range []struct {
		name            string
		header          []string
		who             string
		decider, reason string
	}{
		{"the first's", []string{"Authorization", "Bearer " + shop}, "jwt:i|ann", "customers (jwt)", ""},
		{"the second's", []string{"Authorization", "Bearer " + bank}, "jwt:other|ann", "others (jwt)", ""},
		{"the second's, expired", []string{"Authorization", "Bearer " + late}, "", "others (jwt)", "expired"},
		{"nobody's", []string{"Authorization", "Bearer " + nobodys}, "", "customers (jwt)", "wrong-issuer"},
		{"the second's, in the cookie", []string{"Cookie", "session=" + bank}, "jwt:other|ann", "others (jwt)", ""},
		{"nobody's, and a good cookie that is not looked at", []string{"Authorization", "Bearer " + nobodys, "Cookie", "session=" + shop}, "", "customers (jwt)", "wrong-issuer"},
		{"the second's, expired, and a good cookie of the first", []string{"Authorization", "Bearer " + late, "Cookie", "session=" + shop}, "", "others (jwt)", "expired"},
		{"of no issuer", []string{"Authorization", "Bearer x.y.z"}, "", "customers (jwt)", "malformed"},
	} {
		for range 2 { // verified, then remembered
			a := s.ask(t, "customers others", get("/orders", tc.header...))
			last := a.x.Trail.Steps()[len(a.x.Trail.Steps())-1]
			who, reason := "", ""
			if a.principal != nil {
				who = a.principal.ID
			}
			if a.x.Refused != nil {
				reason = a.x.Refused.Reason
			}
			if who != tc.who || a.served != (who != "") || reason != tc.reason || last.Rule.Name != tc.decider {
				t.Errorf("%s: %d for %q by %s: %s", tc.name, a.Code, who, last.Rule.Name, reason)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	s := newSite(t, usual)
	expired := s.token(t, "shop", -5*time.Minute)
	for _, tc := range []struct {
		name      string
		header    []string
		challenge string
		detail    string
	}{
		{"nothing", nil, `Bearer realm="shop"`, "the request carries no credential"},
		{"expired", []string{"Authorization", "Bearer " + expired}, `Bearer realm="shop", error="invalid_token"`, "the token expired 5m0s ago"},
		{"garbage", []string{"Authorization", "Bearer garbage"}, `Bearer realm="shop", error="invalid_token"`, "the token is not three parts joined by dots"},
	} {
		a := s.ask(t, "customers", get("/orders", tc.header...))
		if a.Code != 401 || a.Header().Get("WWW-Authenticate") != tc.challenge || strings.TrimSpace(a.Body.String()) != `{"message":"Unauthorized"}` {
			t.Errorf("%s: %d %v %s", tc.name, a.Code, a.Header(), a.Body)
		}
		// Seconds may pass.
		if got := strings.Replace(a.x.Refused.Detail, "5m1s", "5m0s", 1); got != tc.detail {
			t.Errorf("%s: trail %q, want %q", tc.name, got, tc.detail)
		}
		for _, value := range a.Header() {
			if strings.Contains(strings.Join(value, " "), "expired") {
				t.Errorf("%s: the client is told why: %v", tc.name, a.Header())
			}
		}
	}
	a := s.ask(t, "away", get("/orders", "Authorization", "Bearer "+expired, "Accept", "text/html"))
	if a.Code != 503 || a.Header().Get("Retry-After") != "5" || a.Header().Get("WWW-Authenticate") != "" || a.x.Refused.Reason != "no-keys" {
		t.Errorf("keys away: %d %v", a.Code, a.Header())
	}
	post := get("/orders", "Cookie", "session="+s.token(t, "shop", time.Hour), "Sec-Fetch-Site", "cross-site", "Accept", "text/html")
	post.Method = "POST"
	if a := s.ask(t, "customers", post); a.Code != 403 || a.Header().Get("WWW-Authenticate") != "" || a.x.Refused.Reason != "cross-origin" {
		t.Errorf("cross-origin: %d %v", a.Code, a.Header())
	}
}

// The credential ends here, from all places where it may stand, unless it is asked
// for.
func TestCredentialEnds(t *testing.T) {
	s := newSite(t, strings.Replace(usual, "  partners:", "  kept: {forward-credential: true, jwt: {issuer: i, audience: shop, jwks: development}}\n  partners:", 1))
	for name, want := range map[string]string{"customers": "a=b", "kept": "a=b; session=other Bearer"} {
		r := get("/orders", "Authorization", "Bearer "+s.token(t, "shop", time.Hour), "Cookie", "a=b; session=other")
		a := s.ask(t, name, r)
		kept, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if got := strings.TrimSpace(r.Header.Get("Cookie") + " " + kept); a.Code != 200 || got != want {
			t.Errorf("%s: %d %q", name, a.Code, got)
		}
	}
}

// A development key that cannot be had is an error of the reload, and changes
// nothing.
func TestDevelopmentKeyMissing(t *testing.T) {
	keeper := NewKeeper(Options{Log: slog.New(slog.DiscardHandler), Development: func() ([]byte, error) {
		key, err := devkey.Open(filepath.Join(os.DevNull, "data"))
		if err != nil {
			return nil, err
		}
		return key.JWKS(), nil
	}})
	defer keeper.Close()
	lease := keeper.Begin()
	_, err := lease.Authorizer("shop", &Config{Name: "a", JWT: &jwt.Config{JWKS: jwt.Source{Kind: jwt.DevelopmentSource}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "development key") {
		t.Errorf("got %v", err)
	}
	lease.Abort()
	if len(keeper.Keys()) != 0 {
		t.Error("keys are fetched")
	}
}

// nothing is revoked.
type nothing struct{}

func (nothing) Unknown() bool                      { return false }
func (nothing) Revoked(*exchange.Principal) string { return "" }
