package gatehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
		`11: unknown key "taget"`,
		`12: unknown authorizer "costumers"`,
		`13: unknown method "GETT": did you mean "GET"?`,
		`14: unknown path parameter of GET /{a} "b"`,
		`14: unknown path parameter of GET /{a} "q"`,
		`15: wanted a map, got GET /x`,
		`16: "GET /{b}" takes the same requests as "GET /{a}" at gatehouse.yaml:14:9`,
		`17: absent: no such file or directory`,
		`19: "127.0.0.1" is no target: write HOST:PORT, dns:NAME:PORT or srv:NAME`,
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
		listen + "apis: {a: {authorise: none, " + routes + "}}\nservices: {a: {targets: ['a:1']}}":                                                                      `2: unknown key "authorise"`,
		listen + "apis: {a: {authorize: [none], " + routes + "}}\nservices: {a: {targets: ['a:1']}}":                                                                    `2: none stands alone`,
		listen + "apis: {a: {authorize: none, " + routes + "}}\nservice: {a: {targets: ['a:1']}}":                                                                       `3: unknown key "service"`,
		listen + "apis: {a: {authorize: none, " + routes + "}}\nservices: [a]":                                                                                          `3: wanted a map, got a list`,
		listen + "apis: {a: {authorize: none, " + routes + "}}\nservices: {a: }":                                                                                        `3: the key "targets" is missing`,
		listen + "include: [absent.yaml]\napis: {a: {authorize: none, " + routes + "}}":                                                                                 `2: there is no file absent.yaml`,
		listen + "apis: {a: {authorize: k, authorizers: [k], routes: [{match: GET /, target: mock}]}}":                                                                  `2: wanted a map, got a list`,
		listen + "apis: {a: {authorize: k, authorizers: {k: {jvt: {}}}, routes: [{match: GET /, target: mock}]}}":                                                       `2: unknown key "jvt"`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}, b: {domain: x, routes: [{match: GET /x, target: mock, authorize: none}]}}":       `2: unknown key "domain"`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: 'http://127.0.0.1:1', rewrite: '/${stageVariables.v}'}], stages: {s: {variables: [v]}}}}": `2: wanted a map, got a list`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}], stages: {s: {path: x}, t: {}}}}":                                                  `2: "x" is no stage path`,
		listen + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}], stages: [s]}}":                                                                    `2: wanted a map, got a list`,
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

func TestWarnings(t *testing.T) {
	cfg, err := LoadText("gatehouse.yaml", []byte(`
listen: [{address: "127.0.0.1:0"}]
apis:
  shop:
    authorize: used
    authorizers:
      unused: {jwt: {issuer: i, audience: a, jwks: development}}
      used: {jwt: {issuer: i, audience: a, secret: "0123456789abcdef0123456789abcdef"}}
    routes:
      - {match: GET /, target: {"service:a": 1, "service:b": 0}}
  empty: {domains: [empty.test]}
services:
  c: {targets: ["127.0.0.1:1"]}
  b: {targets: ["127.0.0.1:1"]}
  a: {targets: ["127.0.0.1:1"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"gatehouse.yaml:7:7: the authorizer unused of shop trusts the development key: whoever can read " + cfg.Data.Value + " can make tokens",
		"gatehouse.yaml:7:7: no route of shop asks the authorizer unused",
		"gatehouse.yaml:11:3: the API empty has no routes: it answers 404 to everything",
		"gatehouse.yaml:13:3: no route leads to the service c",
	}
	for range 2 {
		if got := cfg.Warnings(); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What an account, a region, a body's limit, a stage's path and a condition
// cannot be.
func TestForms(t *testing.T) {
	const listen = "listen: [{address: \"127.0.0.1:0\"}]\n"
	route := func(rest string) string {
		return listen + "apis: {a: {authorize: none, routes: [{match: GET /x, target: mock, " + rest + "}]}}"
	}
	proxied := func(rest string) string {
		return listen + "apis: {a: {authorize: none, routes: [{match: 'GET /x/{p}', target: 'http://127.0.0.1:1', " + rest + "}]}}"
	}
	stage := func(path string) string {
		return listen + "apis: {a: {authorize: none, stages: {s: {path: " + path + "}}}}"
	}
	match := func(rest string) string {
		return listen + "apis: {a: {authorize: none, routes: [{match: {route: GET /x, " + rest + "}, target: mock}]}}"
	}
	for text, want := range map[string]string{
		listen + "account: 123456789012\nregion: eu-central-1": "",
		listen + "account: 2026-01-01":                         "an account has 12 digits",
		listen + "region: EU*":                                 "a region is written in small letters",
		route("limits: {body: 1}"):                             "",
		route("limits: {body: 0}"):                             "wanted at least 1, got 0",
		stage("/"):                                             "",
		stage("/v1/beta/"):                                     "",
		stage("/ünï"):                                          "",
		stage("//"):                                            "no stage path",
		stage("/a//b"):                                         "no stage path",
		stage("/a//"):                                          "no stage path",
		stage("/.."):                                           "no stage path",
		stage("/a/./b"):                                        "no stage path",
		stage("/a;b"):                                          "no stage path",
		stage(`"/a\\b"`):                                       "no stage path",
		stage("/a%20b"):                                        "no stage path",
		stage(`"/a b"`):                                        "no stage path",
		stage(`""`):                                            "no stage path",
		match("query: {'filter[status]': open, $top: '*'}"):     "",
		match("query: {'': open}"):                              "no name of a query parameter",
		match("headers: {x-a: ' b'}"):                           "no request can have",
		route("rewrite: /y"):                                    "a mock is sent no path",
		proxied("rewrite: '/y/{p}'"):                            "",
		proxied("rewrite: '/y/{p}', allow-path: [dot-segment]"): "can leave the path of the rewrite",
		proxied("rewrite: '/y', allow-path: [dot-segment]"):     "",
		proxied("rewrite: '/y/{p}', allow-path: [semicolon]"):   "",
		match(`headers: {x-a: "a\nb"}`):                         "no request can have",
	} {
		_, err := LoadText("gatehouse.yaml", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\nsays %v, not %q", text, err, want)
		}
	}
}

// A route's empty section takes nothing away from the API's.
func TestBodyLimitIsInherited(t *testing.T) {
	cfg := mustLoad(t, `
listen: [{address: "127.0.0.1:0"}]
apis:
  shop:
    authorize: none
    limits: {body: 1MiB}
    routes:
      - {match: GET /none, target: mock}
      - {match: GET /empty, target: mock, limits: {}}
      - {match: GET /null, target: mock, limits: }
      - {match: GET /own, target: mock, limits: {body: 1KiB}}
`)
	for _, e := range compile(cfg, &config.Report{}).endpoints {
		want := int64(1 << 20)
		if e.name == "GET /own" {
			want = 1 << 10
		}
		if e.body != want {
			t.Errorf("%q: %d, not %d", e.name, e.body, want)
		}
	}
}
