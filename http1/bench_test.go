package http1_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
)

const benchRequest = "GET /orders/42 HTTP/1.1\r\nHost: api.shop.test\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nX-Trace: abcdef\r\n\r\n"

// BenchmarkServe is a small request and its answer over a loopback socket. The
// allocations are all that the engine makes: the text of the head.
func BenchmarkServe(b *testing.B) {
	body := []byte(`{"id":42}`)
	e := start(b, settings(), func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Content-Type"] = jsonType
		h["Content-Length"] = nine
		_, _ = w.Write(body)
	})
	roundTrips(b, e.addr())
}

// BenchmarkServeStandard is the same by net/http.
func BenchmarkServeStandard(b *testing.B) {
	body := []byte(`{"id":42}`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Content-Type"] = jsonType
		h["Content-Length"] = nine
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	roundTrips(b, l.Addr().String())
}

var (
	jsonType = []string{"application/json"}
	nine     = []string{"9"}
)

func roundTrips(b *testing.B, addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 4096)
	request := []byte(benchRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		n := 0
		for !bytes.HasSuffix(buf[:n], []byte(`{"id":42}`)) {
			got, err := c.Read(buf[n:])
			if err == io.EOF {
				b.Fatal(err)
			}
			n += got
		}
	}
}
