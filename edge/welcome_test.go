package edge

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	pires "github.com/pires/go-proxyproto"

	"gatehouse/config"
)

func proxying(mode string) func(*Listener) {
	return func(l *Listener) { l.ProxyProtocol = mode }
}

// whoAmI answers with what the edge found out.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	c := ConnOf(r)
	_ = json.NewEncoder(w).Encode(map[string]string{"peer": c.Peer.Addr().String(), "source": c.Source.String(), "xff": r.Header.Get("X-Forwarded-For"), "port": r.Header.Get("X-Forwarded-Port")})
}

// ask sends head and a request on c, and returns the answer's status and body;
// 0 where the connection was closed.
func ask(t testing.TB, c net.Conn, head string) (int, map[string]string) {
	t.Helper()
	if _, err := io.WriteString(c, head+"GET / HTTP/1.1\r\nHost: api.shop.test\r\n\r\n"); err != nil {
		return 0, nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	said := map[string]string{}
	_ = json.NewDecoder(resp.Body).Decode(&said)
	return resp.StatusCode, said
}

const (
	v1      = "PROXY TCP4 198.51.100.7 203.0.113.1 4242 443\r\n"
	v1proxy = "PROXY TCP4 127.0.0.9 203.0.113.1 4242 443\r\n"
)

func v2(t testing.TB) string {
	t.Helper()
	h := pires.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP("198.51.100.7"), Port: 4242}, &net.TCPAddr{IP: net.ParseIP("203.0.113.1"), Port: 443})
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProxyProtocol(t *testing.T) {
	trusted := trusting("127.0.0.0/8")
	stranger := trusting("10.0.0.0/8")
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	tests := map[string]struct {
		listener []func(*Listener)
		head     string
		status   int
		source   string // "" for the peer itself
		errors   int64
	}{
		"v1":                                  {[]func(*Listener){trusted, proxying("require")}, v1, 200, "198.51.100.7:4242", 0},
		"v2":                                  {[]func(*Listener){trusted, proxying("require")}, v2(t), 200, "198.51.100.7:4242", 0},
		"v2 local":                            {[]func(*Listener){trusted, proxying("require")}, local, 200, "", 0},
		"v1 unknown":                          {[]func(*Listener){trusted, proxying("require")}, "PROXY UNKNOWN\r\n", 200, "", 0},
		"accepted":                            {[]func(*Listener){trusted, proxying("accept")}, v1, 200, "198.51.100.7:4242", 0},
		"accepted without":                    {[]func(*Listener){trusted, proxying("accept")}, "", 200, "", 0},
		"required but missing":                {[]func(*Listener){trusted, proxying("require")}, "", 0, "", 1},
		"from a stranger":                     {[]func(*Listener){stranger, proxying("accept")}, v1, 0, "", 1},
		"v2 from a stranger":                  {[]func(*Listener){stranger, proxying("accept")}, v2(t), 0, "", 1},
		"from a stranger who must":            {[]func(*Listener){stranger, proxying("require")}, v1, 0, "", 1},
		"a stranger without":                  {[]func(*Listener){stranger, proxying("accept")}, "", 200, "", 0},
		"broken":                              {[]func(*Listener){trusted, proxying("accept")}, "PROXY TCP4 x y 1 2\r\n", 0, "", 1},
		"twice":                               {[]func(*Listener){trusted, proxying("require")}, v1 + v1, 400, "", 0},
		"off, so it is no HTTP":               {[]func(*Listener){trusted, proxying("off")}, v1, 400, "", 0},
		"a client named is not itself a peer": {[]func(*Listener){trusted, proxying("require")}, v1proxy, 200, "127.0.0.9:4242", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, whoAmI, listenerConfig(test.listener...))
			c := dial(t, h.addr())
			status, said := ask(t, c, test.head)
			if status != test.status {
				t.Fatalf("status %d, want %d", status, test.status)
			}
			eventually(t, "errors counted", func() bool { return h.counters().ProxyErrors.Load() == test.errors })
			if status != 200 {
				return
			}
			want := test.source
			if want == "" {
				want = c.LocalAddr().String()
			}
			if said["source"] != want || said["peer"] != "127.0.0.1" {
				t.Errorf("%v, want source %s", said, want)
			}
			if test.source != "" && said["port"] != "443" {
				t.Errorf("X-Forwarded-Port %s", said["port"])
			}
		})
	}
}

