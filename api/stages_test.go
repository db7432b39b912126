package api

import (
	"strings"
	"testing"

	"gatehouse/config"
)

func TestTargetOfStage(t *testing.T) {
	vars := map[string]string{"backend": "orders-next", "host": "10.0.0.1", "bad": "a b", "empty": ""}
	for _, tc := range []struct {
		target, want string // kind and names of the destinations
		says         string // of the error, at the load or of the stage
	}{
		{`"service:${stageVariables.backend}"`, "service orders-next", ""},
		{`"service:${stage.backend}-eu"`, "service orders-next-eu", ""},
		{`"http://${stageVariables.host}:8080"`, "inline http://10.0.0.1:8080", ""},
		{`"redirect:https://${stage.host}/$${stage.host}"`, "redirect https://10.0.0.1/${stage.host}", ""},
		{`{"service:${stage.backend}": 90, "service:b": 10}`, "service b 10, service orders-next 90", ""},
		{`"service:${stage.bakend}"`, "", `unknown stage variable of prod "bakend"`},
		{`"http://${stage.bad}/"`, "", "with the variables of prod this is no target"},
		{`"service:${stage.empty}"`, "", "with the variables of prod this is no target"},
		{`"${stage.backend}"`, "", "unknown target"}, // the kind is never a variable
		{`"service:${path.id}"`, "", "a target may hold ${stageVariables.NAME}"},
		{`"service:${stage.backend"`, "", "a target may hold"},
		{`{"service:${stage.backend}": 0}`, "", "above 0"},
	} {
		r, err := load(t, "apis: {shop: {routes: [{match: GET /, target: "+tc.target+"}]}}")
		if err != nil {
			if tc.says == "" || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: %v", tc.target, err)
			}
			continue
		}
		var report config.Report
		target := r.APIs["shop"].Routes[0].Target.In(vars, "prod", &report)
		if tc.says != "" {
			if p := report.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, tc.says) || !p[0].Pos.IsValid() {
				t.Errorf("%s: %+v, want it to say %q", tc.target, p, tc.says)
			}
			continue
		}
		var got []string
		for _, d := range target.Destinations {
			text := string(d.Kind) + " " + d.Name
			if d.Weight == 10 || d.Weight == 90 {
				text += map[int]string{10: " 10", 90: " 90"}[d.Weight]
			}
			got = append(got, text)
		}
		for want := range strings.SplitSeq(tc.want, ", ") {
			if !strings.Contains(strings.Join(got, ", "), want) || len(report.Problems()) > 0 {
				t.Errorf("%s: %q, want %q; %+v", tc.target, got, tc.want, report.Problems())
			}
		}
	}
}

// A value of the environment in a target with variables is not told.
func TestTargetOfStageTellsNothing(t *testing.T) {
	t.Setenv("SECRET_HOST", "tiger host")
	_, err := load(t, `apis: {shop: {routes: [{match: GET /, target: "http://${env:SECRET_HOST}/${stage.x}"}]}}`)
	if err == nil || strings.Contains(err.Error(), "tiger") {
		t.Error(err)
	}
}

func TestRoutesOfStage(t *testing.T) {
	r, err := load(t, `
apis:
  shop:
    routes: [{match: GET /a, target: mock}]
    stages:
      prod: {}
      beta: {path: /beta, routes: [{match: GET /b, target: mock}, {match: GET /c, target: mock}]}
      none: {path: /none, routes: []}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, d := range Resolve(r.APIs["shop"]) {
		got[d.Stage] = len(d.Inline)
	}
	if got["prod"] != 1 || got["beta"] != 2 || got["none"] != 0 {
		t.Errorf("%v", got)
	}
}
