package test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// impatient is a gateway whose clients have little time.
const impatient = `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}, limits: {header-timeout: 200ms, body-timeout: 200ms, body: 64KiB}}]
apis: {a: {authorize: none, routes: [{match: "ANY /{proxy*}", target: "http://%s"}]}}
`

// TestUnfinishedBodies: a body that stalls or breaks off has a status of its own
// and a line in the access log, whether it is small enough to be read before
// the service is asked or is sent on while it comes.
func TestUnfinishedBodies(t *testing.T) {
	r := start(t, fmt.Sprintf(impatient, newBackend(t, "a").Listener.Addr()), nil)
	for _, tc := range []struct {
		name, head, body string
		ends             bool // the client closes its half
		status           int
		reason           string
	}{
		{"a small one stalls", "Content-Length: 100", "abc", false, 408, "body-timeout"},
		{"a large one stalls", "Content-Length: 50000", "abc", false, 408, "body-timeout"},
		{"a chunk stalls", "Transfer-Encoding: chunked", "5\r\nabc", false, 408, "body-timeout"},
		{"nothing comes", "Transfer-Encoding: chunked", "", false, 408, "body-timeout"},
		{"a small one breaks off", "Content-Length: 100", "abc", true, 400, "body-cut"},
		{"a large one breaks off", "Content-Length: 50000", "abc", true, 400, "body-cut"},
		{"a chunk breaks off", "Transfer-Encoding: chunked", "5\r\nabc", true, 400, "body-cut"},
		{"no chunk", "Transfer-Encoding: chunked", "hello\r\n", false, 400, "body-broken"},
		{"too large, declared", "Content-Length: 65537", "", false, 413, "body-too-large"},
		{"too large, in chunks", "Transfer-Encoding: chunked", "20000\r\n" + strings.Repeat("x", 1<<17) + "\r\n0\r\n\r\n", false, 413, "body-too-large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := r.dialTLS(t, "http/1.1")
			go func() {
				_, _ = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: localhost\r\n"+tc.head+"\r\n\r\n"+tc.body)
				if tc.ends {
					_ = conn.CloseWrite()
				}
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			a := read(resp, err)
			if a.status != tc.status || !resp.Close {
				t.Fatalf("got %d %v, want %d and the connection's end", a.status, a.err, tc.status)
			}
			line := r.logLine(a.header.Get("X-Amzn-Requestid"))
			if !strings.Contains(line, fmt.Sprintf(`"status":%d`, tc.status)) || !strings.Contains(line, tc.reason) {
				t.Errorf("the access log says %s", line)
			}
		})
	}
}

// TestUnfinishedBodiesHTTP2 is the same for a stream.
func TestUnfinishedBodiesHTTP2(t *testing.T) {
	r := start(t, fmt.Sprintf(impatient, newBackend(t, "a").Listener.Addr()), nil)
	for _, size := range []int64{100, 50000, -1} {
		body, client := io.Pipe()
		go func() { _, _ = io.WriteString(client, "abc") }()
		req, _ := http.NewRequest("POST", "https://"+r.secure()+"/x", body)
		req.ContentLength = size
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
		resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
		_ = client.CloseWithError(errors.New("enough"))
		if err != nil {
			t.Errorf("%d bytes: %v", size, err)
			continue
		}
		a := read(resp, nil)
		if a.status != 408 || resp.ProtoMajor != 2 {
			t.Errorf("%d bytes: %s %d, want 408", size, resp.Proto, a.status)
		}
		if line := r.logLine(a.header.Get("X-Amzn-Requestid")); !strings.Contains(line, "body-timeout") {
			t.Errorf("the access log says %s", line)
		}
		transport.CloseIdleConnections()
	}
}

// dialTLS opens a connection to the HTTPS listener that start fills in.
func (r *running) dialTLS(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// TestUnfinishedHeads: a request that never becomes one, for being slow, cut off
// or too large, ends its connection and leaves a line in the access log.
func TestUnfinishedHeads(t *testing.T) {
	r := start(t, fmt.Sprintf(impatient, newBackend(t, "a").Listener.Addr()), nil)
	for _, tc := range []struct {
		name, text string
		ends       bool
		status     int
		reason     string
	}{
		{"slow", "GET / HTTP/1.1\r\nHost: local", false, 408, "header-timeout"},
		{"cut off", "GET / HTTP/1.1\r\nHost: local", true, 400, "header-cut"},
		{"too large", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 20<<10), false, 431, "header-too-large"},
		{"a target too large", "GET /" + strings.Repeat("x", 20<<10), false, 431, "header-too-large"},
		{"garbage", "\x00\x01\x02\r\n\r\n", false, 400, "bad-request"},
	} {
		conn := r.dialTLS(t, "http/1.1")
		_, _ = io.WriteString(conn, tc.text)
		if tc.ends {
			_ = conn.CloseWrite()
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays", tc.name)
		}
		line := r.logLine(`"reason":"` + tc.reason + `"`)
		if !strings.Contains(line, fmt.Sprintf(`"status":%d`, tc.status)) || !strings.Contains(line, `"client":"127.0.0.1"`) {
			t.Errorf("%s: the access log says %s", tc.name, line)
		}
	}
}
