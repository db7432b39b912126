package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestSessionsStickByHTTP2: services that speak HTTP/2 have sessions too, among
// shares by weight and beside a canary.
func TestSessionsStickByHTTP2(t *testing.T) {
	one, two, other := overHTTP2(t, newBackend(t, "one")).Listener.Addr().String(), overHTTP2(t, newBackend(t, "two")).Listener.Addr().String(), newBackend(t, "other").Listener.Addr().String()
	r := start(t, fmt.Sprintf(`
apis:
  shop:
    domains: [localhost]
    authorize: none
    routes:
      - {match: GET /shared, target: {"service:a": 1, "service:c": 1}}
      - {match: GET /released, target: "service:c", canary: {target: "service:a", weight: 50}}
services:
  a: {targets: ["%s", "%s"], protocol: h2c, sticky: cookie}
  c: {targets: ["%s"]}
`, one, two, other), nil)
	for _, path := range []string{"/shared", "/released"} {
		cookies := map[string]string{}
		for i := range 12 {
			a := protocols[i%2].send(t, r, message{method: "GET", target: path, host: "localhost"})
			if set := a.header.Get("Set-Cookie"); set != "" {
				cookie, _, _ := strings.Cut(set, ";")
				cookies[whoAnswered(t, a)] = cookie
			}
		}
		if len(cookies) != 2 {
			t.Fatalf("%s: %v", path, cookies)
		}
		for who, cookie := range cookies {
			for i := range 6 {
				a := protocols[i%2].send(t, r, message{method: "GET", target: path, host: "localhost", header: [][2]string{{"Cookie", cookie}}})
				if got := whoAnswered(t, a); got != who {
					t.Errorf("%s: %s answered, not %s", path, got, who)
				}
			}
		}
	}
}

func whoAnswered(t *testing.T, a answer) string {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%v: %d %s", err, a.status, a.body)
	}
	return s.Backend
}

// TestSocketsStick: a WebSocket begins a session, and goes where there is one.
func TestSocketsStick(t *testing.T) {
	named := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Who", name)
			if r.Header.Get("Upgrade") == "" {
				return
			}
			if c, err := websocket.Accept(w, r, nil); err == nil {
				_ = c.Close(websocket.StatusNormalClosure, "")
			}
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	r := start(t, fmt.Sprintf(`
apis:
  chat:
    domains: [localhost, 127.0.0.1]
    authorize: none
    routes:
      - {match: GET /shared, target: {"service:a": 1, "service:c": 1}}
      - {match: GET /released, target: "service:c", canary: {target: "service:a", weight: 50}}
services:
  a: {targets: ["%s", "%s"], sticky: cookie}
  c: {targets: ["%s"]}
`, named("one"), named("two"), named("other")), nil)
	d := dialer{t, r}
	open := func(path string, header ...string) *http.Response {
		c, resp, err := d.dial("wss://"+r.secure()+path, header...)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.CloseNow()
		return resp
	}
	for _, path := range []string{"/shared", "/released"} {
		cookies := map[string]string{}
		for range 8 {
			resp := open(path)
			if set := resp.Header.Get("Set-Cookie"); set != "" {
				cookie, _, _ := strings.Cut(set, ";")
				cookies[resp.Header.Get("X-Who")] = cookie
			}
		}
		if len(cookies) != 2 {
			t.Fatalf("%s: %v", path, cookies)
		}
		for who, cookie := range cookies {
			for range 4 {
				if got := open(path, "Cookie: "+cookie).Header.Get("X-Who"); got != who {
					t.Errorf("%s: a socket to %s, not %s", path, got, who)
				}
				a := protocols[1].send(t, r, message{method: "GET", target: path, host: "localhost", header: [][2]string{{"Cookie", cookie}}})
				if got := a.header.Get("X-Who"); got != who {
					t.Errorf("%s: %s answered, not %s", path, got, who)
				}
			}
		}
	}
}
