package test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// storm is load on a gateway whose configuration changes all the time, and
// what came of it.
type storm struct {
	backends                map[string]string // configuration: the service that answers under it
	requests, failed, mixed atomic.Int64
	first                   atomic.Pointer[string]
	served                  [2]atomic.Int64 // by each generator
	stop                    chan struct{}
	once                    sync.Once
	done                    sync.WaitGroup
	pause                   sync.RWMutex // held for reading while a request is under way
}

// startStorm puts the load of two generators on a gateway.
func startStorm(t *testing.T, r *running, backends map[string]string) *storm {
	s := &storm{backends: backends, stop: make(chan struct{})}
	s.done.Go(func() { s.http1(r) })
	s.done.Go(func() { s.http2(r) })
	t.Cleanup(s.end)
	return s
}

// end ends the load; a second time it does nothing.
func (s *storm) end() {
	s.once.Do(func() { close(s.stop) })
	s.done.Wait()
}

func (s *storm) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.first.CompareAndSwap(nil, &text)
	s.failed.Add(1)
}

// judge looks for an answer that two configurations made together: the name of
// one shows in a header that transform sets and the service echoes, in the one
// that CORS exposes, and in which service answers.
func (s *storm) judge(a answer) {
	s.requests.Add(1)
	var got seen
	if a.err != nil || a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &got) != nil {
		s.fail("status %d %s %v", a.status, a.body, a.err)
		return
	}
	conf := strings.Join(got.Header["X-Conf"], ",")
	exposed := a.header.Get("Access-Control-Expose-Headers")
	if exposed != "conf-"+conf || got.Backend != s.backends[conf] {
		s.mixed.Add(1)
		s.fail("mixed: x-conf %q, exposed %q, answered by %q", conf, exposed, got.Backend)
	}
}

// http2 sends requests over one HTTP/2 connection.
func (s *storm) http2(r *running) {
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	for s.goesOn() {
		s.pause.RLock()
		req, _ := http.NewRequest("GET", "https://"+r.secure()+"/x", nil)
		req.Host = "localhost"
		req.Header.Set("Origin", "https://shop.test")
		resp, err := client.Do(req)
		s.judge(read(resp, err))
		s.served[1].Add(1)
		s.pause.RUnlock()
	}
}

// http1 sends requests over keep-alive connections, and never sends one
// again: a connection that ends without having said so is a failure.
func (s *storm) http1(r *running) {
	var c keepAlive
	defer c.close()
	for s.goesOn() {
		s.pause.RLock()
		a := c.ask(r)
		s.judge(a)
		s.served[0].Add(1)
		s.pause.RUnlock()
	}
}

// keepAlive is an HTTP/1.1 connection, opened anew when it has ended.
type keepAlive struct {
	conn net.Conn
	in   *bufio.Reader
}

func (c *keepAlive) ask(r *running) answer {
	if c.conn == nil {
		conn, err := message{}.connect(r, "http/1.1")
		if err != nil {
			return answer{err: err}
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(c.conn, "GET /x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://shop.test\r\n\r\n")
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(c.in, nil)
	}
	a := read(resp, err)
	if a.err != nil || resp.Close {
		c.close()
	}
	return a
}

func (c *keepAlive) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
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

// warm lets requests pass until the gateway remembers as many as it ever will,
// and all that is made once is there.
func (s *storm) warm(t *testing.T, r *running, configs ...string) holding {
	t.Helper()
	s.blow(t, r, 20, configs...)
	for deadline := time.Now().Add(3 * patience); s.requests.Load() < 6000; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d requests", s.requests.Load())
		}
	}
	return s.footprint(t)
}

// holding is what the process has.
type holding struct {
	goroutines, descriptors int
	heap                    uint64
}

// growth is what may come and go by itself: a health check under way, what a
// connection buffers. A few bytes kept by each reload are more.
var growth = holding{goroutines: 5, descriptors: 3, heap: 512 << 10}

// within reports whether h is no more than before.
func (h holding) within(before holding) bool {
	return h.goroutines <= before.goroutines+growth.goroutines && h.descriptors <= before.descriptors+growth.descriptors && h.heap <= before.heap+growth.heap
}

