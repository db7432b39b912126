package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
)

// transports are the ways to speak HTTP/1 to a house.
func transports(t *testing.T, h *house, secure bool) net.Conn {
	t.Helper()
	c := dial(t, h.addr())
	if !secure {
		return c
	}
	return tls.Client(c, &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots()})
}

func maybeTLS(secure bool) func(*Listener) {
	if secure {
		return withTLS()
	}
	return func(*Listener) {}
}

// What the engine refuses by itself is answered, counted and told of, over
// TLS and without.
func TestEngineRefusals(t *testing.T) {
	tests := map[string]struct {
		head   string
		status int
		reason string
	}{
		"too large a header":        {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431, "header-too-large"},
		"too large a request line":  {"GET /" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target-too-long"},
		"no HTTP":                   {"hello\r\n\r\n", 400, "bad-request"},
		"no Host":                   {"GET / HTTP/1.1\r\n\r\n", 400, "bad-request"},
		"two Hosts":                 {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad-request"},
		"length and chunked":        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400, "bad-request"},
		"unknown coding":            {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad-request"},
		"unknown version":           {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "version"},
		"unknown expectation":       {"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417, "expectation"},
		"a space before the colon":  {"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400, "bad-request"},
		"a folded line":             {"GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", 400, "bad-request"},
		"the second request":        {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400, "bad-request"},
		"the second, too large":     {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 30<<10) + "\r\n\r\n", 431, "header-too-large"},
		"after one with a body":     {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\n\r\n", 400, "bad-request"},
		"a NUL in a header's value": {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400, "bad-request"},
	}
	for name, test := range tests {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) {
				h := newHouse(t, nil, listenerConfig(maybeTLS(secure)))
				c := transports(t, h, secure)
				go func() { _, _ = io.WriteString(c, test.head) }()
				in := bufio.NewReader(c)
				last := 0
				for {
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						break
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					last = resp.StatusCode
				}
				if last != test.status {
					t.Fatalf("status %d, want %d", last, test.status)
				}
				if got := <-h.refused; got != test.reason {
					t.Errorf("reason %q", got)
				}
				large := h.counters().LargeHeaders.Load()
				if bad := h.counters().BadRequests.Load(); large+bad != 1 || (large == 1) != (test.status == 431 || test.status == 414) {
					t.Errorf("counted %d large, %d bad", large, bad)
				}
				eventually(t, "it is closed", func() bool { return h.counters().Active.Load() == 0 })
				if n := h.counters().CutRequests.Load() + h.counters().SlowHeaders.Load(); n != 0 {
					t.Errorf("counted twice")
				}
			})
		}
	}
}

// Headers up to the limit pass.
func TestHeaderLimit(t *testing.T) {
	h := newHouse(t, nil, listenerConfig())
	for size, want := range map[int]int{4 << 10: 200, 15 << 10: 200, 17 << 10: 431} {
		c := dial(t, h.addr())
		go func() {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n")
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%d bytes: %v %v", size, resp, err)
		}
	}
	tlsHouse := newHouse(t, nil, listenerConfig(withTLS()))
	for size, want := range map[int]int{15 << 10: 200, 21 << 10: 431} {
		r, _ := http.NewRequest("GET", "https://api.shop.test/", nil)
		r.Header.Set("X", strings.Repeat("x", size))
		resp, err := tlsHouse.client(true).Do(r)
		// The client may see from the settings that it would be too much.
		if err != nil && want == 200 || err == nil && resp.StatusCode != want {
			t.Errorf("HTTP/2, %d bytes: %v %v", size, resp, err)
		}
	}
}

func TestSlowHeaders(t *testing.T) {
	quick := func(l *Listener) { l.Limits.HeaderTimeout = config.Duration(100 * time.Millisecond) }
	for _, secure := range []bool{false, true} {
		h := newHouse(t, nil, listenerConfig(maybeTLS(secure), quick))
		c := transports(t, h, secure)
		// One byte at a time does not help: the whole has a deadline.
		go func() {
			for _, b := range []byte("GET / HTTP/1.1\r\nHost: a.test\r\nX: " + strings.Repeat("x", 10000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(10 * time.Millisecond)
			}
		}()
		start := time.Now()
		closedBy(t, c)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("closed after %v", took)
		}
		eventually(t, "counted", func() bool { return h.counters().SlowHeaders.Load() == 1 })
		if got := <-h.refused; got != "header-timeout" {
			t.Error(got)
		}
	}
}

func TestCutHeaders(t *testing.T) {
	h := newHouse(t, nil, listenerConfig())
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.t")
	_ = c.Close()
	eventually(t, "counted", func() bool { return h.counters().CutRequests.Load() == 1 })
	if got := <-h.refused; got != "header-cut" {
		t.Error(got)
	}
	// One that never says anything is nobody's request.
	_ = dial(t, h.addr()).Close()
	eventually(t, "closed", func() bool { return h.counters().Accepted.Load() == 2 && h.counters().Active.Load() == 0 })
	if got := h.counters().CutRequests.Load(); got != 1 || len(h.refused) != 0 {
		t.Error(got, len(h.refused))
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(func(l *Listener) { l.Limits.IdleTimeout = config.Duration(50 * time.Millisecond) }))
	c := dial(t, h.addr())
	if status, _ := ask(t, c, ""); status != 200 {
		t.Fatal(status)
	}
	closedBy(t, c)
	eventually(t, "closed", func() bool { return h.counters().Active.Load() == 0 })
	if h.counters().CutRequests.Load()+h.counters().SlowHeaders.Load() != 0 {
		t.Error("an idle connection is no cut request")
	}
}

// readBody answers 408 where the body is late, as the gateway's rooms do.
func readBody(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		exchange.Refuse(w, r, exchange.BodyRefusal(&exchange.Rule{Filter: "edge"}, err))
		return
	}
	_, _ = fmt.Fprint(w, n)
}

