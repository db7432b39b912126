package test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse"
)

// raw sends bytes to an address and returns the answer.
func raw(t testing.TB, address, text string) answer {
	t.Helper()
	return rawFrom(t, nil, address, text)
}

// rawFrom is raw from one of this machine's addresses; nil for any.
func rawFrom(t testing.TB, from net.IP, address, text string) answer {
	t.Helper()
	conn, err := dialFrom(from, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return answer{err: err}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return read(resp, err)
}

func TestRedirectListener(t *testing.T) {
	r := start(t, `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
  - {address: "127.0.0.1:00", redirect: https}
apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}}
`, nil)
	_, port, _ := net.SplitHostPort(r.secure())
	a := raw(t, r.address("127.0.0.1:00"), "GET /x?y=1 HTTP/1.1\r\nHost: api.shop.test:80\r\n\r\n")
	if want := "https://api.shop.test:" + port + "/x?y=1"; a.status != 301 || a.header.Get("Location") != want {
		t.Errorf("got %d %q, want 301 %q", a.status, a.header.Get("Location"), want)
	}
	if a := raw(t, r.address("127.0.0.1:00"), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"); a.status != 308 {
		t.Errorf("POST: got %d, want 308", a.status)
	}
	if a.header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS over plain HTTP")
	}
}

// TestRedirectOfStrangersHosts: nobody is sent to a host that no API serves,
// and over plain HTTP nothing else is served.
func TestRedirectOfStrangersHosts(t *testing.T) {
	r := start(t, `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
  - {address: "127.0.0.1:00", redirect: "https:443"}
apis: {a: {domains: [api.shop.test, "*.wild.test"], authorize: none, routes: [{match: "ANY /{proxy*}", target: mock}]}}
`, nil)
	for _, tc := range []struct {
		head     string
		status   int
		location string
	}{
		{"GET /x HTTP/1.1\r\nHost: api.shop.test", 301, "https://api.shop.test/x"},
		{"GET /x HTTP/1.1\r\nHost: a.wild.test:8080", 301, "https://a.wild.test/x"},
		{"GET http://api.shop.test/x HTTP/1.1\r\nHost: api.shop.test", 301, "https://api.shop.test/x"},
		{"GET http://api.shop.test/x HTTP/1.1\r\nHost: evil.test", 400, ""},
		{"GET /x HTTP/1.1\r\nHost: evil.test", 404, ""},
		{"GET /x HTTP/1.1\r\nHost: api.shop.test.evil.test", 404, ""},
		{"GET /x HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: api.shop.test", 404, ""},
		{"OPTIONS /x HTTP/1.1\r\nHost: evil.test\r\nOrigin: https://a.test\r\nAccess-Control-Request-Method: GET", 404, ""},
		{"GET /x HTTP/1.1\r\nHost: api.shop.test@evil.test", 400, ""},
		{"GET //evil.test/x HTTP/1.1\r\nHost: api.shop.test", 301, "https://api.shop.test//evil.test/x"},
		{"GET /x HTTP/1.0", 400, ""},
	} {
		a := raw(t, r.address("127.0.0.1:00"), tc.head+"\r\n\r\n")
		if a.status != tc.status || a.header.Get("Location") != tc.location {
			t.Errorf("%q: got %d %q %v, want %d %q", tc.head, a.status, a.header.Get("Location"), a.err, tc.status, tc.location)
		}
	}
}

