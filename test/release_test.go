package test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/admin"
)

// TestCanaryIsCounted: the share of a canary is exact over both protocols
// together, its requests are counted apart, and explain says why each went where
// it went.
func TestCanaryIsCounted(t *testing.T) {
	port := freePort(t)
	r := start(t, fmt.Sprintf(`
admin: {address: "127.0.0.1:%s"}
apis:
  shop:
    domains: [localhost]
    authorize: none
    canary: {target: "service:b", weight: 20}
    routes: [{match: GET /orders, target: "service:a"}]
services:
  a: {targets: ["%s"]}
  b: {targets: ["%s"]}
`, port, newBackend(t, "a").Listener.Addr(), newBackend(t, "b").Listener.Addr()), nil)
	got := map[string]int{}
	var canary answer
	for i := range 40 {
		a := protocols[i%2].send(t, r, message{method: "GET", target: "/orders", host: "localhost"})
		var s seen
		if err := json.Unmarshal([]byte(a.body), &s); err != nil {
			t.Fatal(err)
		}
		if got[s.Backend]++; s.Backend == "b" {
			canary = a
		}
	}
	if got["a"] != 32 || got["b"] != 8 {
		t.Errorf("%v, want 32 and 8", got)
	}
	r.lines(40)
	metrics := raw(t, "127.0.0.1:"+port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body
	for _, want := range []string{
		`gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /orders",stage="$default"} 32`,
		`gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /orders",stage="$default/canary"} 8`,
		`gatehouse_request_duration_seconds_count{api="shop",route="GET /orders",stage="$default/canary"} 8`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
	var entry any
	if err := admin.Dial(filepath.Join(r.dir, "data")).Explain(t.Context(), canary.header.Get("X-Amzn-Requestid"), &entry); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(entry); !strings.Contains(text, "canary: by weight") || !strings.Contains(text, "20 % to service:b") {
		t.Errorf("explain: %s", text)
	}
}

var stickyCookie = regexp.MustCompile(`^(gatehouse-a=[A-Za-z0-9_-]{54}); Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure$`)

// TestSessionsStick: over both protocols and over reloads that change the
// targets' order, a client stays with its target.
func TestSessionsStick(t *testing.T) {
	const config = `
apis: {shop: {domains: [localhost], authorize: none, routes: [{match: "ANY /{proxy*}", target: {"service:a": 1, "service:c": 1}}]}}
services:
  a: {targets: [%s], sticky: {cookie: gatehouse-a, ttl: 1h}}
  c: {targets: ["%s"]}
`
	one, two, other := newBackend(t, "one").Listener.Addr().String(), newBackend(t, "two").Listener.Addr().String(), newBackend(t, "other").Listener.Addr().String()
	first, second := fmt.Sprintf(config, `"`+one+`", "`+two+`"`, other), fmt.Sprintf(config, `"`+two+`", "`+one+`"`, other)
	r := start(t, first, nil)
	backend := func(a answer) string {
		var s seen
		if err := json.Unmarshal([]byte(a.body), &s); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		return s.Backend
	}
	cookies := map[string]string{}
	for i := range 12 {
		a := protocols[i%2].send(t, r, message{method: "GET", target: "/x", host: "localhost"})
		set := a.header.Get("Set-Cookie")
		found := stickyCookie.FindStringSubmatch(set)
		if who := backend(a); who == "other" {
			if set != "" {
				t.Errorf("a service without sessions: %s", set)
			}
		} else if found == nil {
			t.Errorf("%s: %q", who, set)
		} else {
			cookies[who] = found[1]
		}
	}
	if len(cookies) != 2 {
		t.Fatalf("%v", cookies)
	}
	for round := range 4 {
		r.configure([...]string{second, first}[round%2])
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		for who, cookie := range cookies {
			for _, p := range protocols {
				a := p.send(t, r, message{method: "GET", target: "/x", host: "localhost", header: [][2]string{{"Cookie", "a=b; " + cookie}}})
				if got := backend(a); got != who || a.header.Get("Set-Cookie") != "" {
					t.Errorf("%s: %s answered, not %s; set %q", p.name, got, who, a.header.Get("Set-Cookie"))
				}
			}
		}
	}
}
