package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBalanceByHeader: one key, one target; many keys, all targets.
func TestBalanceByHeader(t *testing.T) {
	stage := newStage(t)
	r := start(t, stage.expand(`
apis: {a: {domains: [localhost], authorize: none, routes: [{match: GET /, target: service:a}]}}
services: {a: {targets: ["{{backend1}}", "{{backend2}}", "{{backend3}}"], balance: {hash: "header:X-Cart"}}}
`), nil)
	all := make(map[string]bool)
	for cart := range 30 {
		var first string
		for range 3 {
			a := sendHTTP1(t, r, message{method: "GET", target: "/", host: "localhost", header: [][2]string{{"X-Cart", fmt.Sprint(cart)}}})
			backend, _, _ := strings.Cut(a.body, ",")
			if first == "" {
				first = backend
			}
			if a.status != 200 || backend != first {
				t.Fatalf("cart %d: %d, first %s and then %s", cart, a.status, first, backend)
			}
		}
		all[first] = true
	}
	if len(all) != 3 {
		t.Errorf("30 keys are on %v", all)
	}
}

// TestGivenUpWithinItsBody: where the gateway answers before a body has come to
// its end, what follows on the connection is not served as a request.
func TestGivenUpWithinItsBody(t *testing.T) {
	r := start(t, `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}}, {address: "127.0.0.1:00"}]
apis:
  a:
    authorize: none
    routes:
      - {match: "ANY /late/{proxy+}", target: "http://`+newBackend(t, "a").Listener.Addr().String()+`", rewrite: "/behave/{proxy}", timeout: 200ms}
      - {match: GET /smuggled, target: mock}
      - {match: POST /mock, target: mock}
      - {match: POST /limited, target: mock, throttle: {rate: 1/h, burst: 1}}
`, nil)
	const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, head := range []string{
		"POST /late/slow/1s HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
		"POST /late/slow/1s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n",
		"POST /late/early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
		"POST /mock HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
		"POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
		"POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
		"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
	} {
		if rest := followed(t, r.address("127.0.0.1:00"), head, strings.Repeat(inner, 100)); strings.Contains(rest, "HTTP/1.1 ") {
			t.Errorf("%q: after its answer comes %q", head, rest)
		}
	}
	r.logLine(raw(t, r.address("127.0.0.1:00"), "GET /last HTTP/1.1\r\nHost: a\r\n\r\n").id())
	if log := string(r.read("access.log")); strings.Contains(log, "/smuggled") {
		t.Errorf("the access log says %s", log)
	}
}

// followed sends a request's head with a part of its body, waits for the answer,
// sends that part once more, and returns what comes behind the answer.
func followed(t *testing.T, address, head, part string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, head+part); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if a := read(resp, err); a.err != nil {
		t.Fatalf("%q: %v", head, a.err)
	}
	_, _ = io.WriteString(conn, part) // the gateway may have hung up
	_ = conn.(*net.TCPConn).CloseWrite()
	rest, _ := io.ReadAll(in)
	return string(rest)
}
