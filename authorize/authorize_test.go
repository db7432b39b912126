package authorize

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

type document struct {
	config.At
	Authorize *Config `yaml:"authorize"`
}

func load(text string) (*Config, error) {
	var d document
	_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
	return d.Authorize, err
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"authorize: none", "none true [] any [] all []"},
		{"authorize: customers", "none false [customers@1:12] any [] all []"},
		{"authorize: [customers, partners]", "none false [customers@1:13 partners@1:24] any [] all []"},
		{"authorize: {any: customers}", "none false [customers@1:18] any [] all []"},
		{"authorize: {any: [customers, partners], scopes: [a, b], all-scopes: c}", "none false [customers@1:19 partners@1:30] any [a b] all [c]"},
		{"authorize: {scopes: a}", "none false [] any [a] all []"},
	} {
		c, err := load(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		var names []string
		for _, n := range c.Any {
			names = append(names, n.Value+"@"+strings.TrimPrefix(n.At.String(), "c.yaml:"))
		}
		if got := fmt.Sprintf("none %v %v any %v all %v", c.None, names, c.Scopes, c.AllScopes); got != tc.want || !c.Pos.IsValid() {
			t.Errorf("%s:\ngot  %s at %v\nwant %s", tc.text, got, c.Pos, tc.want)
		}
	}
	if c, err := load("{}"); c != nil || err != nil {
		t.Errorf("nothing said: %+v, %v", c, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"authorize:", "say who may call"},
		{"authorize: []", "say who may call"},
		{"authorize: {}", "say who may call"},
		{"authorize: {any: []}", "say who may call"},
		{"authorize: [none]", "none stands alone"},
		{"authorize: [customers, none]", "none stands alone"},
		{"authorize: {any: none, scopes: [a]}", "none stands alone"},
		{"authorize: [customers, customers]", "named twice"},
		{"authorize: {any: customers, scopes: ['a b']}", "no scope"},
		{"authorize: {any: customers, all-scopes: ['a\"b']}", "no scope"},
		{"authorize: {any: customers, scope: [a]}", "did you mean"},
		{"authorize: {any: {a: b}}", "wanted"},
		{"authorize: [[customers]]", "wanted"},
	} {
		if c, err := load(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\ngot  %v %+v\nwant %s", tc.text, err, c, tc.want)
		}
	}
}

func TestOver(t *testing.T) {
	name := func(s ...string) (out []config.Name) {
		for _, v := range s {
			out = append(out, config.Name{Value: v})
		}
		return out
	}
	api := &Config{Any: name("customers"), Scopes: []string{"shop"}}
	for _, tc := range []struct {
		name        string
		route, base *Config
		want        string
	}{
		{"nothing", nil, nil, "<nil>"},
		{"the API's", nil, api, "[customers] [shop]"},
		{"the route's", &Config{Any: name("partners")}, api, "[partners] []"},
		{"published", &Config{None: true}, api, "none"},
		{"scopes alone", &Config{Scopes: []string{"orders"}}, api, "[customers] [orders]"},
		{"all scopes alone", &Config{AllScopes: []string{"orders"}}, api, "[customers] []"},
		{"scopes alone, and no API's", &Config{Scopes: []string{"orders"}}, nil, "[] [orders]"},
		{"scopes alone, and a published API", &Config{Scopes: []string{"orders"}}, &Config{None: true}, "[] [orders]"},
	} {
		got := "<nil>"
		if c := tc.route.Over(tc.base); c != nil {
			if got = fmt.Sprint(c.Any, c.Scopes); c.None {
				got = "none"
			}
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	if len(api.Scopes) != 1 {
		t.Error("the API's was changed")
	}
}

func TestCheck(t *testing.T) {
	known := []string{"customers", "partners"}
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"{}", []string{"t.yaml:7:3: nobody says who may call this: write authorize: NAME with an authorizer, or authorize: none to publish it"}},
		{"authorize: none", nil},
		{"authorize: [customers, partners]", nil},
		{"authorize: costumers", []string{`c.yaml:1:12: unknown authorizer "costumers" did you mean "customers"?`}},
		{"authorize: [customers, x, y]", []string{`c.yaml:1:24: unknown authorizer "x" known: customers, partners`, `c.yaml:1:27: unknown authorizer "y" known: customers, partners`}},
		{"authorize: {scopes: [a]}", []string{"c.yaml:1:1: scopes without an authorizer: say under any whose callers must have them"}},
	} {
		c, err := load(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		var r config.Report
		Check(&r, config.Pos{File: "t.yaml", Line: 7, Column: 3}, c, known)
		var got []string
		for _, p := range r.Problems() {
			got = append(got, strings.TrimSpace(p.Pos.String()+": "+p.Message+" "+p.Hint))
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", tc.text, got, tc.want)
		}
	}
}

func TestFilter(t *testing.T) {
	caller := func(scopes ...string) *exchange.Principal {
		p := exchange.NewPrincipal("jwt", "i", "ann")
		p.Scopes = scopes
		return p
	}
	anyOf, allOf, both := &Config{Scopes: []string{"a", "b"}}, &Config{AllScopes: []string{"a", "b"}}, &Config{Scopes: []string{"a", "b"}, AllScopes: []string{"c"}}
	for _, tc := range []struct {
		name   string
		c      *Config
		caller *exchange.Principal
		want   int
	}{
		{"one of two", anyOf, caller("x", "b"), 200},
		{"none of two", anyOf, caller("x"), 403},
		{"no scopes", anyOf, caller(), 403},
		{"a prefix", anyOf, caller("ab", "A"), 403},
		{"nobody", anyOf, nil, 403},
		{"all of two", allOf, caller("b", "a"), 200},
		{"one where all are wanted", allOf, caller("a"), 403},
		{"both kinds", both, caller("a", "c"), 200},
		{"both kinds, one missing", both, caller("a"), 403},
		{"both kinds, the other missing", both, caller("c"), 403},
	} {
		rec := httptest.NewRecorder()
		x, r := exchange.Begin(rec, httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
		x.Principal = tc.caller
		served := false
		New(tc.c)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true })).ServeHTTP(&x.Writer, r)
		x.Finish()
		if rec.Code != tc.want || served != (tc.want == 200) || len(x.Trail.Steps()) != 1 {
			t.Errorf("%s: %d, served %v, trail %v", tc.name, rec.Code, served, x.Trail.Steps())
		}
		if tc.want == 403 && (x.Refused.Reason != "insufficient-scope" || !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), `Bearer error="insufficient_scope", scope="`)) {
			t.Errorf("%s: %+v %v", tc.name, x.Refused, rec.Header())
		}
	}
	if New(nil) != nil || New(&Config{None: true}) != nil || New(&Config{Any: []config.Name{{Value: "a"}}}) != nil {
		t.Error("a filter that wants no scopes")
	}
	if got := name(both); got != "scopes c, and scope a or b" {
		t.Error(got)
	}
}
