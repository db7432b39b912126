package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse"
)

// TestNothingReachesTheControl: no route leads to the admin listener, whatever
// it calls it, and no authorizer fetches its keys there; after a reload that moves
// it, neither to where it is then.
func TestNothingReachesTheControl(t *testing.T) {
	first, second := freePort(t), freePort(t)
	config := func(port string) string {
		return fmt.Sprintf(`
admin: {address: "127.0.0.1:%[1]s"}
apis:
  shop:
    domains: [localhost]
    authorizers: {keys: {jwt: {issuer: i, audience: a, jwks: "http://127.0.0.1:%[1]s/metrics"}}}
    routes:
      - {match: GET /metrics, target: "http://127.0.0.1:%[1]s", authorize: none}
      - {match: GET /by-name, target: "http://localhost:%[1]s", authorize: none, rewrite: /metrics}
      - {match: GET /unspecified, target: "http://0.0.0.0:%[1]s", authorize: none, rewrite: /metrics}
      - {match: GET /mapped, target: "http://[::ffff:127.0.0.1]:%[1]s", authorize: none, rewrite: /metrics}
      - {match: GET /service, target: "service:a", authorize: none, rewrite: /metrics}
      - {match: GET /keys, target: mock, authorize: keys}
services:
  a: {targets: ["127.0.0.1:%[1]s"], health: {path: /healthz, interval: 100ms}}
`, port)
	}
	r := start(t, config(first), nil)
	refuses := func(port string) {
		t.Helper()
		if a := raw(t, "127.0.0.1:"+port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); a.status != 200 {
			t.Fatalf("the admin listener: %d %v", a.status, a.err)
		}
		for _, path := range []string{"/metrics", "/by-name", "/unspecified", "/mapped", "/service"} {
			a := sendHTTP1(t, r, message{method: "GET", target: path, host: "localhost"})
			if a.status != 502 || !strings.Contains(r.logLine(a.id()), `"reason":"rule"`) {
				t.Errorf("%s: %d %s %s", path, a.status, a.body, r.logLine(a.id()))
			}
		}
		a := sendHTTP1(t, r, message{method: "GET", target: "/keys", host: "localhost", header: [][2]string{{"Authorization", "Bearer " + someToken}}})
		if a.status != 503 {
			t.Errorf("/keys: %d %s", a.status, a.body)
		}
	}
	refuses(first)
	r.configure(config(second))
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuses(second)
}

// someToken has the form of a token of the issuer i, and nobody signed it.
const someToken = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJpIiwic3ViIjoiYSJ9.AAAA"

// TestWatch: whatever a configuration names is watched, what it lacks included.
func TestWatch(t *testing.T) {
	t.Parallel()
	cert, _ := testCertificate(t)
	const config = "apis: {a: {domains: [localhost], authorize: none, routes: [{match: GET /%s, target: mock}]}}\n"
	r := start(t, fmt.Sprintf(config, "one"), nil)
	served := func(path string) func() error {
		return func() error {
			if a := sendHTTP1(t, r, message{method: "GET", target: path, host: "localhost"}); a.status != 200 {
				return fmt.Errorf("%s: %d %v\n%s", path, a.status, a.err, r.log)
			}
			return nil
		}
	}
	r.configure(fmt.Sprintf(config, "two"))
	eventually(t, served("/two"))

	r.configure("include: [teams/*.yaml]\n" + fmt.Sprintf(config, "three") + "services: {s: {targets: [\"127.0.0.1:1\"], tls: {ca: late.pem}}}\n")
	eventually(t, func() error {
		if !strings.Contains(r.log.String(), "late.pem") {
			return fmt.Errorf("nobody misses late.pem:\n%s", r.log)
		}
		return nil
	})
	if err := served("/two")(); err != nil {
		t.Errorf("while a file is missing: %v", err)
	}
	r.write("late.pem", cert)
	eventually(t, served("/three"))

	routes := func(count int) func() error {
		return func() error {
			var table []gatehouse.RouteInfo
			if err := r.control().Routes(t.Context(), &table); err != nil || len(table) != count {
				return fmt.Errorf("%d routes, want %d; %v\n%s", len(table), count, err, r.log)
			}
			return nil
		}
	}
	r.write("teams/four.yaml", []byte("apis: {four: {domains: [four.test], authorize: none, routes: [{match: GET /four, target: mock}]}}\n"))
	eventually(t, routes(2))
	if err := os.Remove(filepath.Join(r.dir, "teams/four.yaml")); err != nil {
		t.Fatal(err)
	}
	eventually(t, routes(1))
}
