package route_test

import (
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/route"
)

func TestConflicts(t *testing.T) {
	for _, test := range []struct {
		routes []string
		want   string
	}{
		{[]string{"GET /a", "GET /a"}, `f:2:1 "GET /a" takes the same requests as "GET /a" at f:1:1`},
		{[]string{"GET /a", "GET /a/"}, `f:2:1 "GET /a/" takes the same requests as "GET /a" at f:1:1`},
		{[]string{"GET /a/{x}", "GET,POST /a/{y}"}, `f:2:1 "GET,POST /a/{y}" takes the same requests as "GET /a/{x}" at f:1:1`},
		{[]string{"ANY /{x+}", "ANY /{y+}"}, `f:2:1 "ANY /{y+}" takes the same requests as "ANY /{x+}" at f:1:1`},
		{[]string{"GET /a ?v=1 @x=2", "GET /a @X=2 ?v=1"}, `f:2:1 "GET /a" takes the same requests as "GET /a" at f:1:1`},
		{[]string{"GET /caf%C3%A9", "GET /café"}, `f:2:1 "GET /café" takes the same requests as "GET /caf%C3%A9" at f:1:1`},
		{[]string{"GET /a", "ANY /a"}, ""},
		{[]string{"GET /a", "HEAD /a"}, ""},
		{[]string{"GET /a", "POST /a"}, ""},
		{[]string{"GET /{x+}", "GET /{x*}"}, ""},
		{[]string{"GET /a ?v=1", "GET /a ?v=2"}, ""},
		{[]string{"GET /a ?v=1", "GET /a @v=1"}, ""},
		{[]string{"GET /a ?a%b=c", "GET /a ?a=%bc"}, ""},
		{[]string{"GET /a @Host=x"}, `f:1:1 "GET /a" is narrowed by the header Host: name hosts under domains`},
		{[]string{"GET /a @x:y=1"}, `f:1:1 "GET /a" is narrowed by the header "x:y", which is no name of a header`},
		{[]string{"GET /a @x=1 @X=2"}, `f:1:1 "GET /a" is narrowed by the header "X" twice`},
		{[]string{"GET /a ?=1"}, `f:1:1 "GET /a" is narrowed by a query parameter without a name`},
	} {
		var report config.Report
		route.Build([]route.Stage[string]{stage(test.routes...)}, &report)
		got := ""
		for _, p := range report.Problems() {
			got += p.Pos.String() + " " + p.Message
		}
		if got != test.want {
			t.Errorf("%q: %q, not %q", test.routes, got, test.want)
		}
	}
}

func TestStageConflicts(t *testing.T) {
	at := func(name, prefix string, line int, hosts ...string) route.Stage[string] {
		return route.Stage[string]{Name: name, Hosts: hosts, Prefix: strings.Fields(prefix), At: config.Pos{File: "f", Line: line, Column: 3}, Default: name}
	}
	var report config.Report
	table := route.Build([]route.Stage[string]{
		at("a/prod", "", 1, "x.test"),
		at("b/prod", "", 2, "y.test", "x.test"),
		at("b/beta", "v1 beta", 3),
		at("c/beta", "v1 beta", 4),
		at("d/prod", "", 5, "*.x.test"),
	}, &report)
	want := []string{
		"f:2:3 x.test/ is there twice: b/prod answers for it, and so does a/prod, at f:1:3",
		"f:4:3 any host/v1/beta is there twice: c/beta answers for it, and so does b/beta, at f:3:3",
	}
	for i, p := range report.Problems() {
		if got := p.Pos.String() + " " + p.Message; i >= len(want) || got != want[i] {
			t.Errorf("%q", got)
		}
	}
	if len(report.Problems()) != len(want) {
		t.Errorf("%d problems", len(report.Problems()))
	}
	if r := table.Lookup(request(t, "GET x.test/"), nil); r.Value != "a/prod" {
		t.Errorf("the first one does not stay: %+v", r)
	}
}
