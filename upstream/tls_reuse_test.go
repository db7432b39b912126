package upstream

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// gathered is a connection that sends several TLS records by one write, as
// they arrive together when a network is busy.
type gathered struct {
	net.Conn
	mu   sync.Mutex
	hold bool
	buf  []byte
}

func (g *gathered) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold {
		g.buf = append(g.buf, p...)
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// SetWriteDeadline is what TLS forbids further writes by once it has said that
// it ends.
func (g *gathered) SetWriteDeadline(time.Time) error { return nil }

// together sends what f writes by one write.
func (g *gathered) together(f func()) {
	g.mu.Lock()
	g.hold = true
	g.mu.Unlock()
	f()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = false
	_, _ = g.Conn.Write(g.buf)
	g.buf = nil
}

// securedBackend is a raw server behind TLS.
func securedBackend(t testing.TB, conf *tls.Config, script func(raw *gathered, c *tls.Conn, r *bufio.Reader)) *backend {
	t.Helper()
	return newBackend(t, func(_ int, conn net.Conn, _ *bufio.Reader) {
		raw := &gathered{Conn: conn}
		c := tls.Server(raw, conf)
		if c.Handshake() == nil {
			script(raw, c, bufio.NewReader(c))
		}
	})
}

// Bytes behind an answer may have come in a record of their own, which the TLS
// layer has received and nobody has read: the socket is silent, and yet the
// next request would be answered by them.
func TestTLSTwoAnswers(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, "127.0.0.1")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, behind := range map[string]func(*tls.Conn){
		"another answer": func(c *tls.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
		},
		"a byte":  func(c *tls.Conn) { _, _ = io.WriteString(c, "\n") },
		"its end": func(c *tls.Conn) { _ = c.CloseWrite() },
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				conf := &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: version}
				b := securedBackend(t, conf, func(raw *gathered, c *tls.Conn, r *bufio.Reader) {
					for request(r) != nil {
						raw.together(func() {
							_, _ = io.WriteString(c, okAnswer)
							behind(c)
						})
					}
				})
				cfg := service(b.address())
				cfg.TLS = &TLS{CA: file("ca.pem", ca.pem())}
				f := newFront(t, New(Route{Service: bind(t, cfg)}))
				for range 4 {
					if resp, body, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 || body != "ok" {
						t.Fatal(resp, body, err)
					}
				}
				if n := b.accepted(); n != 4 {
					t.Errorf("%d connections for 4 requests", n)
				}
			})
		}
	}
}
