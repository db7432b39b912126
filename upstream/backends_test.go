package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// What a service sends that is no answer becomes a 502 that says why, and its
// connection is never used again.
func TestBadAnswers(t *testing.T) {
	for name, c := range map[string]struct{ answer, reason string }{
		"garbage":              {"SSH-2.0-OpenSSH_9.2\r\n", "bad-answer"},
		"nothing":              {"", "reset"},
		"half a status line":   {"HTTP/1.1 20", "reset"},
		"half a head":          {"HTTP/1.1 200 OK\r\nContent-Le", "reset"},
		"bare LF":              {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "bad-answer"},
		"both framings":        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad-answer"},
		"two lengths":          {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "bad-answer"},
		"folded":               {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", "bad-answer"},
		"an unasked switch":    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", "bad-answer"},
		"a large head":         {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n", "bad-answer"},
		"a flood of 100":       {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100) + okAnswer, "bad-answer"},
		"a flood of 103":       {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 100) + okAnswer, "bad-answer"},
		"an HTTP/1.0 chunked":  {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad-answer"},
		"a control byte":       {"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok", "bad-answer"},
		"too many fields":      {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 600) + "Content-Length: 2\r\n\r\nok", "bad-answer"},
		"HTTP/2's own preface": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad-answer"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				request(r)
				_, _ = io.WriteString(conn, c.answer)
			})
			f := newFront(t, New(Route{Service: bind(t, service(b.address())), Retries: 3}))
			resp, body, err := get(t, f.URL+"/")
			if err != nil || resp.StatusCode != 502 || body != `{"message":"Bad Gateway"}` {
				t.Fatal(resp, body, err)
			}
			if o := f.last(t); o.Reason != c.reason || o.Detail == "" || o.Upstream.Error != o.Detail || o.Upstream.Attempts != 1 {
				t.Errorf("%+v", o)
			}
			if len(resp.Header["X"]) != 0 {
				t.Error("fields of the bad answer were passed on")
			}
		})
	}
}

// An answer that breaks off must look broken to the client, whatever its
// framing was, and over HTTP/2 too.
func TestCutAnswers(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct{ answer, reason string }{
		"within a length":        {head + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000), "cut off"},
		"right after the head":   {head + "Content-Length: 100000\r\n\r\n", "cut off"},
		"within a chunk":         {head + "Transfer-Encoding: chunked\r\n\r\n10\r\nabc", "cut off"},
		"between chunks":         {head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "cut off"},
		"before the last line":   {head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "cut off"},
		"by a broken chunk":      {head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n", "broken chunk"},
		"by a chunk's wrong end": {head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", "longer"},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " h2=", h2), func(t *testing.T) {
				b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
					request(r)
					_, _ = io.WriteString(conn, c.answer)
				})
				f := newFront(t, New(Route{Service: bind(t, service(b.address())), Retries: 3}), withTLS(h2))
				resp, err := f.Client().Get(f.URL + "/")
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if err == nil {
					t.Error("it looks complete")
				}
				if o := f.last(t); !o.Aborted || !strings.Contains(o.Upstream.Error, c.reason) || o.Upstream.Attempts != 1 {
					t.Errorf("%+v", o)
				}
			})
		}
	}
}

// Bytes behind an answer, at once or later, are never taken for the answer to
// another request.
func TestTwoAnswers(t *testing.T) {
	stray := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
	for name, wait := range map[string]time.Duration{"at once": 0, "later": 30 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan struct{}, 16)
			b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				for request(r) != nil {
					if wait == 0 {
						_, _ = io.WriteString(conn, okAnswer+stray)
					} else {
						_, _ = io.WriteString(conn, okAnswer)
						time.Sleep(wait)
						_, _ = io.WriteString(conn, stray)
					}
					sent <- struct{}{}
				}
			})
			f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
			for range 4 {
				if _, body, err := get(t, f.URL+"/"); err != nil || body != "ok" {
					t.Fatal(body, err)
				}
				<-sent
				time.Sleep(2 * time.Millisecond) // loopback delivers at once, but not before the write returns
			}
			if n := b.accepted(); n != 4 {
				t.Errorf("%d connections for 4 requests: one with stray bytes was used again", n)
			}
		})
	}
}

