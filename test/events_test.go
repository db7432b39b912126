package test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ticker is a service whose event streams tick at the pace that is asked for,
// and whose other answers are as slow.
func ticker() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		every, _ := time.ParseDuration(r.URL.Query().Get("every"))
		kind := "text/event-stream"
		if strings.HasSuffix(r.URL.Path, "/plain") {
			kind = "text/plain"
		}
		w.Header().Set("Content-Type", kind)
		_ = http.NewResponseController(w).Flush()
		for i := 0; ; i++ {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(every):
			}
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %d\n\n", i, i); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
}

// Neither the route's timeout nor the service's idle time ends a stream that
// lives; what is no stream ends by both, and a stream that is silent for long.
func TestEventStreams(t *testing.T) {
	http1 := httptest.NewServer(ticker())
	t.Cleanup(http1.Close)
	t.Cleanup(http1.CloseClientConnections)
	http2server := overHTTP2(t, httptest.NewUnstartedServer(ticker()))
	t.Cleanup(http2server.Close)
	t.Cleanup(http2server.CloseClientConnections)
	r := start(t, fmt.Sprintf(`
apis:
  a:
    authorize: none
    timeout: 500ms
    routes:
      - {match: "GET /h1/{kind}", target: "service:h1"}
      - {match: "GET /h2/{kind}", target: "service:h2"}
services:
  h1: {targets: ["%s"], timeouts: {idle: 200ms, stream: 1s}}
  h2: {targets: ["%s"], protocol: h2c, timeouts: {idle: 200ms, stream: 1s}}
`, http1.Listener.Addr(), http2server.Listener.Addr()), nil)
	for _, client2 := range []bool{false, true} {
		transport := &http.Transport{ForceAttemptHTTP2: client2, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
		t.Cleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
		for _, service := range []string{"/h1", "/h2"} {
			t.Run(fmt.Sprintf("client by h2 %v, service %s", client2, service), func(t *testing.T) {
				t.Parallel()
				streamLives(t, r, client, "https://"+r.secure()+service)
			})
		}
	}
}

func streamLives(t *testing.T, r *running, client *http.Client, base string) {
	began := time.Now()
	resp, err := client.Get(base + "/events?every=300ms")
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d > 300*time.Millisecond {
		t.Errorf("the head came after %v, the first event's time", d)
	}
	lines := bufio.NewScanner(resp.Body)
	for i := range 5 {
		for _, want := range []string{fmt.Sprint("id: ", i), fmt.Sprint("data: ", i), ""} {
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("%q, want %q: %v", lines.Text(), want, lines.Err())
			}
		}
	}
	resp.Body.Close()
	if line := r.logLine(resp.Header.Get("X-Amzn-Requestid")); !strings.Contains(line, `"status":200`) {
		t.Errorf("the access log says %s", line)
	}
	for path, most := range map[string]time.Duration{"/events?every=5s": 3 * time.Second, "/plain?every=300ms": time.Second, "/plain?every=50ms": time.Second} {
		began := time.Now()
		resp, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if d := time.Since(began); err == nil || d > most {
			t.Errorf("%s: ended after %v, %v", path, d, err)
		}
	}
}
