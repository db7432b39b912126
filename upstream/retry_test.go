package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/dial"
	"gatehouse/exchange"
)

// Which failures lead to another attempt, and which must not.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		method   string
		body     int
		chunked  bool
		first    string // what the first target does: refuse | close | cut | bad | stall
		retries  int
		status   int
		attempts int
	}{
		{"a refused connect, any method", "POST", 10, false, "refuse", 1, 200, 2},
		{"a refused connect, a large body", "POST", 1 << 20, false, "refuse", 1, 200, 2},
		{"a refused connect, a body of unknown length", "POST", 1 << 20, true, "refuse", 1, 200, 2},
		{"a refused connect, no retries", "GET", 0, false, "refuse", 0, 502, 1},
		{"a new connection that closes, GET", "GET", 0, false, "close", 5, 502, 1},
		{"a new connection that closes, POST", "POST", 10, false, "close", 5, 502, 1},
		{"an answer cut off", "GET", 0, false, "cut", 5, 502, 1},
		{"a bad answer", "GET", 0, false, "bad", 5, 502, 1},
		{"no answer in time", "GET", 0, false, "stall", 5, 504, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen atomic.Int64
			first := refusing(t)
			if c.first != "refuse" {
				first = newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
					request(r)
					seen.Add(1)
					switch c.first {
					case "cut":
						_, _ = io.WriteString(conn, "HTTP/1.1 200")
					case "bad":
						_, _ = io.WriteString(conn, "no\n")
					case "stall":
						_, _ = r.ReadByte()
					}
				}).address()
			}
			second := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				for {
					req := request(r)
					if req == nil {
						return
					}
					b, _ := io.ReadAll(req.Body)
					if len(b) != c.body {
						t.Errorf("%d bytes arrived of %d", len(b), c.body)
					}
					_, _ = io.WriteString(conn, okAnswer)
				}
			})
			cfg := service(first, second.address())
			if c.first == "stall" {
				cfg.Timeouts.Answer = ms(100)
			}
			s := bind(t, cfg)
			for s.set.Load().picker.Pick(0, nil) != 1 { // so that it is the first one's turn
			}
			f := newFront(t, New(Route{Service: s, Retries: c.retries}))
			var body io.Reader = strings.NewReader(strings.Repeat("x", c.body))
			if c.chunked {
				body = io.MultiReader(body)
			}
			req, _ := http.NewRequest(c.method, f.URL+"/", body)
			resp, err := http.DefaultClient.Do(req)
			if err != nil || resp.StatusCode != c.status {
				t.Fatal(resp, err)
			}
			resp.Body.Close()
			if o := f.last(t); o.Upstream.Attempts != c.attempts {
				t.Errorf("%+v", o)
			}
			if seen.Load() > 1 {
				t.Errorf("the first target got the request %d times", seen.Load())
			}
		})
	}
}

// A pooled connection that its other side has closed costs nobody a request.
func TestClosedWhileIdle(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			closed := make(chan struct{}, 8)
			b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				request(r)
				_, _ = io.WriteString(conn, okAnswer)
				conn.Close()
				closed <- struct{}{}
			})
			f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
			for range 5 {
				req, _ := http.NewRequest(method, f.URL+"/", strings.NewReader("body"))
				resp, err := http.DefaultClient.Do(req)
				if err != nil || resp.StatusCode != 200 {
					t.Fatal(resp, err)
				}
				resp.Body.Close()
				<-closed
			}
		})
	}
}

// A pooled connection that dies under a request: only what may be sent twice
// is, and once more at most.
func TestStale(t *testing.T) {
	for _, c := range []struct {
		method string
		body   int
		peek   int
		status int
		seen   int64 // requests that targets saw, the first one on the connection beside it
	}{
		{"GET", 0, 0, 200, 2},
		{"HEAD", 0, 0, 200, 2},
		{"PUT", 100, 0, 200, 2},
		{"DELETE", 0, 0, 200, 2},
		{"POST", 100, 0, 502, 1},
		{"PATCH", 100, 0, 502, 1},
		{"PUT", 1 << 20, 0, 502, 1},       // the body is gone
		{"PUT", 1 << 20, 2 << 20, 200, 2}, // a filter has buffered it
	} {
		var seen atomic.Int64
		b := newBackend(t, func(n int, conn net.Conn, r *bufio.Reader) {
			for i := 0; ; i++ {
				req := request(r)
				if req == nil {
					return
				}
				if i == 0 && n == 0 {
					_, _ = io.WriteString(conn, okAnswer)
					continue
				}
				seen.Add(1)
				if n == 0 {
					conn.Close()
					return
				}
				_, _ = io.WriteString(conn, okAnswer)
			}
		})
		f := newFront(t, New(Route{Service: bind(t, service(b.address()))}), func(f *front) { f.peek = c.peek })
		if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		f.last(t)
		req, _ := http.NewRequest(c.method, f.URL+"/", strings.NewReader(strings.Repeat("x", c.body)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != c.status || seen.Load() != c.seen {
			t.Errorf("%s with %d bytes: %v, %v, seen %d times, %+v", c.method, c.body, resp, err, seen.Load(), f.last(t))
			continue
		}
		resp.Body.Close()
	}
}

// A service that closes every connection after one answer is not asked the
// same thing again and again.
func TestStaleOnce(t *testing.T) {
	var seen atomic.Int64
	b := newBackend(t, func(n int, conn net.Conn, r *bufio.Reader) {
		if n == 0 {
			request(r)
			_, _ = io.WriteString(conn, okAnswer)
		}
		if request(r) != nil {
			seen.Add(1)
		}
	})
	f := newFront(t, New(Route{Service: bind(t, service(b.address())), Retries: 10}))
	if _, _, err := get(t, f.URL+"/"); err != nil {
		t.Fatal(err)
	}
	resp, _, err := get(t, f.URL+"/")
	if err != nil || resp.StatusCode != 502 || seen.Load() != 2 {
		t.Errorf("%v, %v, seen %d times", resp, err, seen.Load())
	}
}

func TestIdempotent(t *testing.T) {
	for _, m := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		if !idempotent(m) {
			t.Error(m)
		}
	}
	for _, m := range []string{"POST", "PATCH", "CONNECT", "get", "LOCK", "X"} {
		if idempotent(m) {
			t.Error(m)
		}
	}
}

// A gateway that has run out of descriptors does not take its targets out for it.
func TestExhaustedIsNobodysFault(t *testing.T) {
	b := newBackend(t, always(okAnswer))
	k := newTestKeeper(t)
	c := service(b.address())
	c.Health = &Health{Interval: ms(3_600_000)}
	s := bindIn(t, k, c)
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := s.current()
		call := &call{handler: &handler{Route: Route{Service: s}}, x: exchange.From(r), w: w, r: r, set: set, endpoint: set.endpoints[0]}
		call.endpoint.Load.Add(1)
		call.fail(call.connectFailure(&dial.Error{Kind: dial.Exhausted, Err: syscall.EMFILE}))
	}))
	resp, _, err := get(t, f.URL+"/")
	if o := f.last(t); err != nil || resp.StatusCode != 503 || o.Reason != "exhausted" || !strings.Contains(o.Detail, "too many open files") {
		t.Errorf("%v, %v, %+v", resp, err, o)
	}
	if got := stats(k)[b.address()]; !got.Healthy || got.ConnectFailures != 0 {
		t.Errorf("%+v", got)
	}
}
