package api

import (
	"strings"
	"testing"

	"gatehouse/config"
)

type none struct {
	Note string `yaml:"note"`
}

type root struct {
	APIs map[string]*Config[none] `yaml:"apis"`
}

func load(t *testing.T, text string) (*root, error) {
	t.Helper()
	var r root
	_, err := config.LoadBytes("test.yaml", []byte(text), &r, config.Options{})
	return &r, err
}

func TestTargets(t *testing.T) {
	for _, tc := range []struct {
		target string
		kind   Kind
		name   string
		says   string // of the error
	}{
		{`"service:orders"`, Service, "orders", ""},
		{`"http://LOCALHOST:3000"`, Inline, "http://localhost:3000", ""},
		{`"https://10.0.0.1/"`, Inline, "https://10.0.0.1", ""},
		{`mock`, Mock, "", ""},
		{`"mock:418"`, Mock, "", ""},
		{`"redirect:https://www.shop.test/*"`, Redirect, "https://www.shop.test/*", ""},
		{`"function:quote:live"`, Function, "quote", ""},
		{`{"service:a": 90, "service:b": 10}`, Service, "a", ""},
		{`"service:"`, "", "", "without a name"},
		{`"http://user@host:1"`, "", "", "no user and no password"},
		{`"http://host:1/path"`, "", "", "more than an address"},
		{`"mock:99"`, "", "", "200 to 599"},
		{`"redirect:javascript:alert(1)"`, "", "", "http or https"},
		{`"orders"`, "", "", "unknown target"},
		{`{"service:a": -1}`, "", "", "weight"},
		{`{"service:a": 0}`, "", "", "above 0"},
		{`{"service:a": 1, "mock": 1}`, "", "", "only services, functions and addresses"},
		{`{"service:a": 1000001}`, "", "", "from 0 to 1000000"},
		{`{service:a: 1}`, "", "", "write it in quotes"},
		{`{"service:a": "1"}`, "", "", "remove the quotes"},
		{`{"service:a": 010}`, "", "", "leading zero"},
		{`{"service:a": 0, "service:b": 1.5}`, "", "", "whole number, got 1.5"},
		{`{}`, "", "", "a target is missing"},
		{`[]`, "", "", "a target is missing"},
		{``, "", "", "a target is missing"},
	} {
		r, err := load(t, "apis: {shop: {routes: [{match: GET /, target: "+tc.target+"}]}}")
		if tc.says != "" {
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v, want it to say %q", tc.target, err, tc.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.target, err)
			continue
		}
		if d := r.APIs["shop"].Routes[0].Target.Destinations[0]; d.Kind != tc.kind || d.Name != tc.name {
			t.Errorf("%s: got %s %q", tc.target, d.Kind, d.Name)
		}
	}
}

// A password in an address is refused without being shown.
func TestTargetTellsNoPassword(t *testing.T) {
	for _, target := range []string{"http://user:tiger@host:1", "http://user:tiger @host:1", "htp://user:tiger@host"} {
		if _, err := load(t, "apis: {shop: {routes: [{match: GET /, target: \""+target+"\"}]}}"); err == nil || strings.Contains(err.Error(), "tiger") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestResolve(t *testing.T) {
	r, err := load(t, `
apis:
  plain: {domains: [A.Shop.Test.]}
  staged:
    domains: [shop.test]
    stages:
      prod: {note: p}
      beta: {path: /beta/, domains: ["*.beta.test"], variables: {a: b}}
`)
	if err != nil {
		t.Fatal(err)
	}
	plain := Resolve(r.APIs["plain"])
	if len(plain) != 1 || plain[0].Stage != DefaultStage || plain[0].Domains[0] != "a.shop.test" || plain[0].Own != nil {
		t.Errorf("plain: %+v", plain)
	}
	staged := Resolve(r.APIs["staged"])
	if len(staged) != 2 {
		t.Fatalf("%d stages", len(staged))
	}
	beta, prod := staged[0], staged[1]
	if beta.Stage != "beta" || beta.Prefix != "/beta" || beta.Prefix.Segments()[0] != "beta" || beta.Domains[0] != "*.beta.test" || beta.Variables["a"] != "b" {
		t.Errorf("beta: %+v", beta)
	}
	if prod.Stage != "prod" || prod.Prefix != "" || prod.Domains[0] != "shop.test" || prod.Own.Note != "p" {
		t.Errorf("prod: %+v", prod)
	}
}

func TestBadNames(t *testing.T) {
	for text, says := range map[string]string{
		`domains: ["https://shop.test"]`: "no host name",
		`domains: ["shop.test:8443"]`:    "no host name",
		`stages: {beta: {path: "beta"}}`: "no stage path",
		`stages: {beta: {path: "/{x}"}}`: "no stage path",
		`routes: [{target: mock}]`:       "match",
		`routs: []`:                      `did you mean "routes"?`,
	} {
		_, err := load(t, "apis: {shop: {"+text+"}}")
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", text, err, says)
		}
	}
}
