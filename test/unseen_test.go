package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// pattern is a body in which no two places look the same.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.Bytes()[:n]
}

// A large body between plain connections goes through the kernel, and nobody can
// tell: not by its bytes, nor by who is said to have broken it off.
func TestLargeBodiesUnseen(t *testing.T) {
	body := pattern(16 << 20)
	stalls := make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		switch r.URL.Path {
		case "/whole":
			_, _ = w.Write(body)
			return
		case "/paced":
			for i := 0; i < len(body); i += 1 << 20 {
				_, _ = w.Write(body[i : i+1<<20])
				time.Sleep(20 * time.Millisecond) // past the first look whether the client is there
			}
			return
		}
		_, _ = w.Write(body[:5<<20])
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/stalls" {
			<-stalls
		}
		panic(http.ErrAbortHandler)
	}))
	service.Config.ErrorLog = nil
	t.Cleanup(service.Close)
	t.Cleanup(func() { close(stalls) })
	r := start(t, fmt.Sprintf(`
listen: [{address: "127.0.0.1:00"}]
apis: {a: {authorize: none, timeout: 1m, routes: [{match: "GET /{p+}", target: "service:s"}]}}
services: {s: {targets: ["%s"], timeouts: {idle: 500ms}}}
`, service.Listener.Addr()), nil)
	base := "http://" + r.address("127.0.0.1:00")
	client := &http.Client{Timeout: 20 * time.Second}
	for path, want := range map[string]string{"/whole": "", "/paced": "", "/breaks": "the answer's body was cut off", "/stalls": "the body stalled"} {
		resp, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		line := r.logLine(resp.Header.Get("X-Amzn-Requestid"))
		switch {
		case want == "" && (err != nil || !bytes.Equal(got, body) || !strings.Contains(line, fmt.Sprint(`"bytesOut":`, len(body)))):
			t.Errorf("%s: %d bytes, %v; the log says %s", path, len(got), err, line)
		case want != "" && (err == nil || !bytes.HasPrefix(body, got) || len(got) != 5<<20 || !strings.Contains(line, want)):
			t.Errorf("%s: %d bytes, %v; the log says %s", path, len(got), err, line)
		}
	}
	// Who reads slowly for longer than the service may be idle gets all of it.
	conn, id := halfRead(t, r, "/whole")
	time.Sleep(700 * time.Millisecond)
	rest, err := io.ReadAll(conn)
	if err != nil || !bytes.HasSuffix(rest, body[len(body)-1<<20:]) || len(rest) < len(body)-1<<20 {
		t.Errorf("a slow reader: %d bytes, %v; %s", len(rest), err, r.logLine(id))
	}
	// Who goes away is who is said to have gone.
	for _, path := range []string{"/whole", "/stalls"} {
		conn, id = halfRead(t, r, path)
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		if line := r.logLine(id); !strings.Contains(line, "client") || strings.Contains(line, "stalled") {
			t.Errorf("%s, a client that goes: %s", path, line)
		}
	}
}

// halfRead asks for a body and reads its head and a bit.
func halfRead(t *testing.T, r *running, path string) (conn net.Conn, id string) {
	t.Helper()
	conn, err := net.Dial("tcp", r.address("127.0.0.1:00"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
	head := make([]byte, 4096)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	_, id, _ = strings.Cut(string(head), "X-Amzn-Requestid: ")
	id, _, _ = strings.Cut(id, "\r\n")
	return conn, id
}
