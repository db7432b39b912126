package edge

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/config"
	"gatehouse/edge/ca"
)

// A listener that runs for years shows certificates of the internal CA that are
// good, each renewed when a third of its life is left, with no restart and no
// reload.
func TestInternalCertificatesRenewWhileServing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	synctest.Test(t, func(t *testing.T) {
		authority, err := ca.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var report config.Report
		policies := Compile([]Listener{listenerConfig(withTLS())}, Compilation{Domains: []string{"api.shop.test"}, Authority: authority, Now: time.Now()}, &report)
		served := policies["127.0.0.1:0"].tls
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority.RootPEM())
		var last *x509.Certificate
		renewed := 0
		for range 800 { // days
			cert := shake(t, served, &tls.Config{ServerName: "api.shop.test", RootCAs: roots})
			if left := time.Until(cert.NotAfter); left < 9*24*time.Hour {
				t.Fatalf("what is shown lasts %v", left)
			}
			if last != nil && !cert.Equal(last) {
				renewed++
			}
			last = cert
			time.Sleep(24 * time.Hour)
		}
		if renewed < 38 || renewed > 41 { // every 20 days
			t.Errorf("renewed %d times", renewed)
		}
	})
}

// shake does one handshake, and returns the certificate that the client was shown.
func shake(t *testing.T, server, client *tls.Config) *x509.Certificate {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	ended := make(chan error, 1)
	go func() {
		defer b.Close()
		ended <- tls.Server(b, server).Handshake()
	}()
	conn := tls.Client(a, client)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	cert := conn.ConnectionState().PeerCertificates[0]
	go func() { _, _ = a.Read(make([]byte, 4096)) }() // the tickets
	_ = a.SetReadDeadline(time.Now().Add(time.Second))
	<-ended
	return cert
}