func slowBodies(stall time.Duration, rate int) func(*Listener) {
	return func(l *Listener) {
		l.Limits.BodyTimeout, l.Limits.BodyRate = config.Duration(stall), config.Size(rate)
	}
}

// drip is a body that gives a byte every so often, and n bytes in all; it
// stalls for ever after them where it should not end.
type drip struct {
	n     int
	every time.Duration
	ends  bool
	ctx   context.Context
}

func (d *drip) Read(p []byte) (int, error) {
	if d.n == 0 {
		if d.ends {
			return 0, io.EOF
		}
		<-d.ctx.Done()
		return 0, errors.New("given up")
	}
	select {
	case <-time.After(d.every):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	d.n--
	p[0] = 'x'
	return 1, nil
}

func TestBodies(t *testing.T) {
	tests := map[string]struct {
		stall  time.Duration
		rate   int
		n      int
		every  time.Duration
		ends   bool
		status int
	}{
		"quick":           {time.Second, 240, 100, 0, true, 200},
		"stalls at once":  {100 * time.Millisecond, 240, 0, 0, false, 408},
		"stalls later":    {100 * time.Millisecond, 1, 50, 0, false, 408},
		"drips":           {200 * time.Millisecond, 1000, 100000, 20 * time.Millisecond, true, 408},
		"drips, any rate": {2 * time.Second, 0, 20, 20 * time.Millisecond, true, 200},
		"no limit":        {0, 0, 20, 10 * time.Millisecond, true, 200},
	}
	for name, test := range tests {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", name, h2), func(t *testing.T) {
				h := newHouse(t, readBody, listenerConfig(withTLS(), slowBodies(test.stall, test.rate)))
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				r, _ := http.NewRequestWithContext(ctx, "POST", "https://api.shop.test/", &drip{test.n, test.every, test.ends, ctx})
				resp, err := h.client(h2).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				cancel() // the client itself would wait for the rest of its body
				_ = resp.Body.Close()
				if resp.StatusCode != test.status {
					t.Errorf("status %d, want %d", resp.StatusCode, test.status)
				}
				if got, want := h.counters().SlowBodies.Load() > 0, test.status == 408; got != want {
					t.Errorf("slow bodies counted: %v", got)
				}
			})
		}
	}
}

