package identity

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/secrets"
)

type document struct {
	config.At
	Identity *Config `yaml:"identity"`
}

func load(text string) (*Config, error) {
	var d document
	_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
	return d.Identity, err
}

func told(t testing.TB, c *Config, key *Keys, p *exchange.Principal, sent http.Header) http.Header {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	for name, values := range sent {
		r.Header[name] = values
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	x.Principal = p
	New(c, key)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(&x.Writer, r)
	return r.Header
}

func caller(claims map[string]any) *exchange.Principal {
	p := exchange.NewPrincipal("jwt", "https://login.test", "ann")
	p.Scopes, p.Claims = []string{"a", "b"}, claims
	return p
}

func TestHeaders(t *testing.T) {
	c, err := load(`identity: {headers: {x-user: principal.subject, x-id: principal.id, x-scopes: scopes, X-Email: claims.email, x-roles: claims.realm.roles, x-n: claims.n}}`)
	if err != nil {
		t.Fatal(err)
	}
	forged := http.Header{"X-User": {"eve"}, "X_user": {"eve"}, "x-email": {"eve"}, "X_EMAIL": {"eve"}, "X.Email": {"eve"}, "X-Roles": {"admin"}, "X-N": {"1"}, "X-Other": {"stays"}}
	for _, tc := range []struct {
		name   string
		claims map[string]any
		want   map[string]string
	}{
		{"all", map[string]any{"email": "ann@shop.test", "realm": map[string]any{"roles": []any{"reader", "buyer"}}, "n": json.Number("12345678901234567890")},
			map[string]string{"X-User": "ann", "X-Id": "jwt:https://login.test|ann", "X-Scopes": "a b", "X-Email": "ann@shop.test", "X-Roles": "reader,buyer", "X-N": "12345678901234567890"}},
		{"little", nil, map[string]string{"X-User": "ann", "X-Email": "", "X-Roles": "", "X-N": ""}},
		{"what no header holds", map[string]any{"email": "a\r\nx-admin: 1", "n": " 1"}, map[string]string{"X-User": "ann", "X-Email": "", "X-N": "", "X-Admin": ""}},
		{"a list that could be read as another", map[string]any{"realm": map[string]any{"roles": []any{"reader,admin"}}}, map[string]string{"X-Roles": `["reader,admin"]`}},
		{"too long", map[string]any{"email": strings.Repeat("x", maxValue+1)}, map[string]string{"X-Email": ""}},
	} {
		h := told(t, c, nil, caller(tc.claims), forged)
		for name, want := range tc.want {
			if got := strings.Join(h[name], "|"); got != want {
				t.Errorf("%s: %s is %q, want %q", tc.name, name, got, want)
			}
		}
		left := map[string][]string(h)
		if len(left["X_user"])+len(left["X_EMAIL"])+len(left["x-email"])+len(left["X.Email"]) != 0 || h.Get("X-Other") != "stays" {
			t.Errorf("%s: %v", tc.name, h)
		}
	}
	for name := range told(t, c, nil, nil, forged) { // nobody calls
		if name != "X-Other" {
			t.Errorf("%s is left for nobody's", name)
		}
	}
	if New(nil, nil) != nil || New(&Config{}, nil) != nil {
		t.Error("a filter that tells nothing")
	}
}

func TestToken(t *testing.T) {
	c, err := load(`identity: {token: {audience: orders, claims: [email]}}`)
	if err != nil {
		t.Fatal(err)
	}
	key, err := OpenKeys(secrets.NewFiles(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	p := caller(map[string]any{"email": "ann@shop.test", "secret": "x"})
	chain := New(c, key)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).(*filter)
	one, _ := chain.token.of(p, time.Now())
	two, _ := chain.token.of(p, time.Now())
	other, _ := chain.token.of(caller(nil), time.Now())
	if one != two || one == other {
		t.Error("not the same token for the same caller alone")
	}
	if later, _ := chain.token.of(p, time.Now().Add(31*time.Second)); later == one {
		t.Error("the same token for over half of its time")
	}
	h := told(t, c, key, p, http.Header{"X-Gatehouse-Identity": {"forged"}})
	parts := strings.Split(h.Get("X-Gatehouse-Identity"), ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	_ = json.Unmarshal(payload, &claims)
	if claims["sub"] != "ann" || claims["principal"] != p.ID || claims["email"] != "ann@shop.test" || claims["secret"] != nil || claims["scope"] != "a b" || claims["iss"] != Issuer || claims["exp"].(float64)-claims["iat"].(float64) != 60 {
		t.Errorf("%s", payload)
	}
}

func TestOver(t *testing.T) {
	base, _ := load(`identity: {headers: {x-user: principal.subject, x-a: scopes}, token: {audience: a}}`)
	route, _ := load(`identity: {headers: {x-a: principal.id}}`)
	got := route.Over(base)
	if len(got.Headers) != 2 || got.Headers["x-a"].What != "principal.id" || got.Token == nil || len(base.Headers) != 2 || base.Headers["x-a"].What != "scopes" {
		t.Errorf("%+v", got)
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"{headers: {x-a: principle.id}}", `unknown knowledge of the caller`}, {"{headers: {x-a: claims.}}", "unknown"}, {"{headers: {'x a': scopes}}", "name"},
		{"{headers: {host: scopes}}", "something else"}, {"{token: {audience: a, header: cookie}}", "something else"}, {"{headers: {x-a: scopes}, token: {audience: a, header: X-A}}", "under headers too"},
		{"{token: {}}", "audience"}, {"{token: {audience: a, ttl: 2h}}", "1h"}, {"{token: {audience: a, jwks: 'x y'}}", "a path"},
	} {
		if _, err := load("identity: " + tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}

func BenchmarkTell(b *testing.B) {
	c, _ := load(`identity: {headers: {x-user: principal.subject, x-email: claims.email}, token: {audience: orders}}`)
	key, err := OpenKeys(secrets.NewFiles(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	chain := New(c, key)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).(*filter)
	r := httptest.NewRequest("GET", "/", nil)
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	p := caller(map[string]any{"email": "ann@shop.test"})
	b.ReportAllocs()
	for b.Loop() {
		chain.claim(r.Header)
		chain.tell(x, r, p)
	}
}

func BenchmarkSign(b *testing.B) {
	c, _ := load(`identity: {token: {audience: orders}}`)
	key, err := OpenKeys(secrets.NewFiles(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	chain := New(c, key)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).(*filter)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := chain.token.of(caller(nil), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
