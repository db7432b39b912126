package test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// securedBackend is a service behind TLS. It shows the certificate that it is
// given last, and takes no client but the gateway itself, by the internal CA.
func securedBackend(t *testing.T, r *running) (address string, show func(cert, key []byte)) {
	t.Helper()
	var current atomic.Pointer[tls.Certificate]
	root, err := os.ReadFile(filepath.Join(r.dir, "data", "ca", "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(root)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(r.TLS.PeerCertificates[0].DNSNames, " "))
	}))
	s.TLS = &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil },
		ClientAuth:     tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	show = func(cert, key []byte) {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		current.Store(&pair)
	}
	show(testCertificate(t))
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), show
}

// Whom the gateway takes for a service, and whom it shows itself as; the file
// that says so is replaced under way, with nothing asked for.
func TestServiceCertificates(t *testing.T) {
	cert, key := testCertificate(t)
	r := start(t, `apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}}`, map[string][]byte{"ca.pem": cert})
	address, show := securedBackend(t, r)
	show(cert, key)
	r.configure(`
apis:
  a:
    authorize: none
    routes:
      - {match: GET /, target: "service:right"}
      - {match: GET /name, target: "service:name"}
      - {match: GET /system, target: "service:system"}
      - {match: GET /nobody, target: "service:nobody"}
services:
  right:  {targets: ["` + address + `"], tls: {ca: ca.pem, server-name: localhost, client-certificate: internal}}
  name:   {targets: ["` + address + `"], tls: {ca: ca.pem, server-name: other.test, client-certificate: internal}}
  system: {targets: ["` + address + `"], tls: {server-name: localhost, client-certificate: internal}}
  nobody: {targets: ["` + address + `"], tls: {ca: ca.pem, server-name: localhost}}
`)
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask := func(path string) answer {
		return sendHTTP1(t, r, message{method: "GET", target: path, host: "localhost"})
	}
	if a := ask("/"); a.status != 200 || !strings.HasSuffix(a.body, ".gateway.gatehouse.internal") {
		t.Errorf("got %d %q %v", a.status, a.body, a.err)
	}
	for _, path := range []string{"/name", "/system", "/nobody"} {
		a := ask(path)
		line := r.logLine(a.header.Get("X-Amzn-Requestid"))
		if a.status != 502 || path != "/nobody" && !strings.Contains(line, `"reason":"tls"`) {
			t.Errorf("%s: got %d, the log says %s", path, a.status, line)
		}
		if strings.Contains(a.body, "certificate") {
			t.Errorf("%s: the client learns why: %s", path, a.body)
		}
	}

	next, nextKey := testCertificate(t)
	show(next, nextKey)
	r.write("ca.pem", next)
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(r.log.String(), "generation=3") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("ca.pem was not read again:\n%s", r.log)
		}
	}
	if a := ask("/"); a.status != 200 {
		t.Errorf("after ca.pem was replaced: got %d %q %v", a.status, a.body, a.err)
	}
}
