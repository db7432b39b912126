package test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lines waits until the access log has n lines, and returns them.
func (r *running) lines(n int) []string {
	r.t.Helper()
	var lines []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		data, _ := os.ReadFile(filepath.Join(r.dir, "access.log"))
		lines = strings.SplitAfter(string(data), "\n")
		if lines = lines[:len(lines)-1]; len(lines) >= n {
			return lines
		}
	}
	r.t.Fatalf("%d lines of the access log, want %d", len(lines), n)
	return nil
}

const loggedConfig = `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
  - {address: "127.0.0.1:00"}
log: {access: ./access.log, query: true}
apis: {a: {authorize: none, routes: [{match: "ANY /{proxy*}", target: "http://BACKEND"}]}}
`

// TestEveryRequestHasItsLine: whatever became of a request, it is one line that
// says what is known of it, and no more than that may be known.
func TestEveryRequestHasItsLine(t *testing.T) {
	r := start(t, strings.Replace(loggedConfig, "BACKEND", newBackend(t, "a").Listener.Addr().String(), 1), nil)
	n := 0
	for _, tc := range []struct{ name, request, has, hasNot string }{
		{"served", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", `"path":"/x"`, "refused"},
		{"no HTTP at all", "\x16\x03\x01 what\r\n\r\n", `"status":400`, ""},
		{"a head too large", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 200<<10) + "\r\n\r\n", `"status":431`, ""},
		{"a coding that nobody knows", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", `"status":400`, ""},
		{"no host", "GET /ten?a=1 HTTP/1.0\r\n\r\n", `"path":"/ten","query":"a=1"`, ""},
		{"a host that is none", "GET /h?access_token=hunter2 HTTP/1.1\r\nHost: a%20b\r\n\r\n", `"path":"/h","query":"access_token=(redacted)"`, "hunter2"},
		{"a user in the target", "GET http://u:hunter2@a/u HTTP/1.1\r\nHost: a\r\n\r\n", `"path":"/u"`, "hunter2"},
		{"a target that is no path", "GET ftp://u:hunter2@a/u HTTP/1.1\r\nHost: a\r\n\r\n", `"reason":"target"`, "hunter2"},
		{"CONNECT", "CONNECT u:hunter2@a:443 HTTP/1.1\r\nHost: a\r\n\r\n", `"status":4`, "hunter2"},
		{"a path of two readings", "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", `"path":"/a/../b"`, ""},
		{"what drives terminals", "GET /t HTTP/1.1\r\nHost: a\r\nUser-Agent: \u009b31m\u202e\xff\r\n\r\n", `"userAgent":"\u009b31m\u202e\ufffd"`, "\u009b"},
		{"the client goes", "GET /behave/slow/5s HTTP/1.1\r\nHost: a\r\n\r\n", `"aborted":true`, ""},
		{"the client goes within its body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc", `"reason":"body-cut"`, ""},
	} {
		send(t, r.address("127.0.0.1:00"), tc.request, strings.HasPrefix(tc.name, "the client goes"))
		n++
		lines := r.lines(n)
		line := lines[n-1]
		if !strings.Contains(line, tc.has) || tc.hasNot != "" && strings.Contains(line, tc.hasNot) || !json.Valid([]byte(line)) || len(lines) != n {
			t.Errorf("%s: %d new lines, the last %q; want %s and not %q", tc.name, len(lines)-n+1, line, tc.has, tc.hasNot)
		}
	}
}

// send sends bytes, and either goes away or waits for the answer's beginning.
func send(t *testing.T, address, text string, goes bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, text) // the gateway may hang up in the middle
	if !goes {
		_, _ = io.ReadFull(conn, make([]byte, 1))
	}
}

// TestEveryStreamHasItsLine: an HTTP/2 client that resets a stream, or hangs
// up, has its line as well.
func TestEveryStreamHasItsLine(t *testing.T) {
	r := start(t, strings.Replace(loggedConfig, "BACKEND", newBackend(t, "a").Listener.Addr().String(), 1), nil)
	for i, tc := range []struct {
		name string
		end  func(*tls.Conn)
	}{
		{"reset", func(c *tls.Conn) { _, _ = c.Write(frame(3, 0, 1, []byte{0, 0, 0, 8})) }},
		{"hung up", func(c *tls.Conn) { _ = c.Close() }},
	} {
		conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := bytes.Join([][]byte{literal(":method", "GET"), literal(":scheme", "https"), literal(":authority", "localhost"), literal(":path", "/behave/slow/5s")}, nil)
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		_, _ = conn.Write(append(frame(4, 0, 0, nil), frame(1, 5, 1, head)...))
		awaitRequest(t, r, "the service")
		tc.end(conn)
		if line := r.lines(i + 1)[i]; !strings.Contains(line, `"aborted":true`) || !strings.Contains(line, `"protocol":"HTTP/2.0"`) {
			t.Errorf("%s: %s", tc.name, line)
		}
	}
}

// frame is a frame of HTTP/2 (RFC 9113 section 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// literal is a header field in its plainest form (RFC 7541 section 6.2.2), of
// less than 127 bytes.
func literal(name, value string) []byte {
	b := append([]byte{0, byte(len(name))}, name...)
	return append(append(b, byte(len(value))), value...)
}
