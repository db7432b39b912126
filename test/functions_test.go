package test

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/function/sandbox"
)

// goFunction is a folder with examples/functions/go, built once.
var goFunction = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "function")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(folder, "bootstrap"), "./examples/functions/go")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return folder, nil
})

const functions = `
isolation: {minimum: namespaces}
apis:
  shop:
    domains: [localhost]
    authorize: none
    authorizers:
      tokens: {function: check-token, identity: [header.X-Token], ttl: 0s}
    routes:
      - {match: "POST /orders/{id}/price", target: "function:price"}
      - {match: "ANY /hello", target: "function:hello"}
      - {match: "GET /count", target: "function:count"}
      - {match: "GET /paths/{proxy+}", target: "function:paths", authorize: tokens, payload: "1.0"}
      - {match: "ANY /web/{proxy*}", target: "function:web"}
      - {match: "GET /slow", target: "function:slow"}
      - {match: "GET /odd", target: "function:odd"}
      - {match: "GET /off", target: "function:off"}
functions:
  price: {runtime: provided, code: GO, environment: {TIER: gold}}
  hello: {runtime: nodejs, code: node, handler: index.handler}
  count: {runtime: nodejs, code: node, handler: index.count}
  paths: {runtime: python, code: python, handler: app.handler}
  check-token: {runtime: python, code: python, handler: app.authorize}
  web: {runtime: http, code: web, handler: node server.mjs}
  slow: {runtime: nodejs, code: own, handler: own.slow, timeout: 300ms}
  odd: {runtime: nodejs, code: own, handler: own.odd}
  off: {runtime: nodejs, code: own, handler: own.odd, concurrency: 0}
`

const own = `
exports.slow = async () => new Promise((resolve) => setTimeout(resolve, 60000));
exports.odd = (event, context, callback) => callback(null, {statusCode: 200, headers: {'x-a': 'b\r\nset-cookie: c'}});
`

// withFunctions starts a gateway that has functions of each runtime; it skips the
// test where the machine lets nothing be kept apart, or lacks an interpreter.
func withFunctions(t *testing.T) *running {
	t.Helper()
	for _, program := range []string{"node", "/usr/bin/python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s", program)
		}
	}
	folder, err := goFunction()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"own/own.js": []byte(own)}
	for _, name := range []string{"node/index.mjs", "python/app.py", "web/server.mjs"} {
		text, err := os.ReadFile(filepath.Join("../examples/functions", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	if err := cannotIsolate(); err != nil {
		t.Skipf("functions cannot be kept apart here: %v", err)
	}
	return start(t, strings.ReplaceAll(functions, "GO", folder), files)
}

// cannotIsolate says why functions cannot be kept apart on this machine; nil where
// they can.
func cannotIsolate() error {
	s, _, err := sandbox.New(sandbox.Config{Minimum: "namespaces"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return s.Close()
}

func TestFunctions(t *testing.T) {
	g := withFunctions(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(g.log.String())
			logs, _ := filepath.Glob(filepath.Join(g.dir, "data/logs/functions/*"))
			for _, name := range logs {
				text, _ := os.ReadFile(name)
				t.Logf("%s:\n%s", name, text)
			}
		}
	})
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			ask := func(method, target, body string, header ...[2]string) answer {
				t.Helper()
				return p.send(t, g, message{method: method, target: target, host: "localhost", header: header, body: body})
			}
			a := ask("POST", "/orders/42/price", `{"items":[{"quantity":2,"cents":500}]}`, [2]string{"Content-Type", "application/json"})
			if a.status != 200 || a.body != `{"order":"42","total":900}` || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("price: %+v", a)
			}
			a = ask("GET", "/hello?name=ann", "")
			if a.status != 200 || !strings.Contains(a.body, `{"hello":"ann","method":"GET","id":"`+a.header.Get("X-Amzn-Requestid")+`"}`) || a.header.Get("Set-Cookie") != "seen=1; Path=/; HttpOnly" {
				t.Errorf("hello: %+v", a)
			}
			a = ask("GET", "/count", "")
			if a.status != 200 || a.body != "1\n2\n3\n" || a.header.Get("Content-Type") != "text/plain" {
				t.Errorf("count: %+v", a)
			}
			a = ask("GET", "/paths/a/b?q=1&q=2", "", [2]string{"X-Token", "open sesame"})
			if a.status != 200 || !strings.Contains(a.body, `"path": "/paths/a/b"`) || !strings.Contains(a.body, `"tier": "gold"`) || !strings.Contains(a.body, `"q": ["1", "2"]`) || len(a.header["X-Letter"]) != 2 {
				t.Errorf("paths: %+v", a)
			}
			a = ask("POST", "/web/a%20b?q=1&q=%20", "\x00\xff\x00", [2]string{"Content-Type", "application/octet-stream"}, [2]string{"Cookie", "x=y; z=w"})
			if a.status != 200 || a.body != `{"method":"POST","url":"/web/a%20b?q=1&q=%20","cookie":"x=y; z=w","host":"localhost","size":3}` || len(a.header["Set-Cookie"]) != 2 {
				t.Errorf("web: %+v", a)
			}
			for token, status := range map[string]int{"shut": 403, "broken": 401} {
				if a := ask("GET", "/paths/a", "", [2]string{"X-Token", token}); a.status != status {
					t.Errorf("%s: %+v", token, a)
				}
			}
			for target, status := range map[string]int{"/slow": 504, "/odd": 502, "/off": 429} {
				a := ask("GET", target, "")
				if a.status != status {
					t.Errorf("%s: %+v", target, a)
				}
				if target == "/odd" && a.body != `{"message":"Internal server error"}` {
					t.Errorf("%s: %+v", target, a)
				}
			}
		})
	}
}