func footprint(t *testing.T) holding {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools held for one more round is gone, too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: what a reload leaves behind cannot be counted")
	}
	return holding{runtime.NumGoroutine(), len(fds), m.HeapAlloc}
}

// footprint measures while no request is under way.
func (s *storm) footprint(t *testing.T) holding {
	t.Helper()
	s.pause.Lock()
	defer s.pause.Unlock()
	return footprint(t)
}

// stays waits until the process has no more than before: what a reload retires
// may take a moment to end.
func (s *storm) stays(t *testing.T, before holding) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		now := s.footprint(t)
		if now.within(before) {
			t.Logf("%d requests; goroutines %d -> %d, descriptors %d -> %d, heap %d -> %d KiB", s.requests.Load(),
				before.goroutines, now.goroutines, before.descriptors, now.descriptors, before.heap>>10, now.heap>>10)
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("reloads leave something behind: %+v before, %+v now", before, now)
			return
		}
	}
}

// blow flips between two configurations.
func (s *storm) blow(t *testing.T, r *running, times int, configs ...string) {
	t.Helper()
	for i := range times {
		r.configure(configs[i%len(configs)])
		if err := r.Reload(t.Context()); err != nil {
			t.Fatalf("reload %d: %v", i, err)
		}
	}
}

// report fails the test for every request that was not answered by one
// configuration alone.
func (s *storm) report(t *testing.T) {
	t.Helper()
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, %d of them mixed: %s", n, s.requests.Load(), s.mixed.Load(), *s.first.Load())
	}
	for i := range s.served {
		if n := s.served[i].Load(); n < 300 {
			t.Errorf("generator %d made %d requests: no load to speak of", i+1, n)
		}
	}
}

// TestReloadStorm flips 300 times between two configurations that differ in two
// filters: nothing fails, nothing is mixed, nothing grows.
func TestReloadStorm(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	one, two := stormConfig(backend, "one"), stormConfig(backend, "two")
	r := start(t, one, nil)
	s := startStorm(t, r, map[string]string{"one": "a", "two": "a"})
	before := s.warm(t, r, two, one)
	s.blow(t, r, 300, two, one)
	s.stays(t, before)
	s.report(t)
}

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
  a:
    targets: ["%[1]s"]
    health: {path: /healthz, interval: 100ms}
    outliers: {}
    slow-start: 1s
    breaker: {}
    concurrency: {per-target: 4, queue: 100, queue-timeout: 10s}
`, backend, name)
}

// TestReloadStormOfKeepers flips between two configurations that share hardly
// anything: services with their pools and health, keys and their fetching, log
// files, limits, a further listener, and what connections are told of the first.
func TestReloadStormOfKeepers(t *testing.T) {
	stage := newStage(t)
	config := func(name string) string {
		return stage.expand(fmt.Sprintf(`
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}, limits: {idle-timeout: %[2]s}}
  - {address: "127.0.0.1:%[3]s"}
log: {access: ./access-%[1]s.log}
throttle: [{rate: 1000000/%[4]s, per: ip}]
apis:
  shop:
    domains: [localhost]
    authorize: none
    routes:
      - match: "ANY /{proxy*}"
        target: service:%[1]s
        headers: {request: {set: {x-conf: %[1]s}}}
        cors: {origins: ["https://shop.test"], expose: [conf-%[1]s]}
      - {match: GET /closed/%[1]s, target: mock, authorize: %[1]s}
    authorizers:
      %[1]s: {jwt: {issuer: "https://%[1]s.test", audience: a, jwks: "http://{{issuer}}/%[1]s"}}
services:
  %[1]s: {targets: ["{{backend-%[1]s}}"], health: {path: /healthz, interval: 100ms}}
`, name, map[string]string{"one": "30s", "two": "40s"}[name], map[string]string{"one": "00", "two": "000"}[name], map[string]string{"one": "s", "two": "m"}[name]))
	}
	one, two := config("one"), config("two")
	r := start(t, one, nil)
	s := startStorm(t, r, map[string]string{"one": "backend-one", "two": "backend-two"})
	before := s.warm(t, r, two, one)
	s.blow(t, r, 60, two, one)
	s.stays(t, before)
	s.report(t)
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
      customers: {jwt: {issuer: x, audience: y, jwks: "http://` + nobody(t) + `/jwks"}}
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
