package test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stormConfig is a configuration whose name shows in what two filters do:
// transform sets a request header that the service echoes, and CORS exposes a
// header of that name.
func stormConfig(backend, name string) string {
	return fmt.Sprintf(`
apis:
  shop:
    domains: [localhost]
    authorize: none
    routes:
      - match: "ANY /{proxy*}"
        target: service:a
        headers: {request: {set: {x-conf: %[2]s}}}
        cors: {origins: ["https://shop.test"], expose: [conf-%[2]s]}
        throttle: [{rate: 1000000/s, per: ip}]
services:
  a: {targets: ["%[1]s"], health: {path: /healthz, interval: 100ms}}
`, backend, name)
}

// storm is load on a gateway, and what came of it.
type storm struct {
	requests, failed, mixed atomic.Int64
	first                   atomic.Pointer[string]
	stop                    chan struct{}
	done                    sync.WaitGroup
}

func (s *storm) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.first.CompareAndSwap(nil, &text)
	s.failed.Add(1)
}

// judge looks for an answer that two configurations made together.
func (s *storm) judge(status int, header http.Header, body []byte) {
	s.requests.Add(1)
	var got seen
	if status != http.StatusOK || json.Unmarshal(body, &got) != nil {
		s.fail("status %d: %s", status, body)
		return
	}
	conf := strings.Join(got.Header["X-Conf"], ",")
	if exposed := header.Get("Access-Control-Expose-Headers"); exposed != "conf-"+conf {
		s.mixed.Add(1)
		s.fail("mixed: x-conf %s, exposed %s", conf, exposed)
	}
}

// http2 sends requests over one HTTP/2 connection.
func (s *storm) http2(address string, roots *x509.CertPool) {
	defer s.done.Done()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	for s.goesOn() {
		req, _ := http.NewRequest("GET", "https://"+address+"/x", nil)
		req.Host = "localhost"
		req.Header.Set("Origin", "https://shop.test")
		resp, err := client.Do(req)
		if err != nil {
			s.fail("h2: %v", err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			s.fail("h2 body: %v", err)
			continue
		}
		s.judge(resp.StatusCode, resp.Header, body)
	}
}

// http1 sends requests over keep-alive connections, and never sends one
// again: a connection that ends without having said so is a failure.
func (s *storm) http1(address string, roots *x509.CertPool) {
	defer s.done.Done()
	var conn *tls.Conn
	var in *bufio.Reader
	for s.goesOn() {
		if conn == nil {
			var err error
			conn, err = tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "localhost"})
			if err != nil {
				s.fail("h1 dial: %v", err)
				continue
			}
			in = bufio.NewReader(conn)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, err := io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://shop.test\r\n\r\n")
		if err != nil {
			s.fail("h1 write: %v", err)
			conn = nil
			continue
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			s.fail("h1 read: %v", err)
			conn = nil
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			s.fail("h1 body: %v", err)
			conn = nil
			continue
		}
		s.judge(resp.StatusCode, resp.Header, body)
		if resp.Close {
			_ = conn.Close()
			conn = nil
		}
	}
	if conn != nil {
		_ = conn.Close()
	}
}

func (s *storm) goesOn() bool {
	select {
	case <-s.stop:
		return false
	default:
		return true
	}
}

// TestReloadStorm flips between two configurations 300 times under load from
// two generators: nothing fails, nothing is mixed, nothing grows.
func TestReloadStorm(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	r := start(t, stormConfig(backend, "one"), nil)
	s := &storm{stop: make(chan struct{})}
	s.done.Add(2)
	go s.http1(r.secure(), r.roots)
	go s.http2(r.secure(), r.roots)
	flip := func(times int) {
		for i := range times {
			r.configure(stormConfig(backend, [...]string{"two", "one"}[i%2]))
			if err := r.Reload(t.Context()); err != nil {
				t.Fatalf("reload %d: %v", i, err)
			}
		}
	}
	flip(20) // what is made once is there now
	goroutines, descriptors, memory := footprint(t)
	flip(280)
	goroutines2, descriptors2, memory2 := footprint(t)
	close(s.stop)
	s.done.Wait()
	t.Logf("%d requests; goroutines %d -> %d, descriptors %d -> %d, heap %d -> %d KiB",
		s.requests.Load(), goroutines, goroutines2, descriptors, descriptors2, memory>>10, memory2>>10)
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, %d of them mixed: %s", n, s.requests.Load(), s.mixed.Load(), *s.first.Load())
	}
	if s.requests.Load() < 100 {
		t.Errorf("only %d requests: no load to speak of", s.requests.Load())
	}
	if goroutines2 > goroutines+10 || descriptors2 > descriptors+10 || memory2 > memory+8<<20 {
		t.Error("something grows with every reload")
	}
}

func footprint(t *testing.T) (goroutines, descriptors int, heap uint64) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: what a reload leaves behind cannot be counted")
	}
	return runtime.NumGoroutine(), len(fds), m.HeapAlloc
}

// TestUnreachableKeys: an issuer whose keys cannot be had fails its own routes
// alone, and no reload.
func TestUnreachableKeys(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	r := start(t, stormConfig(backend, "one"), nil)
	r.configure(`
apis:
  shop:
    domains: [localhost]
    authorize: customers
    authorizers:
      customers: {jwt: {issuer: x, audience: y, jwks: "http://127.0.0.1:` + freePort(t) + `/jwks"}}
    routes:
      - {match: GET /closed, target: "service:a"}
      - {match: GET /open, target: "service:a", authorize: none}
services:
  a: {targets: ["` + backend + `"]}
`)
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4Iiwic3ViIjoiYSJ9.AAAA" // of the issuer x
	closed := sendHTTP1(t, r, message{method: "GET", target: "/closed", host: "localhost", header: [][2]string{{"Authorization", "Bearer " + token}}})
	open := sendHTTP1(t, r, message{method: "GET", target: "/open", host: "localhost"})
	if closed.status != 503 || open.status != 200 {
		t.Errorf("closed %d, open %d; want 503 and 200", closed.status, open.status)
	}
}