// The header comes before TLS, and both may come in any pieces.
func TestProxyProtocolBeforeTLSInPieces(t *testing.T) {
	h := newHouse(t, whoAmI, listenerConfig(withTLS(), trusting("127.0.0.0/8"), proxying("require")))
	for _, head := range []string{v1, v2(t)} {
		raw := dial(t, h.addr())
		for i := range len(head) {
			if _, err := raw.Write([]byte{head[i]}); err != nil {
				t.Fatal(err)
			}
		}
		c := tls.Client(raw, &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots()})
		if status, said := ask(t, c, ""); status != 200 || said["source"] != "198.51.100.7:4242" {
			t.Errorf("%d %v", status, said)
		}
	}
	// And all in one write, TLS's first bytes with it.
	raw := dial(t, h.addr())
	joined := &prefixed{Conn: raw, head: []byte(v1)}
	c := tls.Client(joined, &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots()})
	if status, said := ask(t, c, ""); status != 200 || said["xff"] != "198.51.100.7" {
		t.Errorf("%d %v", status, said)
	}
}

// prefixed sends head with the first write.
type prefixed struct {
	net.Conn
	head []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	_, err := p.Conn.Write(append(p.head, b...))
	p.head = nil
	return len(b), err
}

// closedBy waits for the other side to close, which it must do in time.
func closedBy(t testing.TB, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection was not closed")
	}
}

func TestSlowAndCutProxyHeaders(t *testing.T) {
	quick := func(l *Listener) { l.Limits.HeaderTimeout = config.Duration(50 * time.Millisecond) }
	for name, send := range map[string]string{"nothing": "", "half v1": v1[:20], "half v2": v2(t)[:14]} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, whoAmI, listenerConfig(trusting("127.0.0.0/8"), proxying("require"), quick))
			c := dial(t, h.addr())
			_, _ = io.WriteString(c, send)
			closedBy(t, c)
			want := int64(1)
			if send == "" {
				want = 0 // a health check
			}
			eventually(t, "closed and counted", func() bool {
				return h.counters().Active.Load() == 0 && h.counters().ProxyErrors.Load() == want
			})
		})
	}
	h := newHouse(t, whoAmI, listenerConfig(trusting("127.0.0.0/8"), proxying("require")))
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, v1[:20])
	_ = c.(*net.TCPConn).CloseWrite()
	closedBy(t, c)
	eventually(t, "a cut header is counted", func() bool { return h.counters().ProxyErrors.Load() == 1 })
}

func TestSlowHandshake(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS(), func(l *Listener) { l.TLS.HandshakeTimeout = config.Duration(50 * time.Millisecond) }))
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, "\x16\x03\x01\x02\x00\x01")
	closedBy(t, c)
	eventually(t, "counted as slow", func() bool {
		return h.counters().HandshakeSlow.Load() == 1 && h.counters().HandshakeErrors.Load() == 1
	})
}

func TestHTTPToAnHTTPSPort(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: api.shop.test\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 400 || err != nil || !strings.Contains(string(body), "https://") {
		t.Errorf("%d %q %v", resp.StatusCode, body, err)
	}
	if h.counters().HTTPOverTLS.Load() != 1 {
		t.Error("not counted")
	}
}

func TestRubbishAtTLS(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	for _, rubbish := range []string{"SSH-2.0-x\r\n", strings.Repeat("\x00", 100), "\x16\x03\x01\x00\x05hello"} {
		c := dial(t, h.addr())
		_, _ = io.WriteString(c, rubbish)
		_ = c.(*net.TCPConn).CloseWrite()
		closedBy(t, c)
	}
	eventually(t, "three errors", func() bool { return h.counters().HandshakeErrors.Load() == 3 && h.counters().Active.Load() == 0 })
}