// What forbids to use a connection again.
func TestNotReused(t *testing.T) {
	for name, answer := range map[string]string{
		"close":               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
		"HTTP/1.0":            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
		"a 100 nobody awaits": "HTTP/1.1 100 Continue\r\n\r\n" + okAnswer,
		"a 102":               "HTTP/1.1 102 Processing\r\n\r\n" + okAnswer,
		"a byte behind":       okAnswer + "\n",
		"a body with 204":     "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
		"a chunked 204":       "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a body with 304":     "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, always(answer))
			f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
			for range 3 {
				resp, _, err := get(t, f.URL+"/")
				if err != nil || resp.StatusCode > 304 {
					t.Fatal(resp, err)
				}
			}
			if n := b.accepted(); n != 3 {
				t.Errorf("%d connections for 3 requests", n)
			}
		})
	}
}

func TestReused(t *testing.T) {
	for name, c := range map[string]struct{ method, answer string }{
		"length":      {"GET", okAnswer},
		"chunks":      {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		"trailers":    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"},
		"204":         {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		"304":         {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"},
		"HEAD":        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"},
		"early hints": {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okAnswer},
		"500":         {"GET", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, always(c.answer))
			f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
			for range 3 {
				req, _ := http.NewRequest(c.method, f.URL+"/", nil)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if n := b.accepted(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// An answer in bytes that arrive one by one is the same answer.
func TestSplitAnswer(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for request(r) != nil {
			for _, c := range []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\nX-Sum: 1\r\n\r\n") {
				if _, err := conn.Write([]byte{c}); err != nil {
					return
				}
			}
		}
	})
	f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
	for range 3 {
		resp, body, err := get(t, f.URL+"/")
		if err != nil || body != "wikipedia" || resp.Header.Get("X-A") != "b" || resp.Trailer.Get("X-Sum") != "1" {
			t.Fatal(resp, body, err)
		}
	}
	if b.accepted() != 1 {
		t.Error("not reused")
	}
}

func TestTimeouts(t *testing.T) {
	stall := func(before string) func(int, net.Conn, *bufio.Reader) {
		return func(_ int, conn net.Conn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(conn, before)
			_, _ = r.ReadByte() // until the gateway gives up
		}
	}
	for name, c := range map[string]struct {
		before   string
		answer   int
		idle     int
		route    time.Duration
		status   int
		reason   string
		cutShort bool
	}{
		"no answer":            {"", 60, 5000, 0, 504, "answer-timeout", false},
		"half a head":          {"HTTP/1.1 200 OK\r\nX: ", 60, 5000, 0, 504, "answer-timeout", false},
		"informational only":   {"HTTP/1.1 103 Early Hints\r\n\r\n", 60, 5000, 0, 504, "answer-timeout", false},
		"the route's":          {"", 5000, 5000, 60 * time.Millisecond, 504, "deadline", false},
		"the route's, at once": {"", 5000, 5000, time.Millisecond, 504, "deadline", false},
		"half a body":          {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 5000, 60, 0, 200, "stalled", true},
		"half a body, route's": {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 5000, 5000, 60 * time.Millisecond, 200, "deadline", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, stall(c.before))
			cfg := service(b.address())
			cfg.Timeouts.Answer, cfg.Timeouts.Idle = ms(c.answer), ms(c.idle)
			f := newFront(t, New(Route{Service: bind(t, cfg), Retries: 2}), func(f *front) { f.timeout = c.route })
			began := time.Now()
			resp, _, err := get(t, f.URL+"/")
			o := f.last(t)
			if c.cutShort {
				if err == nil || !o.Aborted || !strings.Contains(o.Upstream.Error, c.reason) {
					t.Errorf("%v, %+v", err, o)
				}
			} else if err != nil || resp.StatusCode != c.status || o.Reason != c.reason {
				t.Errorf("%v, %v, %+v", resp, err, o)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
			if o.Upstream.Attempts != 1 {
				t.Errorf("%d attempts", o.Upstream.Attempts)
			}
		})
	}
}

// A body that keeps moving is never idle, however long it takes in all.
func TestSlowBody(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		request(r)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
		for range 20 {
			time.Sleep(30 * time.Millisecond)
			_, _ = io.WriteString(conn, "x")
		}
	})
	cfg := service(b.address())
	cfg.Timeouts.Answer, cfg.Timeouts.Idle = ms(5000), ms(400)
	f := newFront(t, New(Route{Service: bind(t, cfg)}))
	if _, body, err := get(t, f.URL+"/"); err != nil || len(body) != 20 {
		t.Errorf("%q, %v, %+v", body, err, f.last(t))
	}
}

// Once the client is gone, so is the request to the service.
func TestClientGone(t *testing.T) {
	for name, before := range map[string]string{
		"before the answer": "",
		"within the body":   "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " h2=", h2), func(t *testing.T) {
				asked, closed := make(chan struct{}), make(chan struct{})
				b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
					request(r)
					_, _ = io.WriteString(conn, before)
					close(asked)
					_, _ = r.ReadByte()
					close(closed)
				})
				f := newFront(t, New(Route{Service: bind(t, service(b.address()))}), withTLS(h2))
				ctx, cancel := context.WithCancel(t.Context())
				req, _ := http.NewRequestWithContext(ctx, "GET", f.URL+"/", nil)
				go func() {
					<-asked
					time.Sleep(30 * time.Millisecond)
					cancel()
				}()
				if resp, err := f.Client().Do(req); err == nil {
					_, _ = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				select {
				case <-closed:
				case <-time.After(5 * time.Second):
					t.Fatal("the service still serves a client that has gone")
				}
				if o := f.last(t); !o.Aborted || o.Upstream.Error != errGone.Error() {
					t.Errorf("%+v", o)
				}
			})
		}
	}
}

