package test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// shadowed is what a shadow saw.
type shadowed struct {
	mu   sync.Mutex
	seen []seen
}

func (s *shadowed) all() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

// newShadow starts a service that answers only when wait has ended.
func newShadow(t *testing.T, wait <-chan struct{}) (*shadowed, string) {
	t.Helper()
	s := &shadowed{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, seen{Backend: "shadow", Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(body)})
		s.mu.Unlock()
		select {
		case <-wait:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusInternalServerError) // which nobody hears of
	}))
	t.Cleanup(server.Close)
	return s, server.Listener.Addr().String()
}

func mirrorConfig(port, target, shadow string) string {
	return fmt.Sprintf(`
admin: {address: "127.0.0.1:%s"}
apis:
  shop:
    domains: [localhost]
    authorize: none
    authorizers: {customers: {jwt: {issuer: "https://login.test", audience: test, jwks: development, from: [header.X-Session]}}}
    mirror: {target: service:shadow, body: 256KiB, concurrent: 2}
    routes:
      - match: "ANY /orders/{id}"
        target: service:orders
        rewrite: "/v1/{id}"
        headers: {request: {set: {x-tier: gold}, remove: [x-gone]}}
      - {match: GET /none, target: service:orders, mirror: off}
      - {match: GET /secured, target: service:orders, authorize: customers}
services:
  orders: {targets: ["%s"]}
  shadow: {targets: ["%s"]}
`, port, target, shadow)
}

// TestMirror: over both protocols a shadow gets what the target gets, but for
// what proves who calls, and no client hears of it.
func TestMirror(t *testing.T) {
	port := freePort(t)
	released := make(chan struct{})
	close(released)
	shadow, address := newShadow(t, released)
	r := start(t, mirrorConfig(port, newBackend(t, "orders").Listener.Addr().String(), address), nil)
	large := strings.Repeat("0123456789", 10_000)
	n := 0
	for _, p := range protocols {
		for _, body := range []string{"", "small", large} {
			method := map[bool]string{true: "GET", false: "POST"}[body == ""]
			a := p.send(t, r, message{method: method, target: "/orders/42?a=1&access_token=hunter2", host: "localhost", body: body, header: [][2]string{
				{"Authorization", "Bearer hunter2"}, {"Cookie", "session=hunter2"}, {"X-Session", "hunter2"}, {"X-Gone", "1"}, {"X-Gatehouse-Mirror", "forged"}, {"X-Kept", "yes"},
			}})
			if a.status != 200 || !strings.Contains(a.body, `"backend":"orders"`) || strings.Contains(a.body, "X-Gatehouse-Mirror") {
				t.Fatalf("%s: %d %s", p.name, a.status, clip(a.body))
			}
			n++
			awaitCopies(t, shadow, n)
			got := shadow.all()[n-1]
			if got.Method != method || got.URI != "/v1/42?a=1&access_token=(redacted)" || got.Body != body || got.Header["X-Tier"][0] != "gold" || got.Header["X-Kept"][0] != "yes" {
				t.Errorf("%s: %s %s %v, %d bytes", p.name, got.Method, got.URI, got.Header, len(got.Body))
			}
			if id := got.Header["X-Gatehouse-Mirror"]; len(id) != 1 || id[0] != a.header.Get("X-Amzn-Requestid") {
				t.Errorf("%s: marked %v", p.name, id)
			}
			if text := fmt.Sprint(got.Header, got.URI); strings.Contains(text, "hunter2") || got.Header["X-Gone"] != nil {
				t.Errorf("%s: %s", p.name, text)
			}
		}
		p.send(t, r, message{method: "GET", target: "/none", host: "localhost"})
		p.send(t, r, message{method: "GET", target: "/secured", host: "localhost"}) // refused: nothing reaches a target
	}
	awaitMetric(t, port, `gatehouse_mirror_copies_total{result="answered",target="service:shadow"} 6`)
	if got := shadow.all(); len(got) != n {
		t.Errorf("%d copies, want %d", len(got), n)
	}
}

// TestMirrorHoldsUpNobody: a shadow that hangs, and one that is not there, cost
// the requests themselves nothing.
func TestMirrorHoldsUpNobody(t *testing.T) {
	port := freePort(t)
	released := make(chan struct{})
	shadow, address := newShadow(t, released)
	target := newBackend(t, "orders").Listener.Addr().String()
	r := start(t, mirrorConfig(port, target, address), nil)
	var all sync.WaitGroup
	began := time.Now()
	for i := range 8 {
		all.Go(func() {
			for range 8 {
				if a := protocols[i%2].send(t, r, message{method: "POST", target: "/orders/42", host: "localhost", body: "body"}); a.status != 200 {
					t.Errorf("%d %v", a.status, a.err)
				}
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("64 requests took %v", took)
	}
	awaitCopies(t, shadow, 2)
	for _, want := range []string{
		`gatehouse_mirror_copies_in_flight{target="service:shadow"} 2`,
		`gatehouse_mirror_copies_waiting{target="service:shadow"} 32`,
		`gatehouse_mirror_copies_total{result="dropped-full",target="service:shadow"} 30`,
	} {
		awaitMetric(t, port, want)
	}
	close(released)
	awaitMetric(t, port, `gatehouse_mirror_copies_total{result="answered",target="service:shadow"} 34`)

	r.configure(mirrorConfig(port, target, "127.0.0.1:"+freePort(t)))
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := sendHTTP2(t, r, message{method: "GET", target: "/orders/42", host: "localhost"}); a.status != 200 {
		t.Errorf("%d %v", a.status, a.err)
	}
	awaitMetric(t, port, `gatehouse_mirror_copies_total{result="failed",target="service:shadow"} 1`)
}

func awaitCopies(t *testing.T, s *shadowed, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if len(s.all()) >= n {
			return
		}
	}
	t.Fatalf("%d copies came, want %d", len(s.all()), n)
}

// awaitMetric waits until the admin listener's metrics have a line.
func awaitMetric(t *testing.T, port, line string) {
	t.Helper()
	var body string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		body = raw(t, "127.0.0.1:"+port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body
		if strings.Contains(body, line+"\n") {
			return
		}
	}
	var of []string
	for text := range strings.Lines(body) {
		if strings.HasPrefix(text, "gatehouse_mirror") {
			of = append(of, text)
		}
	}
	t.Fatalf("no %s among\n%s", line, strings.Join(of, ""))
}
