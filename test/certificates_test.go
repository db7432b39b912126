package test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"
)

// A certificate that is replaced on disk costs nobody a connection, and no other
// listener its sessions; the list tells which one is served.
func TestCertificateFilesChangeUnderConnections(t *testing.T) {
	cert, key := testCertificate(t)
	r := start(t, `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: [{cert: tls/cert.pem, key: tls/key.pem}]}}
  - {address: "127.0.0.1:00", tls: {certificates: internal}}
apis: {a: {domains: [localhost], authorize: none, routes: [{match: GET /, target: mock}]}}
`, map[string][]byte{"tls/cert.pem": cert, "tls/key.pem": key})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	open := exchangeOver(t, r.secure(), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	sessions := &tls.Config{RootCAs: r.roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if exchangeOver(t, r.address("127.0.0.1:00"), sessions).ConnectionState().DidResume {
		t.Error("a session was resumed before there was one")
	}

	next, nextKey := testCertificate(t)
	r.write("tls/key.pem", nextKey)
	r.write("tls/cert.pem", next)
	nextRoots := x509.NewCertPool()
	nextRoots.AppendCertsFromPEM(next)
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: nextRoots, ServerName: "localhost"})
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not served: %v\n%s", err, r.log)
		}
	}
	askOver(t, open)
	if !exchangeOver(t, r.address("127.0.0.1:00"), sessions).ConnectionState().DidResume {
		t.Error("a session of the other listener is not resumed")
	}
	block, _ := pem.Decode(next)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	list := r.Certificates()
	if len(list) != 2 || list[0].Source != "file" || !slices.Contains(list[0].Names, "localhost") || !list[0].Expires.Equal(leaf.NotAfter) || list[0].Renews != nil || list[0].At == "" {
		t.Errorf("%+v", list)
	}
	if list[1].Source != "internal" || list[1].Renews == nil || list[1].Issuer != "Gatehouse listeners" {
		t.Errorf("%+v", list[1])
	}
}

// exchangeOver opens a connection and sends one request over it.
func exchangeOver(t *testing.T, address string, c *tls.Config) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	askOver(t, conn)
	return conn
}

func askOver(t *testing.T, conn *tls.Conn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK || resp.Close {
		t.Errorf("%d, and the connection ends: %v", resp.StatusCode, resp.Close)
	}
}
