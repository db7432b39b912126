package upstream

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gatehouse/exchange"
)

// fastBackend answers every request's head with the same bytes, without
// allocating: what a benchmark measures is ours.
func fastBackend(t testing.TB, answer []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 8<<10)
				for n := 0; ; {
					m, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					if n += m; !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						continue
					}
					n = 0
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func answerOf(size int) []byte {
	return append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nServer: origin\r\nCache-Control: no-store\r\nContent-Length: "+strconv.Itoa(size)+"\r\n\r\n"), bytes.Repeat([]byte("x"), size)...)
}

// nullWriter is an engine's writer that keeps nothing.
type nullWriter struct{ h http.Header }

func (w *nullWriter) Header() http.Header         { return w.h }
func (w *nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *nullWriter) WriteHeader(int)             {}

func benchRequest() *http.Request {
	r := httptest.NewRequest("GET", "/v1/orders/17?verbose=1", nil)
	r.Header.Set("User-Agent", "bench/1.0")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Authorization", "Bearer 0123456789012345678901234567890123456789")
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.Header.Set("X-Forwarded-For", "192.0.2.1") // and its like, as edge sets them
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-Host", "api.shop.test")
	r.Header.Set("X-Forwarded-Port", "443")
	r.RemoteAddr = "192.0.2.1:1234"
	return r
}

// cpu reports the process's CPU time a request, backend included.
func cpu(b *testing.B, f func()) {
	b.Helper()
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	f()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := func(r syscall.Rusage) (user, system float64) {
		return float64(r.Utime.Nano()), float64(r.Stime.Nano())
	}
	u0, s0 := used(before)
	u1, s1 := used(after)
	b.ReportMetric((u1-u0)/1e3/float64(b.N), "user-us/op")
	b.ReportMetric((s1-s0)/1e3/float64(b.N), "sys-us/op")
}

func BenchmarkProxyGET(b *testing.B) {
	for _, size := range []int{200, 100 << 10} {
		address := fastBackend(b, answerOf(size))
		name := strconv.Itoa(size)
		b.Run("backend-alone/"+name, func(b *testing.B) { benchBare(b, address, size) })
		b.Run("gatehouse/"+name, func(b *testing.B) { benchOurs(b, service(address)) })
		b.Run("guarded/"+name, func(b *testing.B) { benchOurs(b, guarded(address)) })
		b.Run("reverse-proxy/"+name, func(b *testing.B) { benchTheirs(b, address) })
	}
}

// benchBare is what the sockets and the backend cost without any proxy.
func benchBare(b *testing.B, address string, size int) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	req := []byte("GET /v1/orders/17?verbose=1 HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: bench/1.0\r\n\r\n")
	buf := make([]byte, 32<<10)
	want := len(answerOf(size))
	b.ReportAllocs()
	b.ResetTimer()
	cpu(b, func() {
		for b.Loop() {
			_, _ = c.Write(req)
			for n := 0; n < want; {
				m, err := c.Read(buf)
				if err != nil {
					b.Fatal(err)
				}
				n += m
			}
		}
	})
}

func benchOurs(b *testing.B, c Config) {
	h := New(Route{Service: bind(b, c)})
	w := &nullWriter{h: http.Header{}}
	conn := &exchange.Conn{Peer: netip.MustParseAddrPort("192.0.2.1:1234"), Source: netip.MustParseAddrPort("192.0.2.1:1234")}
	r := benchRequest()
	b.ReportAllocs()
	b.ResetTimer()
	cpu(b, func() {
		for b.Loop() {
			clear(w.h)
			x, r := exchange.Begin(w, r, conn, nil)
			_ = x.Path.Parse("/v1/orders/17?verbose=1")
			h.ServeHTTP(&x.Writer, r)
			if x.Upstream.Status != 200 {
				b.Fatal(x.Upstream.Error)
			}
			x.Finish()
			x.Release()
		}
	})
}

func benchTheirs(b *testing.B, address string) {
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	p.Transport = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true}
	w := &nullWriter{h: http.Header{}}
	r := benchRequest()
	b.ReportAllocs()
	b.ResetTimer()
	cpu(b, func() {
		for b.Loop() {
			clear(w.h)
			p.ServeHTTP(w, r)
		}
	})
}
