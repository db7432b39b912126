package test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seen is what an echo backend saw of a request; it answers with it.
type seen struct {
	Backend string              `json:"backend"`
	Method  string              `json:"method"`
	URI     string              `json:"uri"`
	Host    string              `json:"host"`
	Header  map[string][]string `json:"header"`
	Body    string              `json:"body,omitempty"`
	Client  string              `json:"clientCertificate,omitempty"`
	Trailer map[string][]string `json:"trailer,omitempty"`
}

// newBackend starts a service that answers with what it saw. Paths below
// /behave/ ask for something else:
//
//	/behave/status/503   that status
//	/behave/slow/200ms   the answer after that time
//	/behave/header/N/V   a header of the answer
//	/behave/large/100000 so many bytes
//	/behave/die          the connection closes without an answer
//	/behave/cut          the connection closes within the body
//	/behave/early        403 before the body is read, which it never is
//	/behave/stall        an answer whose body stops halfway
//	/behave/raw/NAME     bytes that are no good answer: see rawAnswers
//	/healthz             204, or 503 after a request for /behave/sick
func newBackend(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(newEcho(name))
	t.Cleanup(s.Close)
	return s
}

// overHTTP2 serves a backend by HTTP/2 without TLS.
func overHTTP2(t *testing.T, backend *httptest.Server) *httptest.Server {
	s := httptest.NewUnstartedServer(backend.Config.Handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ErrorLog = discard()
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// newBackendAt is newBackend at an address that something names.
func newBackendAt(t *testing.T, name, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(newEcho(name))
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

// newSecureBackend is newBackend over TLS, with a certificate of its own for
// backend.test, which it returns in PEM. Clients may send theirs.
func newSecureBackend(t *testing.T, name string) (s *httptest.Server, certificate []byte) {
	t.Helper()
	cert, key := certificateFor(t, "backend.test")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s = httptest.NewUnstartedServer(newEcho(name))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	s.Config.ErrorLog = discard()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, cert
}

// echo is the backends' handler.
type echo struct {
	name string
	sick chan struct{} // holds one while health checks are to fail
}

func newEcho(name string) *echo { return &echo{name, make(chan struct{}, 1)} }

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		e.health(w)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/behave/"); ok && e.behave(w, r, rest) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server", "backend")
	s := seen{Backend: e.name, Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(body), Trailer: r.Trailer}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		s.Client = r.TLS.PeerCertificates[0].URIs[0].String()
	}
	_ = json.NewEncoder(w).Encode(s)
}

func (e *echo) health(w http.ResponseWriter) {
	if len(e.sick) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// behave reports whether it has answered.
func (e *echo) behave(w http.ResponseWriter, r *http.Request, rest string) bool {
	what, arg, _ := strings.Cut(rest, "/")
	switch what {
	case "status":
		n, _ := strconv.Atoi(arg)
		w.WriteHeader(n)
		return true
	case "slow":
		d, _ := time.ParseDuration(arg)
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		return false
	case "header":
		name, value, _ := strings.Cut(arg, "/")
		w.Header().Set(name, value)
		return false
	case "large":
		n, _ := strconv.Atoi(arg)
		w.Header().Set("Content-Length", arg)
		_, _ = io.WriteString(w, strings.Repeat("x", n))
		return true
	case "sick":
		e.sick <- struct{}{}
		return false
	case "well":
		<-e.sick
		return false
	case "early":
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	misbehave(w, r, what, arg)
	return false
}

// misbehave does what no service should.
func misbehave(w http.ResponseWriter, r *http.Request, what, arg string) {
	switch what {
	case "die":
		panic(http.ErrAbortHandler)
	case "cut":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "not all of it")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "stall":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "not all of it")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case "raw":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, rawAnswers[arg])
			_ = conn.Close()
		}
		panic(http.ErrAbortHandler)
	}
}

// rawAnswers are answers that servers and clients read in different ways, or
// cannot read at all.
var rawAnswers = map[string]string{
	"garbage":        "\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n",
	"half-head":      "HTTP/1.1 200 OK\r\nContent-Le",
	"two-lengths":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhello",
	"length-chunked": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"folded":         "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
	"bare-cr":        "HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\nContent-Length: 2\r\n\r\nok",
	"bad-chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
	"two-answers":    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
	"switch":         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}
