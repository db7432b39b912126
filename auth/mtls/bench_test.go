package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"gatehouse/auth/recall"
	"gatehouse/config"
	"gatehouse/exchange"
)

// shown returns an Authorizer and the connection of a client that showed a
// certificate of its authority.
func shown(t testing.TB) (*Authorizer, *exchange.Conn) {
	t.Helper()
	issue := func(template, parent *x509.Certificate, public any, by *ecdsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ca := issue(root, root, key.Public(), key)
	leaf := issue(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "device"}, NotBefore: from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, key.Public(), key)
	a := New(&Config{CA: config.File{Path: "ca.pem", Content: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})}, Principal: "cn"})
	return a, &exchange.Conn{TLS: true, Certificates: []*x509.Certificate{leaf}, Fingerprint: sha256.Sum256(leaf.Raw)}
}

// A certificate that was verified is remembered no longer than it holds, however
// long its connection lives.
func TestRememberedUntilItExpires(t *testing.T) {
	a, conn := shown(t)
	for after, want := range map[time.Duration]string{0: "", 59 * time.Minute: "", 61 * time.Minute: "expired"} {
		x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), conn, nil)
		x.Start = x.Start.Add(after)
		if v := a.Authenticate(x, r); v.Reason != want || (v.Principal != nil) != (want == "") {
			t.Errorf("after %v: %+v", after, v)
		}
	}
}

func BenchmarkRemembered(b *testing.B) {
	a, conn := shown(b)
	x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), conn, nil)
	b.ReportAllocs()
	for b.Loop() {
		if a.Authenticate(x, r).Principal == nil {
			b.Fatal()
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	a, conn := shown(b)
	x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), conn, nil)
	b.ReportAllocs()
	for b.Loop() {
		a.verified.Forget(recall.Key(conn.Fingerprint))
		if a.Authenticate(x, r).Principal == nil {
			b.Fatal()
		}
	}
}
