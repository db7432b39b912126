package test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/config"
)

// Real definitions load, in time and without much of a trace in memory; or fail
// by errors that somebody can act on.
func TestRealDefinitions(t *testing.T) {
	for _, tc := range []struct {
		file, security string
		routes         int
		problems       string // all of them, by what they begin with; "" for none
	}{
		{"stripe.yaml", "basicAuth: none, bearerAuth: none", 494, ""},
		{"k8s.json", "BearerToken: none", 853, ""},
		{"docusignv3.1.json", "", 402, ""},
		{"asana.yaml", "oauth2: none, personalAccessToken: none", 152, ""},
		{"xsoar.json", "api_key: none, csrf_token: none, x-xsrf-token: none", 88, ""},
		{"docker.yaml", "", 108, ""},
		{"github.json", "", 0, `a parameter is a whole segment, /{name}/: "{base}...{head}" is not`},
		{"digitalocean.yaml", "", 0, `$ref "resources/`},
	} {
		t.Run(tc.file, func(t *testing.T) {
			dir := filepath.Dir(realDefinition(t, tc.file))
			text := "listen: [{address: \"127.0.0.1:0\"}]\napis: {real: {authorize: none, validate: true, definition: {file: " + tc.file + ", target: \"service:a\", security: {" + tc.security + "}}}}\nservices: {a: {targets: [\"127.0.0.1:9\"]}}\n"
			before := heap()
			began := time.Now()
			cfg, err := gatehouse.LoadText(filepath.Join(dir, "gatehouse.yaml"), []byte(text))
			took := time.Since(began)
			if tc.problems != "" {
				holdProblems(t, err, tc.problems)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			routes := len(cfg.Routes())
			kept := heap() - before
			t.Logf("%d routes with their checks in %v, %d KiB kept", routes, took.Round(time.Millisecond), kept>>10)
			if routes != tc.routes || took > 20*time.Second || kept > 16<<20 {
				t.Errorf("%d routes, want %d; %v; %d bytes", routes, tc.routes, took, kept)
			}
			runtime.KeepAlive(cfg)
		})
	}
}

// holdProblems holds every problem against how it begins.
func holdProblems(t *testing.T, err error, want string) {
	all := config.AsErrors(err)
	if all == nil {
		t.Fatalf("no problem: %v", err)
	}
	for _, p := range all.Problems() {
		if !strings.HasPrefix(p.Message, want) || p.Line == "" || !p.Pos.IsValid() {
			t.Errorf("%v: %s", p.Pos, p.Message)
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// realDefinition returns the path of a definition that scripts/setup fetches.
func realDefinition(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../.cache/definitions/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: scripts/setup test fetches it", err)
		}
		t.Skipf("%v: scripts/setup test fetches it", err)
	}
	return path
}

const definedShop = `
apis:
  shop:
    domains: [localhost]
    authorize: none
    validate: true
    definition: {file: shop.yaml, target: mock}
`

func shopDefinition(paths string) []byte {
	return []byte("openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n" + paths + `
components:
  schemas:
    Id: {type: integer}
`)
}

// A definition is configuration: a change of it is a reload, by route; a broken
// one changes nothing.
func TestDefinitionReload(t *testing.T) {
	const one = "  /a: {get: {parameters: [{name: id, in: query, schema: {$ref: '#/components/schemas/Id'}}], responses: {}}}\n"
	gateway := start(t, definedShop, map[string][]byte{"shop.yaml": shopDefinition(one + "  /b: {get: {responses: {}}}\n")})
	ask := func(target string) int {
		return sendHTTP1(t, gateway, message{method: "GET", target: target, host: "localhost"}).status
	}
	if ask("/a?id=5") != 200 || ask("/a?id=x") != 400 || ask("/c") != 404 {
		t.Fatal("the first definition is not in force")
	}
	before, err := gateway.load()
	if err != nil {
		t.Fatal(err)
	}
	gateway.write("shop.yaml", []byte(strings.ReplaceAll(string(shopDefinition(one+"  /c: {get: {description: new, responses: {}}}\n")), "type: integer", "type: string")))
	after, err := gateway.load()
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for _, c := range gatehouse.Plan(before.Routes(), after.Routes()) {
		plan = append(plan, c.Kind+" "+c.Route+" "+strings.Join(c.Sections, ","))
	}
	if got := strings.Join(plan, "; "); got != "changed GET /a validate; added GET /c ; removed GET /b " {
		t.Errorf("plan: %s", got)
	}
	if err := gateway.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ask("/a?id=x") != 200 || ask("/b") != 404 || ask("/c") != 200 {
		t.Error("the second definition is not in force")
	}
	gateway.write("shop.yaml", []byte("openapi: 3.1.0\npaths: {/d: {get: {x-gatehouse-timout: 5s}}}\n"))
	err = gateway.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "shop.yaml:2:") || !strings.Contains(err.Error(), `did you mean "timeout"?`) {
		t.Errorf("got %v", err)
	}
	if ask("/c") != 200 || ask("/d") != 404 {
		t.Error("a broken definition changed something")
	}
}
