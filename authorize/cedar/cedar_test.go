package cedar

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

type document struct {
	config.At
	Cedar *Config `yaml:"cedar"`
}

const shop = `
@id("readers")
permit (principal, action in Action::"read", resource)
when { principal.scopes.contains("orders.read") };

@id("own")
permit (principal, action == Action::"DELETE /customers/{id}", resource)
when { principal.subject == context.parameters.id };

@id("staff")
permit (principal in Group::"staff", action, resource in API::"shop");

@id("office")
forbid (principal, action in Action::"write", resource)
unless { context.source.isInRange(ip("10.0.0.0/8")) };

@id("large")
forbid (principal, action == Action::"POST /orders", resource)
when { context has body && context.body has amount && context.body.amount > 1000 && !(principal.claims has level && principal.claims.level > 3) };
`

const usual = `{policies: p.cedar, claims: {level: long, email: string}, groups: groups, body: {amount: long}}`

func actions() []Action {
	return []Action{
		{Name: "GET /orders/{id}", Params: []string{"id"}, Reads: true}, {Name: "POST /orders", Writes: true},
		{Name: "DELETE /customers/{id}", Params: []string{"id"}, Writes: true}, {Name: "ANY /files/{proxy*}", Params: []string{"proxy"}},
	}
}

func compile(t testing.TB, text, policies string) (*Policies, []config.Problem) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.cedar"), []byte(policies), 0o600); err != nil {
		t.Fatal(err)
	}
	var d document
	if _, err := config.LoadBytes(filepath.Join(dir, "c.yaml"), []byte("cedar: "+text), &d, config.Options{}); err != nil {
		t.Fatal(err)
	}
	var report config.Report
	return Compile(d.Cedar, "shop", actions(), &report), report.Problems()
}

func request(route, target, from, body string, who *exchange.Principal, params ...exchange.Param) (*exchange.Exchange, *http.Request) {
	method, _, _ := strings.Cut(route, " ")
	if method == "ANY" {
		method = "GET"
	}
	r := httptest.NewRequest(method, "https://shop.test"+target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, exchange.NewBudget(1<<20))
	_ = x.Path.Parse(target)
	x.API, x.Stage, x.Route, x.Host, x.Client, x.Principal, x.Params = "shop", "prod", route, "shop.test", netip.MustParseAddr(from), who, params
	return x, r
}

func caller(scopes string, claims map[string]any) *exchange.Principal {
	p := exchange.NewPrincipal("jwt", "https://login.test", "ann")
	p.Scopes, p.Claims = strings.Fields(scopes), claims
	return p
}

func TestDecide(t *testing.T) {
	p, problems := compile(t, usual, shop)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	staff := map[string]any{"groups": []any{"staff"}}
	for _, tc := range []struct {
		name, route, target, from, body string
		who                             *exchange.Principal
		status                          int
		by                              string
	}{
		{"a reader", "GET /orders/{id}", "/orders/1", "192.0.2.1", "", caller("orders.read", nil), 200, "readers"},
		{"no scope", "GET /orders/{id}", "/orders/1", "192.0.2.1", "", caller("", nil), 403, "nothing permits it"},
		{"nobody", "GET /orders/{id}", "/orders/1", "192.0.2.1", "", nil, 403, "nothing permits it"},
		{"of the group", "GET /orders/{id}", "/orders/1", "192.0.2.1", "", caller("", staff), 200, "staff"},
		{"a group of another type", "GET /orders/{id}", "/orders/1", "192.0.2.1", "", caller("", map[string]any{"groups": map[string]any{"staff": true}}), 403, "nothing permits it"},
		{"from elsewhere", "POST /orders", "/orders", "192.0.2.1", `{"amount": 1}`, caller("", staff), 403, "office"},
		{"from the office", "POST /orders", "/orders", "10.1.2.3", `{"amount": 1}`, caller("", staff), 200, "staff"},
		{"too much", "POST /orders", "/orders", "10.1.2.3", `{"amount": 1001}`, caller("", staff), 403, "large"},
		{"too much, of a level", "POST /orders", "/orders", "10.1.2.3", `{"amount": 1001}`, caller("", map[string]any{"groups": "staff", "level": json.Number("4")}), 200, "staff"},
		{"too much, of a level of another type", "POST /orders", "/orders", "10.1.2.3", `{"amount": 1001}`, caller("", map[string]any{"groups": "staff", "level": "4"}), 403, "large"},
		{"a member twice", "POST /orders", "/orders", "10.1.2.3", `{"amount": 1, "Amount": 1001}`, caller("", staff), 400, "nothing permits it"},
		{"no object", "POST /orders", "/orders", "10.1.2.3", `[1001]`, caller("", staff), 200, "staff"},
		{"too long a body", "POST /orders", "/orders", "10.1.2.3", `{"x": "` + strings.Repeat("x", 64<<10) + `"}`, caller("", staff), 413, "nothing permits it"},
		{"her own", "DELETE /customers/{id}", "/customers/ann", "10.1.2.3", "", caller("", nil), 200, "own"},
		{"another's", "DELETE /customers/{id}", "/customers/bob", "10.1.2.3", "", caller("", nil), 403, "nothing permits it"},
	} {
		var params []exchange.Param
		if strings.Contains(tc.route, "{id}") {
			params = append(params, exchange.Param{Name: "id", Value: tc.target[strings.LastIndexByte(tc.target, '/')+1:]})
		}
		x, r := request(tc.route, tc.target, tc.from, tc.body, tc.who, params...)
		served := false
		New(p)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true })).ServeHTTP(&x.Writer, r)
		x.Finish()
		by := x.Trail.Steps()[len(x.Trail.Steps())-1].Rule.Name
		status := x.Writer.Status()
		if served != (tc.status == 200) || status != tc.status || strings.TrimPrefix(by, "p.cedar ") != tc.by {
			t.Errorf("%s: %d by %s", tc.name, status, by)
		}
	}
	if New(nil) != nil {
		t.Error("a filter without policies")
	}
}

