package upstream

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

// cautious sends a request's head with Expect: 100-continue, and the body only
// once it was asked for. It returns whether it was, and the answer.
func cautious(t *testing.T, f *front, method string, size int) (asked bool, resp *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: %d\r\n\r\n", method, size)
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusContinue:
			asked = true
			go func() { _, _ = io.WriteString(conn, strings.Repeat("x", size)) }()
		case http.StatusEarlyHints:
		default:
			return asked, resp
		}
	}
}

// reader answers a request whose head was read, having read its body.
func reader(t *testing.T, conn net.Conn, req *http.Request) {
	n, err := io.Copy(io.Discard, req.Body)
	if err != nil {
		t.Error(err)
	}
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Got: %d\r\n\r\n", n)
}

// A client that asks whether its body is wanted is answered by the service,
// unless the body is small, or a filter has asked for it already.
func TestExpect(t *testing.T) {
	const go100 = "HTTP/1.1 100 Continue\r\n\r\n"
	for name, c := range map[string]struct {
		size, peek int
		passed     bool   // the service is asked
		says       string // the service's answer before it reads
		reads      bool
		status     int
		asked      bool // the client's body is asked for
		reused     bool
	}{
		"wanted":                 {100 << 10, 0, true, go100, true, 200, true, true},
		"small":                  {1 << 10, 0, false, "", true, 200, true, true},
		"a filter has begun":     {100 << 10, 10, false, "", true, 200, true, true},
		"refused":                {100 << 10, 0, true, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", false, 401, false, false},
		"not understood":         {100 << 10, 0, true, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", false, 417, false, false},
		"wanted twice":           {100 << 10, 0, true, go100 + go100, true, 200, true, false},
		"hints first":            {100 << 10, 0, true, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + go100, true, 200, true, true},
		"no word: sent all same": {100 << 10, 0, true, "", true, 200, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if req.Method == "GET" {
						_, _ = io.WriteString(conn, okAnswer)
						continue
					}
					if e := req.Header.Get("Expect"); (e == "100-continue") != c.passed {
						t.Errorf("Expect: %q", e)
					}
					_, _ = io.WriteString(conn, c.says)
					if c.reads {
						reader(t, conn, req)
					}
				}
			})
			f := newFront(t, New(Route{Service: bind(t, service(b.address()))}), func(f *front) { f.peek = c.peek })
			began := time.Now()
			asked, resp := cautious(t, f, "POST", c.size)
			if asked != c.asked || resp.StatusCode != c.status {
				t.Errorf("asked for the body: %v, %v; %+v", asked, resp, f.last(t))
			}
			if got := resp.Header.Get("X-Got"); c.reads && got != fmt.Sprint(c.size) {
				t.Errorf("the service got %s bytes", got)
			}
			if d := time.Since(began); c.says != "" && d > continueWait/2 {
				t.Errorf("it took %v", d)
			}
			f.last(t)
			if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 || f.last(t).Upstream.Reused != c.reused {
				t.Errorf("%v, %v: reused %v", resp, err, !c.reused)
			}
		})
	}
}

// A body that nobody has asked for can still be sent to somebody else.
func TestExpectRetried(t *testing.T) {
	b := newBackend(t, func(n int, conn net.Conn, r *bufio.Reader) {
		for i := 0; ; i++ {
			req, err := http.ReadRequest(r)
			switch {
			case err != nil:
				return
			case req.Method == "GET":
				_, _ = io.WriteString(conn, okAnswer)
			case n == 0:
				return // a pooled connection that dies
			default:
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				reader(t, conn, req)
			}
		}
	})
	f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
	if _, _, err := get(t, f.URL+"/"); err != nil {
		t.Fatal(err)
	}
	f.last(t)
	asked, resp := cautious(t, f, "PUT", 100<<10)
	if o := f.last(t); !asked || resp.StatusCode != 200 || o.Upstream.Attempts != 2 {
		t.Errorf("%v, %v, %+v", asked, resp, o)
	}
}

// The route's deadline ends the wait for a word too.
func TestExpectDeadline(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = r.ReadByte()
	})
	f := newFront(t, New(Route{Service: bind(t, service(b.address()))}), func(f *front) { f.timeout = 100 * time.Millisecond })
	if asked, resp := cautious(t, f, "POST", 100<<10); asked || resp.StatusCode != 504 {
		t.Errorf("%v, %v", asked, resp)
	}
	if o := f.last(t); o.Reason != "deadline" {
		t.Errorf("%+v", o)
	}
}
