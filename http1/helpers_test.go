package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"gatehouse/http1"
)

// engine is a Server on a socket of its own.
type engine struct {
	t        testing.TB
	server   *http1.Server
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	conns    map[*http1.Conn]bool
	faults   []http1.Fault
	broken   int
	slow     int
	hijacked int
	panics   []any
	contexts int
}

func settings() http1.Settings {
	return http1.Settings{
		Head: 16 << 10, Fields: 100,
		HeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, BodyTimeout: 5 * time.Second,
	}
}

func start(t testing.TB, s http1.Settings, handler http.HandlerFunc) *engine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, server: &http1.Server{Settings: s, Handler: handler}, listener: l, conns: make(map[*http1.Conn]bool)}
	go e.accept()
	t.Cleanup(e.close)
	return e
}

func (e *engine) accept() {
	for {
		c, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.wg.Add(1)
		go e.serve(c)
	}
}

func (e *engine) serve(c net.Conn) {
	defer e.wg.Done()
	conn := e.server.NewConn(c, owner{e})
	e.mu.Lock()
	e.conns[conn] = true
	e.mu.Unlock()
	conn.Serve(nil)
	e.mu.Lock()
	delete(e.conns, conn)
	e.mu.Unlock()
}

// close ends every connection and waits until that is so.
func (e *engine) close() {
	if e.listener != nil {
		_ = e.listener.Close()
	}
	e.mu.Lock()
	for c := range e.conns {
		c.Kill()
	}
	e.mu.Unlock()
	e.wg.Wait()
}

func (e *engine) addr() string { return e.listener.Addr().String() }

func (e *engine) dial() net.Conn {
	e.t.Helper()
	c, err := net.Dial("tcp", e.addr())
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// owner is the engine as its connections see it.
type owner struct{ *engine }

// scope is a context that is spent once somebody asked for its Done.
type scope struct {
	context.Context
	mu   sync.Mutex
	held bool
}

func (s *scope) Done() <-chan struct{} {
	s.mu.Lock()
	s.held = true
	s.mu.Unlock()
	return s.Context.Done()
}

func (s *scope) Spent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (o owner) Context(connection http1.Connection) http1.Context {
	o.mu.Lock()
	o.contexts++
	o.mu.Unlock()
	return &scope{Context: connection}
}

func (o owner) Refused(f http1.Fault) (http.Header, []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, f)
	return http.Header{"Content-Type": {"application/json"}}, fmt.Appendf(nil, `{"message":%q}`, http.StatusText(f.Status))
}

func (o owner) Broken()   { o.count(&o.broken) }
func (o owner) SlowBody() { o.count(&o.slow) }
func (o owner) Hijacked() { o.count(&o.hijacked) }

func (o owner) count(n *int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*n++
}

func (o owner) Panicked(cause any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.panics = append(o.panics, cause)
}

// send writes text on a new connection and returns all that comes back until
// the connection ends.
func (e *engine) send(text string) string {
	e.t.Helper()
	c := e.dial()
	if _, err := io.WriteString(c, text); err != nil {
		e.t.Fatal(err)
	}
	all, _ := io.ReadAll(c)
	return string(all)
}

// answers splits what came back into answers to requests by method.
func answers(t testing.TB, text string, methods ...string) []*http.Response {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader([]byte(text)))
	var out []*http.Response
	for _, m := range methods {
		resp, err := http.ReadResponse(r, &http.Request{Method: m})
		if err != nil {
			t.Fatalf("answer %d: %v in %q", len(out)+1, err, text)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("answer %d: %v in %q", len(out)+1, err, text)
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		out = append(out, resp)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Fatalf("more than %d answers: %q", len(methods), rest)
	}
	return out
}

func bodyOf(r *http.Response) string {
	all, _ := io.ReadAll(r.Body)
	return string(all)
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