func TestTrustedProxy(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	const text = `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
  - {address: "127.0.0.1:00", trusted-proxies: [127.0.0.0/8]}
  - {address: "127.0.0.1:000", trusted-proxies: [127.0.0.0/8], proxy-protocol: require}
apis: {a: {authorize: none, routes: [{match: GET /, target: "http://%s", headers: {request: {set: {x-client: "${client.ip}"}}}}]}}
`
	r := start(t, fmt.Sprintf(text, backend), nil)
	for _, tc := range []struct{ name, address, request, client, chain, proto string }{
		{"trusted header", "127.0.0.1:00", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n\r\n", "198.51.100.7", "198.51.100.7, 127.0.0.1", "https"},
		{"Forwarded", "127.0.0.1:00", "GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=198.51.100.7;proto=https\r\n\r\n", "198.51.100.7", "198.51.100.7, 127.0.0.1", "https"},
		{"no header", "127.0.0.1:00", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "127.0.0.1", "127.0.0.1", "http"},
		{"PROXY v1", "127.0.0.1:000", "PROXY TCP4 203.0.113.5 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "203.0.113.5", "203.0.113.5", "http"},
		{"PROXY v1, and the client lies", "127.0.0.1:000", "PROXY TCP4 203.0.113.5 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n\r\n", "203.0.113.5", "203.0.113.5", "http"},
	} {
		a := raw(t, r.address(tc.address), tc.request)
		for _, want := range []string{`"X-Client":["` + tc.client + `"]`, `"X-Forwarded-For":["` + tc.chain + `"]`, `"X-Forwarded-Proto":["` + tc.proto + `"]`} {
			if a.status != 200 || !strings.Contains(a.body, want) || strings.Contains(a.body, `"Forwarded"`) {
				t.Errorf("%s: got %d %s %v, want %s", tc.name, a.status, a.body, a.err, want)
			}
		}
	}
	if a := raw(t, r.address("127.0.0.1:000"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); a.err == nil {
		t.Errorf("without its PROXY header: got %d", a.status)
	}
}

// Nothing that a client could not say in a header may be said in a trailer.
func TestTrailersAreClean(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	r := start(t, `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}}, {address: "127.0.0.1:00"}]
apis: {a: {authorize: none, routes: [{match: POST /, target: "http://`+backend+`"}]}}
`, nil)
	forged := []string{
		"X-Real-IP", "True-Client-IP", "Cf-Connecting-Ip", "X_Forwarded_For", "Forwarded", "X-Gatehouse-Principal", "Proxy-User",
		"X-Method-Override", "X-HTTP-Method", "X-Original-Host", "X-Api-Key", "X-Amz-Security-Token", "Authorization", "Cookie", "Content-Type",
	}
	request := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, " + strings.Join(forged, ", ") + "\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n"
	for _, name := range forged {
		request += name + ": forged\r\n"
	}
	a := raw(t, r.address("127.0.0.1:00"), request+"\r\n")
	if a.status != 200 || !strings.Contains(a.body, `"trailer":{"X-Sum":["1"]}`) {
		t.Errorf("got %d %s %v", a.status, a.body, a.err)
	}
}

func TestMisdirected(t *testing.T) {
	r := start(t, `
apis:
  a: {domains: [a.test], authorize: none, routes: [{match: GET /, target: mock}]}
  b: {domains: [b.test, "*.b.test"], authorize: none, routes: [{match: GET /, target: mock}]}
  rest: {authorize: none, routes: [{match: GET /, target: mock}]}
`, nil)
	ask := func(sni, host string) answer {
		conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: r.roots, ServerName: sni})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return read(resp, err)
	}
	for _, tc := range []struct {
		sni, host string
		status    int
	}{
		{"a.test", "a.test", 200}, {"a.test", "A.TEST.:443", 200}, {"a.test", "b.test", 421}, {"a.test", "x.b.test", 421},
		{"b.test", "x.b.test", 200}, // one API's names are one
		{"a.test", "other.test", 421},
		{"localhost", "b.test", 200}, {"localhost", "other.test", 200},
	} {
		a := ask(tc.sni, tc.host)
		if a.status != tc.status {
			t.Errorf("SNI %s, Host %s: got %d, want %d", tc.sni, tc.host, a.status, tc.status)
		}
		if a.status == 200 && a.header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("HSTS: %q", a.header.Get("Strict-Transport-Security"))
		}
	}
}

// TestCertificateFiles: a certificate that is replaced on disk is served a
// moment later, with no reload asked for and no restart.
func TestCertificateFiles(t *testing.T) {
	cert, key := testCertificate(t)
	r := start(t, `
listen: [{address: "127.0.0.1:0", tls: {certificates: [{cert: tls/cert.pem, key: tls/key.pem}]}}]
apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}}
`, map[string][]byte{"tls/cert.pem": cert, "tls/key.pem": key})
	serves := func(cert []byte) bool {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(cert)
		conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: roots, ServerName: "localhost"})
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}
	if !serves(cert) {
		t.Fatal("the first certificate is not served")
	}
	next, nextKey := testCertificate(t)
	r.write("tls/key.pem", nextKey) // for a moment the two do not fit: that reload fails, and harms nothing
	r.write("tls/cert.pem", next)
	for deadline := time.Now().Add(15 * time.Second); !serves(next); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not served:\n%s", r.log)
		}
	}
}

func TestBefore(t *testing.T) {
	cfg, err := gatehouse.Before("http://localhost:3000")
	if err != nil {
		t.Fatal(err)
	}
	if routes := cfg.Routes(); len(routes) != 1 || routes[0].Target != "http://localhost:3000" || len(cfg.Throttle) == 0 {
		t.Errorf("routes %+v, throttle %v", routes, cfg.Throttle)
	}
	if cfg, err := gatehouse.Before("localhost:3000"); err != nil || cfg.Routes()[0].Target != "http://localhost:3000" {
		t.Errorf("an address without its scheme: %v", err)
	}
	for _, address := range []string{"", "http://", "http://localhost:3000/path", "ftp://localhost:3000", "http://user:tiger@localhost", "http://${env:HOME}:3000", "localhost:99999"} {
		if _, err := gatehouse.Before(address); err == nil || strings.Contains(err.Error(), "tiger") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestDrain: a request that was accepted is answered, though the gateway is
// told to stop meanwhile.
func TestDrain(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	r := start(t, `apis: {a: {authorize: none, routes: [{match: "GET /{proxy*}", target: "http://`+backend+`"}]}}`, nil)
	for _, p := range protocols {
		if p.name == "h2" {
			continue
		}
		got := make(chan answer)
		go func() {
			got <- p.send(t, r, message{method: "GET", target: "/behave/slow/500ms", host: "localhost"})
		}()
		awaitRequest(t, r, backend)
		r.stop()
		if a := <-got; a.status != 200 {
			t.Errorf("%s: got %d %v", p.name, a.status, a.err)
		}
	}
}

// awaitRequest waits until the gateway has a request under way to a target.
func awaitRequest(t *testing.T, r *running, target string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, s := range r.Status().Targets {
			if s.InFlight > 0 {
				return
			}
		}
	}
	t.Fatalf("no request reached %s", target)
}
