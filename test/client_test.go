package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// message is a request as a scenario writes it.
type message struct {
	method, target string
	host           string
	header         [][2]string
	body           string

	listener string // key of the listener; the HTTPS one that start fills in where empty
	plain    bool   // the listener speaks no TLS: HTTP/1.1 then, whatever the protocol
	sni      string // localhost where empty
	from     string // the client that a PROXY header names; none where empty
	stalls   bool   // the body's last byte never comes
	signer   *signer
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// protocols are the ways in which every scenario is run.
var protocols = []struct {
	name string
	send func(*testing.T, *running, message) answer
}{{"h1", sendHTTP1}, {"h2", sendHTTP2}}

// patience is how long an answer may take on a busy machine.
const patience = 20 * time.Second

// connect opens the connection that m is to be sent on.
func (m message) connect(r *running, protocol string) (net.Conn, error) {
	address := r.secure
	if m.listener != "" {
		address = func() string { return r.address(m.listener) }
	}
	conn, err := net.Dial("tcp", address())
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if m.from != "" {
		if _, err := fmt.Fprintf(conn, "PROXY TCP4 %s 127.0.0.1 1 2\r\n", m.from); err != nil {
			return nil, err
		}
	}
	if m.plain {
		return conn, nil
	}
	name := m.sni
	if name == "" {
		name = "localhost"
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: r.roots, ServerName: name, NextProtos: []string{protocol}})
	if err := secure.Handshake(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// text is the request to the letter: what a client library would mend stays as
// it is.
func (m message) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", m.method, m.target, m.host)
	for _, h := range m.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if m.body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(m.body))
	}
	b.WriteString("\r\n" + m.body)
	text := b.String()
	if m.stalls {
		text = text[:len(text)-1]
	}
	return text
}

func sendHTTP1(t *testing.T, r *running, m message) answer {
	t.Helper()
	conn, err := m.connect(r, "http/1.1")
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, m.text()); err != nil {
		return answer{err: err}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: m.method})
	return read(resp, err)
}

func sendHTTP2(t *testing.T, r *running, m message) answer {
	t.Helper()
	if m.plain {
		return sendHTTP1(t, r, m)
	}
	transport := &http.Transport{
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
		DialTLSContext:     func(context.Context, string, string) (net.Conn, error) { return m.connect(r, "h2") },
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, m.method, "https://gateway.test/", m.reader(ctx))
	if err != nil {
		t.Fatal(err)
	}
	// The transport cuts scheme and Host off an opaque URL: what is left is sent as :path.
	req.URL = &url.URL{Scheme: "https", Host: "gateway.test", Opaque: "//" + m.host + m.target}
	req.Host = m.host
	req.ContentLength = int64(len(m.body))
	for _, h := range m.header {
		req.Header.Add(h[0], h[1])
	}
	resp, err := transport.RoundTrip(req)
	if resp != nil && resp.ProtoMajor != 2 {
		t.Errorf("the answer came over %s", resp.Proto)
	}
	return read(resp, err)
}

// reader returns the body; nil for none.
func (m message) reader(ctx context.Context) io.Reader {
	if m.body == "" {
		return nil
	}
	if !m.stalls {
		return strings.NewReader(m.body)
	}
	ctx, cancel := context.WithCancel(ctx)
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(m.body[:len(m.body)-1]), stalled{ctx}), closer(cancel)}
}

// stalled is a body that does not go on.
type stalled struct{ context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.Done()
	return 0, s.Err()
}

type closer func()

func (c closer) Close() error {
	c()
	return nil
}

func read(resp *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

// freePort returns a port of 127.0.0.1 that nobody listens on. It lies below
// those that the system hands out by itself, so that hardly anybody takes it
// before the caller does.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(15000 + rand.IntN(15000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// nobody returns an address at which connections are refused for as long as
// the test runs: its port is taken, but nobody listens there.
func nobody(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
}
