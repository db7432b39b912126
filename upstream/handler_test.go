package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProxy(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", fmt.Sprintf("%s %s host=%s len=%d", r.Method, r.RequestURI, r.Host, r.ContentLength))
		fmt.Fprintf(w, "got %d bytes", len(b))
	}))
	defer origin.Close()
	address := strings.TrimPrefix(origin.URL, "http://")
	f := newFront(t, New(Route{Service: bind(t, service(address))}))
	for _, size := range []int{0, 1, 1000, smallBody, smallBody + 1, 5 << 20} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", size))
			if chunked {
				body = io.MultiReader(body)
			}
			resp, err := http.Post(f.URL+"/a%20b/c?q=1%202", "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil || string(b) != fmt.Sprintf("got %d bytes", size) {
				t.Errorf("%d %v: %q, %v", size, chunked, b, err)
			}
			length := size
			if chunked {
				length = -1
			}
			want := fmt.Sprintf("POST /a%%20b/c?q=1%%202 host=%s len=%d", address, length)
			if got := resp.Header.Get("X-Seen"); got != want {
				t.Errorf("%d %v: seen %q, want %q", size, chunked, got, want)
			}
			if o := f.last(t); o.Status != 200 || o.Upstream.Status != 200 || o.Upstream.Target != address || o.Upstream.Service != "orders" {
				t.Errorf("%+v", o)
			}
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	b := newBackend(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
	for i := range 20 {
		if resp, body, err := get(t, f.URL+"/"); err != nil || body != "ok" || resp.StatusCode != 200 {
			t.Fatal(resp, body, err)
		}
		if o := f.last(t); o.Upstream.Reused != (i > 0) {
			t.Errorf("request %d: reused %v", i, o.Upstream.Reused)
		}
	}
	if n := b.accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestStalled(t *testing.T) {
	b := newBackend(t, func(_ int, c net.Conn, r *bufio.Reader) {
		request(r)
		r.ReadByte()
	})
	c := service(b.address())
	c.Timeouts.Answer = ms(50)
	f := newFront(t, New(Route{Service: bind(t, c)}))
	resp, body, err := get(t, f.URL+"/")
	if err != nil || resp.StatusCode != 504 {
		t.Fatal(resp, body, err)
	}
	if o := f.last(t); o.Reason != "answer-timeout" {
		t.Errorf("%+v", o)
	}
}
