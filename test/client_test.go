package test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// message is a request as a scenario writes it.
type message struct {
	method, target string
	host           string
	header         [][2]string
	body           string
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

// sendHTTP1 writes the request to the letter: what a client library would mend
// stays as it is.
func sendHTTP1(t *testing.T, r *running, m message) answer {
	t.Helper()
	conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", m.method, m.target, m.host)
	for _, h := range m.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if m.body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(m.body))
	}
	b.WriteString("\r\n" + m.body)
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return answer{err: err}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: m.method})
	return read(resp, err)
}

func sendHTTP2(t *testing.T, r *running, m message) answer {
	t.Helper()
	transport := &http.Transport{
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{RootCAs: r.roots, ServerName: "localhost"},
	}
	defer transport.CloseIdleConnections()
	var body io.Reader
	if m.body != "" {
		body = bytes.NewReader([]byte(m.body))
	}
	req, err := http.NewRequest(m.method, "https://"+r.secure()+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	// The transport cuts scheme and Host off an opaque URL: what is left is sent as :path.
	req.URL = &url.URL{Scheme: "https", Host: r.secure(), Opaque: "//" + m.host + m.target}
	req.Host = m.host
	for _, h := range m.header {
		req.Header.Add(h[0], h[1])
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	a := read(resp, err)
	if resp != nil && resp.ProtoMajor != 2 {
		t.Errorf("the answer came over %s", resp.Proto)
	}
	return a
}

func read(resp *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

// freePort returns a port of 127.0.0.1 that nobody listened on just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
