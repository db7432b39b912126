package test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"gatehouse"
)

// schema compiles the configuration's schema by the rules of its draft.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(gatehouse.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("gatehouse.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("gatehouse.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid holds a document against the schema, as an editor reads it.
func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var data any
	if err := yaml.Unmarshal([]byte(text), &data); err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	printed, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(read)
}

// backendAddress is an address that a scenario fills in.
var backendAddress = regexp.MustCompile(`\{\{[\w-]+\}\}`)

// TestSchemaOfExamples: an editor marks nothing in a configuration that works.
func TestSchemaOfExamples(t *testing.T) {
	s := schema(t)
	check := func(file, text string) {
		if err := valid(t, s, text); err != nil {
			t.Errorf("%s: %v\nin\n%s", file, err, text)
		}
	}
	for _, pattern := range []string{"../examples/*/gatehouse.yaml", "../testdata/configs/full.yaml", "scenarios/*.txtar", "../README.md", "../*/README.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			switch filepath.Ext(file) {
			case ".yaml":
				check(file, string(text))
			case ".txtar":
				for _, f := range txtar.Parse(text).Files {
					if strings.HasSuffix(f.Name, "gatehouse.yaml") {
						check(file, backendAddress.ReplaceAllString(string(f.Data), "127.0.0.1:1"))
					}
				}
			case ".md":
				for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
					check(file, completed(block[1]))
				}
			}
		}
	}
}

// TestSchemaOfMistakes: what an editor can know to be wrong it marks, and the
// gateway refuses.
func TestSchemaOfMistakes(t *testing.T) {
	s := schema(t)
	const listen = "listen: [{address: \"127.0.0.1:0\"}]\n"
	route := func(rest string) string {
		return listen + "apis: {a: {authorize: none, routes: [{match: GET /x, target: mock, " + rest + "}]}}"
	}
	target := func(target string) string {
		return listen + "apis: {a: {authorize: none, routes: [{match: GET /x, target: " + target + "}]}}"
	}
	service := func(rest string) string {
		return listen + "services: {a: {targets: [\"127.0.0.1:1\"], " + rest + "}}"
	}
	for _, text := range []string{
		"listen: {}", "listen: x", "listen: [{adress: x}]", listen + "lisen: []", listen + "waf: {a: {rules: x}}", listen + "waf: {a: {rules: [{name: a, when: {methd: x}, action: block}]}}", listen + "waf: {a: {rules: [{name: a, when: {path: x}, action: blck}]}}", listen + "apis: []", listen + "apis: {a: x}", listen + "apis: {'a b': {}}",
		listen + "limits: {buffers: lots}", listen + "limits: {shutdown: 5}", listen + "log: {level: loud}", listen + "log: {query: yes}", listen + "throttle: fast",
		"listen: [{address: ':0', limits: {connections: 0}}]", "listen: [{address: ':0', limits: {connections: many}}]", "listen: [{address: ':0', proxy-protocol: maybe}]",
		"listen: [{address: ':0', redirect: http}]", "listen: [{address: ':0', tls: {certificates: public}}]", "listen: [{address: ':0', tls: {certificates: [{cert: x}]}}]", "listen: [{address: ':0', trusted-proxies: [all]}]",
		target(""), target("{}"), target("[mock]"), target("orders"), target("{mock: 1}"), target("{'service:a': x}"), target("{'service:a': -1}"), target("ftp://x"),
		listen + "apis: {a: {authorize: none, routes: [{target: mock}]}}", listen + "apis: {a: {authorize: none, routes: [{match: {headers: {}}, target: mock}]}}",
		route("timeout: 5"), route("timeout: fast"), route("retries: 6"), route("retries: '1'"), route("retries: 1.5"), route("limits: {body: -1}"), route("limits: 5"), route("allow-path: [semi]"), route("allow-path: semicolon"),
		route("throttle: 5"), route("throttle: {burst: 5}"), route("throttle: {rate: 5/s, burst: 0}"), route("throttle: {rate: 5/s, per: planet}"), route("cors: {origin: [x]}"), route("cors: [x]"),
		route("headers: {set: {a: b}}"), route("headers: {request: {set: {a: [b]}}}"), route("headers: {request: {remove: cookie}}"), route("rewrite: [x]"), route("authorize: {scope: [x]}"), route("authorize: {any: {a: b}}"),
		listen + "apis: {a: {stages: {s: {path: x}}}}", listen + "apis: {a: {stages: [s]}}", listen + "apis: {a: {domains: shop.test}}", listen + "apis: {a: {authorizers: {k: {jvt: {}}}}}", listen + "apis: {a: {authorizers: {k: {jwt: {issuer: i}}}}}",
		listen + "apis: {a: {authorizers: {k: {jwt: {issuer: i, audience: a, algorithms: none}}}}}",
		listen + "services: {a: {}}", listen + "services: {a: {targets: {}}}", service("health: {interval: fast}"), service("health: {healthy: 0}"), service("health: {all-unhealthy: shut}"), service("tls: x"), service("pool: {max-connections: -1}"), service("balance: luck"),
	} {
		if err := valid(t, s, text); err == nil {
			t.Errorf("the schema takes\n%s", text)
		}
		if _, err := gatehouse.LoadText("gatehouse.yaml", []byte(text)); err == nil {
			t.Errorf("the gateway takes\n%s", text)
		}
	}
	// Both take what stands for a value, and what may be left out.
	t.Setenv("GATEHOUSE_TEST_VALUE", "5")
	for _, text := range []string{
		listen, listen + "apis:\nservices:\n", target("{'service:a': \"${env:GATEHOUSE_TEST_VALUE}\"}") + "\nservices: {a: {targets: [\"127.0.0.1:1\"]}}",
		target(`"mock:20${env:GATEHOUSE_TEST_VALUE}"`), route(`timeout: "${env:GATEHOUSE_TEST_VALUE}s"`), route(`retries: "${env:GATEHOUSE_TEST_VALUE}"`),
		route("limits: {body: 5}"), route("limits: {body: 5KiB}"), route("throttle: 10/s"), route("throttle: [10/s, {rate: 5/m, per: ip}]"), route("headers: {request: {set: {a: 5, b: true}}}"),
		service("balance: {hash: path}"), service("balance: hash"), service("tls: {}"), service("tls: {client-certificate: internal}"), service("health: "), service("health: {status: 200-299}"), service("health: {status: 204}"),
		"listen: [{address: ':0', tls: }]", "listen: [{address: ':0', tls: {certificates: [internal]}}]", "listen: [{address: ':0', tls: {hsts: 0}}]",
	} {
		if err := valid(t, s, text); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", text, err)
		}
		if _, err := gatehouse.LoadText("gatehouse.yaml", []byte(text)); err != nil {
			t.Errorf("the gateway refuses\n%s\n%v", text, err)
		}
	}
}

// TestSchemaDescribes: an editor shows what every key means.
func TestSchemaDescribes(t *testing.T) {
	var document map[string]any
	if err := json.Unmarshal(gatehouse.Schema(), &document); err != nil {
		t.Fatal(err)
	}
	keys := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if properties, ok := v["properties"].(map[string]any); ok {
				for name, p := range properties {
					keys++
					if text, _ := p.(map[string]any)["description"].(string); text == "" {
						t.Errorf("%s/%s has no description", path, name)
					}
				}
			}
			for name, inner := range v {
				walk(path+"/"+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path, inner)
			}
		}
	}
	walk("", document)
	if keys < 100 {
		t.Errorf("only %d keys", keys)
	}
}
