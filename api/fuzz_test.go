package api

import (
	"strings"
	"testing"

	"gatehouse/config"
)

// FuzzTarget holds that a variable decides nothing but what its value stands
// for: the kind of a target is always the one that was written.
func FuzzTarget(f *testing.F) {
	for _, seed := range [][2]string{
		{"service:${stageVariables.v}", "orders"}, {"http://${stage.v}:80", "10.0.0.1"}, {"http://${stage.v}", "u:p@host/x?y#z"},
		{"${stage.v}", "mock"}, {"redirect:/${stage.v}$${stage.v}", "\r\nx: y"}, {"service:${stage.w}", ""}, {"mock:${stage.v}", "418"}, {"$${", ""}, {"${", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		const kinds = "service function http https mock redirect"
		plain, err := expand(text, func(string) (string, bool) { return "x", true })
		if _, problem := parseDestination(plain); err != nil || problem != "" {
			return // refused when it is read
		}
		w := written{text: text}
		d, err := w.in(map[string]string{"v": value})
		if err != nil {
			return
		}
		kind, _, _ := strings.Cut(text, ":")
		if !strings.Contains(kinds, kind) {
			t.Fatalf("%q with %q became %+v", text, value, d)
		}
		if strings.ContainsAny(d.Name, "\r\n") && d.Kind == Redirect {
			t.Fatalf("%q with %q became %+v", text, value, d)
		}
		var report config.Report
		target := Target{written: []written{w}}.In(map[string]string{"v": value}, "prod", &report)
		if len(target.Destinations) != 1 || target.Destinations[0] != d || len(report.Problems()) > 0 {
			t.Fatalf("%+v: %+v", target, report.Problems())
		}
	})
}