func TestNoTarget(t *testing.T) {
	dead := refusing(t)
	for name, c := range map[string]struct {
		config func() Config
		status int
		reason string
	}{
		"refused":      {func() Config { return service(dead) }, 502, "connect-refused"},
		"no such host": {func() Config { return service("no-such-host.invalid:80") }, 502, "dns"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, New(Route{Service: bind(t, c.config())}))
			resp, _, err := get(t, f.URL+"/")
			if err != nil || resp.StatusCode != c.status {
				t.Fatal(resp, err)
			}
			if o := f.last(t); o.Reason != c.reason {
				t.Errorf("%+v", o)
			}
		})
	}
}

// refusing returns an address where nobody listens.
func refusing(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestConnectionLimit(t *testing.T) {
	release := make(chan struct{})
	var waiting atomic.Int64
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for request(r) != nil {
			waiting.Add(1)
			<-release
			_, _ = io.WriteString(conn, okAnswer)
		}
	})
	c := service(b.address())
	c.Pool.Max = 2
	f := newFront(t, New(Route{Service: bind(t, c)}))
	results := make(chan int, 2)
	for range 2 {
		go func() {
			resp, _, err := get(t, f.URL+"/")
			if err != nil {
				results <- 0
				return
			}
			results <- resp.StatusCode
		}()
	}
	for waiting.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	resp, _, err := get(t, f.URL+"/")
	if err != nil || resp.StatusCode != 503 {
		t.Fatal(resp, err)
	}
	if o := f.last(t); o.Reason != "connection-limit" {
		t.Errorf("%+v", o)
	}
	close(release)
	if a, b := <-results, <-results; a != 200 || b != 200 {
		t.Error(a, b)
	}
}
