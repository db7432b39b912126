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
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/auth/devkey"
	"gatehouse/auth/jwt"
	"gatehouse/config"
	"gatehouse/exchange"
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
		Log:         slog.New(slog.DiscardHandler),
	})
	t.Cleanup(keeper.Close)
	s := &site{key: key, authorizers: make(map[string]*Authorizer)}
	lease := keeper.Begin()
	defer lease.Commit()
	for name, c := range d.Authorizers {
		if s.authorizers[name], err = lease.Authorizer("shop", c); err != nil {
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
	chain := New(authorizers)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	if New(nil) != nil {
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

// The credential stays in the request: the service behind may want it.
func TestCredentialStays(t *testing.T) {
	s := newSite(t, usual)
	r := get("/orders", "Authorization", "Bearer "+s.token(t, "shop", time.Hour))
	before := r.Header.Clone()
	if a := s.ask(t, "customers", r); a.Code != 200 || r.Header.Get("Authorization") != before.Get("Authorization") {
		t.Errorf("%d %v", a.Code, r.Header)
	}
}

// 302 only where a person sits.
func TestLoginIsForPeople(t *testing.T) {
	s := newSite(t, usual)
	const html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, tc := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"a browser", "GET", []string{"Accept", html, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 302},
		{"an older browser", "GET", []string{"Accept", html}, 302},
		{"in upper case", "GET", []string{"Accept", "TEXT/HTML"}, 302},
		{"with an expired cookie", "GET", []string{"Accept", html, "Cookie", "session=" + s.token(t, "shop", -time.Hour)}, 302},
		{"with an expired header", "GET", []string{"Accept", html, "Authorization", "Bearer " + s.token(t, "shop", -time.Hour)}, 302},
		{"with a good one", "GET", []string{"Accept", html, "Cookie", "session=" + s.token(t, "shop", time.Hour)}, 200},
		{"curl", "GET", []string{"Accept", "*/*"}, 401},
		{"a program without Accept", "GET", nil, 401},
		{"an API client", "GET", []string{"Accept", "application/json"}, 401},
		{"fetch of a page", "GET", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors"}, 401},
		{"fetch that says HTML", "GET", []string{"Accept", html, "Sec-Fetch-Mode", "cors"}, 401},
		{"fetch of the same origin", "GET", []string{"Accept", html, "Sec-Fetch-Mode", "same-origin"}, 401},
		{"an image", "GET", []string{"Accept", "image/webp,*/*", "Sec-Fetch-Mode", "no-cors"}, 401},
		{"XMLHttpRequest", "GET", []string{"Accept", html, "X-Requested-With", "XMLHttpRequest"}, 401},
		{"a form", "POST", []string{"Accept", html, "Sec-Fetch-Mode", "navigate"}, 401},
		{"HEAD", "HEAD", []string{"Accept", html}, 401},
		{"a WebSocket", "GET", []string{"Accept", html, "Upgrade", "websocket"}, 401},
		{"text/html-ish", "GET", []string{"Accept", "text/htmlx, text/*"}, 401},
	} {
		r := get("/orders/7?a=b", tc.header...)
		r.Method = tc.method
		a := s.ask(t, "partners customers", r)
		if a.Code != tc.status {
			t.Errorf("%s: got %d, want %d", tc.name, a.Code, tc.status)
		}
		if tc.status != 302 {
			if a.Header().Get("Location") != "" {
				t.Errorf("%s: sent to %s", tc.name, a.Header().Get("Location"))
			}
			continue
		}
		if got := a.Header().Get("Location"); got != "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2Forders%2F7%3Fa%3Db" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: sent to %s, %v", tc.name, got, a.Header())
		}
		steps := a.x.Trail.Steps()
		if len(steps) != 1 || steps[0].Decision != exchange.Answered || steps[0].Rule.Name != "customers (jwt)" || a.x.Refused != nil {
			t.Errorf("%s: trail %+v", tc.name, steps)
		}
	}
}

// What people come back to is on the host that they asked, whatever the path
// and the query say, and carries no credential.
func TestReturn(t *testing.T) {
	s := newSite(t, usual)
	long := strings.Repeat("x", maxReturn)
	for _, tc := range []struct{ authorizer, target, want string }{
		{"customers", "/", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2F"},
		{"customers", "/@evil.test/", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2F%40evil.test%2F"},
		{"customers", "//evil.test/x", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2F%2Fevil.test%2Fx"},
		{"customers", "/a%20b?return=https://evil.test&x=%0d%0a", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2Fa%2520b%3Freturn%3Dhttps%3A%2F%2Fevil.test%26x%3D%250d%250a"},
		{"customers", "/a?" + long, "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2Fa"},
		{"links", "//evil.test/x", "/login?return=%2Fevil.test%2Fx"},
		{"links", "////evil.test", "/login?return=%2Fevil.test"},
		{"links", `/%5Cevil.test/`, "/login?return=%2F%255Cevil.test%2F"},
		{"links", "/a?b=c&token=x&t%6Fken=y&d", "/login?return=%2Fa%3Fb%3Dc%26d"},
		{"links", "/a?token=x", "/login?return=%2Fa"},
	} {
		a := s.ask(t, tc.authorizer, get(tc.target, "Accept", "text/html"))
		if got := a.Header().Get("Location"); a.Code != 302 || got != tc.want {
			t.Errorf("%s %.40s: got %d\n%s, want\n%s", tc.authorizer, tc.target, a.Code, got, tc.want)
		}
	}
	if got := s.authorizers["links"].QueryParameters(); !slices.Equal(got, []string{"token"}) {
		t.Errorf("query parameters %v", got)
	}
}

// Behind a proxy that ends TLS people come back to https, by the word of the edge.
func TestReturnBehindProxy(t *testing.T) {
	s := newSite(t, usual)
	for proto, want := range map[string]string{"https": "https%3A", "http": "http%3A", "": "https%3A", "javascript": "https%3A"} {
		r := get("/a", "Accept", "text/html")
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		if got := s.ask(t, "customers", r).Header().Get("Location"); got != "https://login.shop.test/?app=shop&return="+want+"%2F%2Fapi.shop.test%2Fa" {
			t.Errorf("%q: %s", proto, got)
		}
	}
}

// A login that wants a credential itself would send people round in circles.
func TestLoginThatIsGuarded(t *testing.T) {
	s := newSite(t, usual+`
  here: {jwt: {issuer: i, audience: shop, jwks: development, login: "https://api.shop.test/sign/in?app=shop"}}
  root: {jwt: {issuer: i, audience: shop, jwks: development, login: "https://API.shop.test"}}
`)
	for _, tc := range []struct {
		authorizer, target string
		status             int
	}{
		{"links", "/login", 401}, {"links", "/login/", 401}, {"links", "/login?return=x", 401}, {"links", "/login/x", 302}, {"links", "/Login", 302}, {"links", "/", 302},
		{"here", "/sign/in", 401}, {"here", "/sign", 302}, {"here", "/", 302},
		{"root", "/", 401}, {"root", "/?a", 401}, {"root", "/a", 302},
		{"customers", "/", 302},
	} {
		a := s.ask(t, tc.authorizer, get(tc.target, "Accept", "text/html"))
		if a.Code != tc.status {
			t.Errorf("%s %s: %d, want %d", tc.authorizer, tc.target, a.Code, tc.status)
		}
		if steps := a.x.Trail.Steps(); a.Code == 401 && (len(steps) != 2 || !strings.Contains(steps[0].Detail, "authorize: none")) {
			t.Errorf("%s %s: the trail does not tell of the login: %+v", tc.authorizer, tc.target, steps)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"authorizers: {customers: {}}", "exactly one scheme"},
		{"authorizers: {customers: {jwt: null}}", "issuer"},
		{"authorizers: {customers: {iam: {}}}", `unknown key "iam"`},
		{"authorizers: {none: {jwt: {issuer: i, audience: a, jwks: development}}}", "no authorizer can be called none"},
	} {
		var d document
		_, err := config.LoadBytes("c.yaml", []byte(tc.text), &d, config.Options{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// An authorizer that could never decide is a mistake.
func TestCheckOrder(t *testing.T) {
	named := func(issuer string, from ...jwt.From) *Config {
		return &Config{JWT: &jwt.Config{Issuer: issuer, From: from}}
	}
	header, cookie := jwt.From{Place: "header", Name: "Authorization"}, jwt.From{Place: "cookie", Name: "session"}
	known := map[string]*Config{
		"a": named("i", header), "again": named("i", header), "both": named("i", header, cookie), "cookie": named("i", cookie), "other": named("j", header), "empty": {},
	}
	for list, want := range map[string]string{
		"a": "", "a other": "", "a both": "", "a cookie": "", "cookie both": "", "a empty": "", "a missing": "",
		"a again": "the authorizer again is never asked: a stands before it", "both a": "a is never asked: both", "other a both again": "again is never asked: a",
	} {
		var names []config.Name
		for name := range strings.FieldsSeq(list) {
			names = append(names, config.Name{Value: name})
		}
		var r config.Report
		CheckOrder(&r, names, known)
		got := ""
		if len(r.Problems()) > 0 {
			got = r.Problems()[0].Message
		}
		if !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}

func TestUsesDevelopmentKey(t *testing.T) {
	for _, tc := range []struct {
		kind jwt.SourceKind
		want bool
	}{{jwt.DevelopmentSource, true}, {jwt.URLSource, false}, {jwt.FileSource, false}} {
		c := &Config{JWT: &jwt.Config{JWKS: jwt.Source{Kind: tc.kind}}}
		if c.UsesDevelopmentKey() != tc.want {
			t.Errorf("%d: got %v", tc.kind, !tc.want)
		}
	}
	if (&Config{}).UsesDevelopmentKey() {
		t.Error("nothing uses nothing")
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
	_, err := lease.Authorizer("shop", &Config{Name: "a", JWT: &jwt.Config{JWKS: jwt.Source{Kind: jwt.DevelopmentSource}}})
	if err == nil || !strings.Contains(err.Error(), "development key") {
		t.Errorf("got %v", err)
	}
	lease.Abort()
	if len(keeper.Keys()) != 0 {
		t.Error("keys are fetched")
	}
}
