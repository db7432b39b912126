package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// memory is what the process holds for heap and stacks once garbage is gone.
func memory() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// serves fails the test where a request on a new connection is not answered in
// time: what an attack costs others.
func (e *engine) serves() {
	e.t.Helper()
	c := e.dial()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
		e.t.Errorf("others are not served: %v", err)
	}
}

// crowd opens n connections, says something on each, and returns what each
// costs the server in bytes of memory while others are still served.
func (e *engine) crowd(n int, say func(i int, c net.Conn)) int64 {
	e.t.Helper()
	before := memory()
	for i := range n {
		say(i, e.dial())
	}
	eventually(e.t, "they are all there", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.conns) >= n
	})
	time.Sleep(50 * time.Millisecond) // for what was sent to be read
	e.serves()
	return (memory() - before) / int64(n)
}

// What strangers may make the engine hold for each of their connections, the
// test's own ends of them included. Each attack is held off by a limit, and
// others are served meanwhile, which the race detector looks at as well.
func TestCrowds(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of sockets")
	}
	const crowd = 1000
	for name, tt := range map[string]struct {
		most int64 // bytes a connection
		say  func(i int, c net.Conn)
	}{
		"idle": {12 << 10, func(i int, c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			io.ReadFull(c, make([]byte, 20))
		}},
		"silent": {12 << 10, func(i int, c net.Conn) {}},
		"slow heads": {24 << 10, func(i int, c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", i%1000))
		}},
		"large heads that do not end": {56 << 10, func(i int, c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", 16000))
		}},
		"slow bodies": {24 << 10, func(i int, c net.Conn) {
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nx")
		}},
		"chunk lines that do not end": {24 << 10, func(i int, c net.Conn) {
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;"+strings.Repeat("x", 400))
		}},
		"pipelined floods without reading": {56 << 10, func(i int, c net.Conn) {
			_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1000))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			s.HeaderTimeout, s.IdleTimeout, s.BodyTimeout = time.Minute, time.Minute, time.Minute
			e := start(t, s, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				io.WriteString(w, "some answer")
			})
			each := e.crowd(crowd, tt.say)
			t.Logf("%d bytes for each connection", each)
			if each > tt.most && !raceDetector {
				t.Errorf("more than %d", tt.most)
			}
		})
	}
}

// Bodies whose framing costs more than it frames end.
func TestCostlyFraming(t *testing.T) {
	chunk := func(n int) string { return strings.Repeat("1;"+strings.Repeat("e", 100)+"\r\nx\r\n", n) }
	for name, tt := range map[string]struct{ body, want string }{
		"chunk extensions":  {chunk(200), "chunk extensions"},
		"few of them":       {chunk(100) + "0\r\n\r\n", ""},
		"a chunk line":      {"1;" + strings.Repeat("e", 600) + "\r\n", "too large"},
		"a chunk too large": {"fffffffffffffffff\r\n", "a chunk too large"},
		"a trailer":         {"0\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n", "too large"},
		"trailer fields":    {"0\r\n" + strings.Repeat("X: x\r\n", 101) + "\r\n", "too large"},
		"no length":         {"\r\n\r\n", "a broken chunk length"},
		"a signed length":   {"+1\r\nx\r\n0\r\n\r\n", "a broken chunk length"},
		"a hex prefix":      {"0x1\r\nx\r\n0\r\n\r\n", "a broken chunk length"},
		"a space behind it": {"1 \r\nx\r\n0\r\n\r\n", "a broken chunk length"},
		"a bare CR":         {"1;\rx\r\nx\r\n0\r\n\r\n", "a control byte"},
		"a bare LF inside":  {"1;a\nx\r\nx\r\n0\r\n\r\n", "bare LF"},
		"a bare LF behind":  {"1\r\nx\n0\r\n\r\n", "longer than its length"},
		"a folded trailer":  {"0\r\nX: a\r\n b\r\n\r\n", "a folded line"},
		"a bare LF":         {"1\nx\r\n0\r\n\r\n", "bare LF"},
		"a long chunk":      {"1\r\nxy\r\n0\r\n\r\n", "longer than its length"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					fmt.Fprint(w, err)
				}
			})
			resp := answers(t, e.send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"+tt.body), "POST")[0]
			got := bodyOf(resp)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("%q", got)
			}
		})
	}
}
