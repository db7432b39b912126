package gatehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
)

// Everything that is wrong is told at once: what does not read, and what is
// wrong between the sections that do.
func TestEveryErrorAtOnce(t *testing.T) {
	_, err := LoadText("gatehouse.yaml", []byte(`
listen: [{address: "127.0.0.1:0"}]
regoin: x
apis:
  shop:
    authorize: none
    routes:
      - {match: GET /a, target: "service:ordrs"}
      - {match: GET /b, target: "service:orders", timeout: 5}
      - {match: GET /c, target: "service:orders", authorise: k}
      - {match: GET /d, taget: "service:orders"}
      - {match: GET /e, target: "service:orders", authorize: costumers}
      - {match: GETT /f, target: "service:orders"}
      - {match: "GET /{a}", target: "service:orders", rewrite: "/{b}", headers: {request: {set: {x: "${path.q}"}}}}
      - GET /x
      - {match: {route: "GET /{b}"}, target: "service:orders"}
    authorizers: {customers: {jwt: {issuer: i, audience: a, jwks: absent}}}
services:
  orders: {targets: ["127.0.0.1"]}
`))
	wantProblems(t, err, []string{
		`3: unknown key "regoin"`,
		`8: unknown service "ordrs"`,
		`9: wanted a duration such as 250ms, 1m30s or 2d, got 5`,
		`10: unknown key "authorise"`,
		`11: the key "target" is missing`,
		`11: unknown key "taget"`,
		`12: unknown authorizer "costumers"`,
		`13: unknown method "GETT": did you mean "GET"?`,
		`14: unknown path parameter of GET /{a} "b"`,
		`14: unknown path parameter of GET /{a} "q"`,
		`15: wanted a map, got GET /x`,
		`16: "GET /{b}" takes the same requests as "GET /{a}" at gatehouse.yaml:14:9`,
		`17: absent: no such file or directory`,
		`19: "127.0.0.1" is no target: write HOST:PORT or dns:NAME:PORT`,
	})
}

// Nothing is said of what may only be due to something that did not read.
func TestNoErrorOfAnError(t *testing.T) {
	const listen = "listen: [{address: \"127.0.0.1:0\"}]\n"
	const routes = "routes: [{match: GET /, target: 'service:a'}]"
	for text, want := range map[string]string{
		"listen: x\napis: {}":      `1: wanted a list, got x`,
		"listen: [{address: [x]}]": `1: wanted text, got a list`,
		"lisen: [{address: x}]":    `1: unknown key "lisen"`,
		listen + "apis: {a: {authorise: none, " + routes + "}}\nservices: {a: {targets: ['a:1']}}":                                                                `2: unknown key "authorise"`,
		listen + "apis: {a: {authorize: [none], " + routes + "}}\nservices: {a: {targets: ['a:1']}}":                                                              `2: none stands alone`,
		listen + "apis: {a: {authorize: none, " + routes + "}}\nservice: {a: {targets: ['a:1']}}":                                                                 `3: unknown key "service"`,
		listen + "apis: {a: {authorize: none, " + routes + "}}\nservices: [a]":                                                                                    `3: wanted a map, got a list`,
		listen + "apis: {a: {authorize: none, " + routes + "}}\nservices: {a: }":                                                                                  `3: the key "targets" is missing`,
		listen + "include: [absent.yaml]\napis: {a: {authorize: none, " + routes + "}}":                                                                           `2: there is no file absent.yaml`,
		listen + "apis: {a: {authorize: k, authorizers: [k], routes: [{match: GET /, target: mock}]}}":                                                            `2: wanted a map, got a list`,
		listen + "apis: {a: {authorize: k, authorizers: {k: {jvt: {}}}, routes: [{match: GET /, target: mock}]}}":                                                 `2: unknown key "jvt"`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}, b: {domain: x, routes: [{match: GET /x, target: mock, authorize: none}]}}": `2: unknown key "domain"`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock, rewrite: '/${stageVariables.v}'}], stages: {s: {variables: [v]}}}}":           `2: wanted a map, got a list`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}], stages: {s: {path: x}, t: {}}}}":                                            `2: "x" is no stage path`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}], stages: [s]}}":                                                              `2: wanted a map, got a list`,
	} {
		_, err := LoadText("gatehouse.yaml", []byte(text))
		wantProblems(t, err, []string{want})
	}
}

// wantProblems holds the lines and the beginnings of err's messages.
func wantProblems(t *testing.T, err error, want []string) {
	t.Helper()
	var got []string
	if all := config.AsErrors(err); all != nil {
		for _, p := range all.Problems() {
			got = append(got, fmt.Sprintf("%d: %s", p.Pos.Line, p.Message))
		}
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("not told: %s\nin\n%v", want[i], err)
		case i >= len(want) || !strings.HasPrefix(got[i], want[i]):
			t.Errorf("told, but not wanted there: %s\nin\n%v", got[i], err)
			return
		}
	}
}

// FuzzLoad holds that no text makes the compiler of configurations panic, that
// every problem has its place, and that what passes check can be listed.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"config/testdata/errors/*.yaml", "testdata/configs/*.yaml", "examples/*/gatehouse.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := LoadText(filepath.Join(dir, "gatehouse.yaml"), []byte(text))
		if err == nil {
			for _, r := range cfg.Routes() {
				if r.Target == "" || r.Authorize == "" || r.At == "(default)" {
					t.Fatalf("a route of nothing: %+v", r)
				}
			}
			_ = cfg.Warnings()
			return
		}
		for _, p := range config.AsErrors(err).Problems() {
			if !p.Pos.IsValid() || p.Message == "" {
				t.Fatalf("a problem of nowhere: %+v", p)
			}
		}
	})
}
