package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

// certificate makes one for names.
func certificate(t *testing.T, names ...string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// authority issues what it is asked for, and notes it.
type authority struct {
	t     *testing.T
	asked []string
}

func (a *authority) ServerCertificate(name string) (*tls.Certificate, error) {
	a.asked = append(a.asked, name)
	return certificate(a.t, name), nil
}

func TestGet(t *testing.T) {
	files := []*tls.Certificate{certificate(t, "default.test"), certificate(t, "a.test", "*.a.test"), certificate(t, "x.a.test"), certificate(t, "*.test")}
	tests := map[string]struct {
		files    bool
		internal []string // nil for none
		want     map[string]string
	}{
		"files": {true, nil, map[string]string{
			"a.test": "a.test", "A.Test": "a.test", "a.test.": "a.test", "b.a.test": "a.test", "x.a.test": "x.a.test",
			"other.test": "*.test", "y.x.a.test": "default.test", "test": "default.test", "": "default.test", ".test": "*.test",
		}},
		"internal": {false, []string{"shop.test", "*.Wild.test"}, map[string]string{
			"shop.test": "shop.test", "SHOP.test": "shop.test", "a.wild.test": "*.wild.test", "a.b.wild.test": "localhost",
			"wild.test": "localhost", "stranger": "localhost", "localhost": "localhost", "": "localhost", "*.wild.test": "*.wild.test",
		}},
		"both": {true, []string{"a.test", "shop.example"}, map[string]string{
			"a.test": "a.test", "shop.example": "shop.example", "localhost": "localhost", "stranger": "default.test",
		}},
		"nothing": {false, nil, map[string]string{"a.test": "", "": ""}},
	}
	for name, test := range tests {
		s, from := New(), &authority{t: t}
		if test.internal != nil {
			s.Issue(from, test.internal)
		}
		for i, cert := range files {
			if test.files {
				s.Add(cert, i == 0)
			}
		}
		for sni, want := range test.want {
			cert, err := s.Get(&tls.ClientHelloInfo{ServerName: sni})
			switch {
			case want == "" && err == nil:
				t.Errorf("%s: %q gets %v", name, sni, cert.Leaf.DNSNames)
			case want != "" && (err != nil || cert.Leaf.DNSNames[0] != want):
				t.Errorf("%s: %q gets %v %v, want %s", name, sni, cert, err, want)
			}
		}
		for _, asked := range from.asked {
			if !s.issue[asked] {
				t.Errorf("%s: the authority was asked for %s", name, asked)
			}
		}
	}
}

func TestNoAuthority(t *testing.T) {
	s := New()
	s.Issue(nil, []string{"a.test"})
	if _, err := s.Get(&tls.ClientHelloInfo{ServerName: "a.test"}); err == nil {
		t.Error("a certificate from nobody")
	}
}