// A gateway that does not read is not the client's fault.
func TestBodyThatNobodyReadsForAWhile(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		stall := 50 * time.Millisecond
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 10)
			_, _ = io.ReadFull(r.Body, buf)
			<-time.After(3 * stall) // an upstream that is busy
			readBody(w, r)
		}, listenerConfig(withTLS(), slowBodies(stall, 240)))
		resp, err := h.client(h2).Post("https://api.shop.test/", "text/plain", bytes.NewReader(make([]byte, 1<<20)))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 200 {
			t.Errorf("h2=%v: status %d", h2, resp.StatusCode)
		}
		_ = resp.Body.Close()
	}
}

// After a body was read in time, its deadline is gone: the answer may take
// any time, and the connection is used again.
func TestNoDeadlineAfterTheBody(t *testing.T) {
	stall := 30 * time.Millisecond
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(5 * stall):
			_, _ = io.WriteString(w, "done")
		case <-r.Context().Done():
			_, _ = io.WriteString(w, "the client is said to have gone")
		}
	}, listenerConfig(slowBodies(stall, 240)))
	c := dial(t, h.addr())
	in := bufio.NewReader(c)
	for range 2 {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != "done" {
			t.Errorf("%q", body)
		}
	}
}

// A body that the handler leaves unread holds the connection no longer than
// one that it reads.
func TestUnreadBodyEnds(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(slowBodies(50*time.Millisecond, 240)))
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nhello")
	closedBy(t, c)
	eventually(t, "closed", func() bool { return h.counters().Active.Load() == 0 })
}

func TestExpectContinuePasses(t *testing.T) {
	h := newHouse(t, readBody, listenerConfig())
	c := dial(t, h.addr())
	in := bufio.NewReader(c)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if line, _ := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q", line)
	}
	_, _ = in.ReadString('\n')
	_, _ = io.WriteString(c, "hello")
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("%v %v", resp, err)
	}
	if h.counters().BadRequests.Load() != 0 {
		t.Error("100 Continue was taken for a refusal")
	}
}

// Whoever never opens a stream's window is cut, whether the answer is long or
// is all written before it waits.
func TestHTTP2StreamThatIsNotRead(t *testing.T) {
	for _, size := range []int{100, 1 << 20} {
		returned := make(chan bool, 1)
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(make([]byte, size))
			returned <- true
		}, listenerConfig(withTLS(), func(l *Listener) { l.Limits.WriteTimeout = config.Duration(100 * time.Millisecond) }))
		const smallWindow = "\x00\x04\x00\x00\x00\x0a" // SETTINGS_INITIAL_WINDOW_SIZE: 10 bytes
		c := dialHTTP2(t, h, smallWindow)
		sendHeaders(t, c, getRoot+literal(":authority", "api.shop.test"))
		<-returned
		await(t, c, frameReset)
	}
}

// Whoever does not take an answer is cut by the kernel.
func TestClientThatDoesNotRead(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	ended := make(chan error, 1)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				ended <- err
				return
			}
		}
	}, listenerConfig(func(l *Listener) { l.Limits.WriteTimeout = config.Duration(time.Second) }))
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("still writing")
	}
}

// Where two servers could read a body's end in two ways nothing is served.
func TestNothingFollowsAnAmbiguousBody(t *testing.T) {
	h := newHouse(t, readBody, listenerConfig())
	for name, head := range map[string]string{
		"length and chunks": "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks on 1.0":     "POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
		"both on 1.0":       "POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	} {
		c := dial(t, h.addr())
		_, _ = io.WriteString(c, head+"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n")
		in := bufio.NewReader(c)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 400 {
			t.Fatalf("%s: %v %v", name, resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if more, _ := io.ReadAll(in); len(more) > 0 || !resp.Close {
			t.Errorf("%s: after the answer came %q", name, more)
		}
	}
}