// What does not fit the API is refused, at its place.
func TestCheck(t *testing.T) {
	for _, tc := range []struct{ policies, want string }{
		{`permit (principal, action == Action::"GET /order/{id}", resource);`, ""},
		{`permit (principal, action, resource) when { context.parameters.id == "1" };`, "id"},
		{`permit (principal, action == Action::"GET /orders/{id}", resource) when { context.parameters.nr == "1" };`, "nr"},
		{`permit (principal, action == Action::"GET /orders/{id}", resource) when { context.parameters.id > 1 };`, ""},
		{`permit (principal, action, resource) when { principal.claims.email == "a" };`, ""},
		{`permit (principal, action, resource) when { principal.claims has phone && principal.claims.phone == "a" };`, "-"},
		{`permit (principal is User, action, resource);`, "User"},
		{`permit (principal in Team::"a", action, resource);`, "Team"},
		{`permit (principal, action, resource) when { principal.age > 3 };`, "age"},
		{`permit (principal, action, resource`, "no Cedar policy"},
		{"permit (principal, action, resource)\nwhen { oops };", "no Cedar policy"},
	} {
		_, problems := compile(t, usual, tc.policies)
		if tc.want == "-" {
			continue // by Cedar's rules "has" of what is not there is false, and no mistake
		}
		if len(problems) == 0 || !strings.Contains(problems[0].Message, tc.want) || !strings.HasSuffix(problems[0].Pos.File, "p.cedar") || problems[0].Pos.Line < 1 {
			t.Errorf("%s: %+v", tc.policies, problems)
		}
	}
	if _, problems := compile(t, usual, shop); len(problems) > 0 {
		t.Error(problems)
	}
}

// A policy that forbids and fails has forbidden.
func TestFailedForbid(t *testing.T) {
	p, problems := compile(t, usual, `
permit (principal, action, resource);
forbid (principal, action, resource) when { principal.claims has level && principal.claims.level + 9223372036854775807 > 0 };`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	x, _ := request("GET /orders/{id}", "/orders/1", "192.0.2.1", "", caller("", map[string]any{"level": json.Number("1")}), exchange.Param{Name: "id", Value: "1"})
	if d := p.Decide(x, true, nil); d.Allowed || d.Reason != "policy-error" {
		t.Errorf("%+v", d)
	}
}

func TestQuoted(t *testing.T) {
	if got := quoted("a\"b\\c\nd"); got != `"a\"b\\c\u{0a}d"` {
		t.Error(got)
	}
}

func FuzzBody(f *testing.F) {
	p, _ := compile(f, usual, shop)
	for _, seed := range []string{`{"amount": 1}`, `{"amount": 1, "amount": 2}`, `{"a": {"b": [1, {}]}}`, `{`, `{"a":1}x`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := p.readBody(body)
		if v != nil && (err != nil || !json.Valid(body)) {
			t.Errorf("%q: %v %v", body, v, err)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p, _ := compile(b, usual, shop)
	x, _ := request("GET /orders/{id}", "/orders/1", "192.0.2.1", "", caller("orders.read x y", map[string]any{"groups": []any{"a", "b"}, "level": json.Number("1")}), exchange.Param{Name: "id", Value: "1"})
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(x, true, nil).Allowed {
			b.Fatal()
		}
	}
}
