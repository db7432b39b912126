package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

// authority is one that issues certificates to clients.
type authority struct {
	t      *testing.T
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, serial: 1}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	return a
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue issues a certificate for a client.
func (a *authority) issue(name string, change ...func(*x509.Certificate)) *tls.Certificate {
	a.t.Helper()
	a.serial++
	id, _ := url.Parse("spiffe://shop.test/" + name)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Shop"}}, DNSNames: []string{name + ".devices.test"}, URIs: []*url.URL{id},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(template)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// revoke returns a list with the serial numbers of certificates.
func (a *authority) revoke(until time.Duration, certs ...*tls.Certificate) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(until)}
	for _, c := range certs {
		leaf, _ := x509.ParseCertificate(c.Certificate[0])
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

const devices = `
log: {access: access.log, format: '$context.identity.clientCert.subjectDN|$context.identity.clientCert.serialNumber|$context.requestId|$context.authorizer.principalId'}
apis:
  things:
    domains: [things.test]
    authorize: devices
    authorizers:
      devices: {mtls: {ca: ca.pem, crl: crl.pem, allow: ["dns:*.devices.test"], principal: uri}}
      tokens: {jwt: {issuer: "https://login.test", audience: test, jwks: development}}
    routes:
      - {match: ANY /, target: "service:a", headers: {request: {set: {x-who: "${principal.id}"}}}}
      - {match: GET /either, target: mock, authorize: [devices, tokens]}
  shop:
    domains: [shop.test]
    authorize: none
    routes: [{match: GET /, target: mock}]
services: {a: {targets: ["BACKEND"]}}
`

// Devices are known by their certificates, which are verified for every request.
func TestMutualTLS(t *testing.T) {
	ca, other := newAuthority(t, "Devices"), newAuthority(t, "Devices") // of one name
	revoked := ca.issue("stolen")
	files := map[string][]byte{"ca.pem": ca.pem(), "crl.pem": ca.revoke(time.Hour, revoked)}
	r := start(t, strings.Replace(devices, "BACKEND", newBackend(t, "a").Listener.Addr().String(), 1), files)
	good := ca.issue("sensor-1")
	for _, tc := range []struct {
		name   string
		cert   *tls.Certificate
		status int
		reason string
	}{
		{"none", nil, 403, "no-credential"},
		{"good", good, 200, ""},
		{"of another authority of the same name", other.issue("sensor-1"), 403, "untrusted"},
		{"expired", ca.issue("old", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), 403, "expired"},
		{"not yet valid", ca.issue("new", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), 403, "untrusted"},
		{"a server's", ca.issue("server", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), 403, "untrusted"},
		{"revoked", revoked, 403, "revoked"},
		{"another name", ca.issue("x", func(c *x509.Certificate) { c.DNSNames = []string{"a.b.devices.test"} }), 403, "not-allowed"},
		{"no URI", ca.issue("y", func(c *x509.Certificate) { c.URIs = nil }), 403, "no-subject"},
	} {
		for _, protocol := range protocols {
			a := protocol.send(t, r, message{method: "GET", target: "/", host: "things.test", sni: "things.test", certificate: tc.cert})
			if a.status != tc.status {
				t.Errorf("%s by %s: %d %v", tc.name, protocol.name, a.status, a.err)
				continue
			}
			if tc.status == 200 && !strings.Contains(a.body, `"X-Who":["mtls:CN=Devices|spiffe://shop.test/sensor-1"]`) {
				t.Errorf("%s by %s: %s", tc.name, protocol.name, a.body)
			}
			if trail := r.explain(a.id()); tc.reason != "" && !strings.Contains(trail, tc.reason) {
				t.Errorf("%s by %s: %s", tc.name, protocol.name, trail)
			}
		}
	}
	a := sendHTTP2(t, r, message{method: "GET", target: "/", host: "things.test", sni: "things.test", certificate: good})
	if line := r.logLineBehind(0, a.id()); !strings.Contains(line, "CN=sensor-1,O=Shop|3|") {
		t.Errorf("the access log: %s", line)
	}
	if a := sendHTTP1(t, r, message{method: "POST", target: "/", host: "things.test", sni: "things.test", certificate: good, header: [][2]string{{"Sec-Fetch-Site", "cross-site"}}}); a.status != 403 {
		t.Errorf("another web site's page: %d", a.status)
	}
	if a := sendHTTP1(t, r, message{method: "GET", target: "/either", host: "things.test", sni: "things.test"}); a.status != 401 {
		t.Errorf("nothing where a token is good too: %d", a.status)
	}

	// A list that takes over holds for certificates that were verified before, and one
	// whose time is over lets nobody pass.
	for list, want := range map[string]int{string(ca.revoke(time.Hour, good)): 403, string(ca.revoke(-time.Minute)): 503, string(ca.revoke(time.Hour)): 200} {
		r.write("crl.pem", []byte(list))
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := sendHTTP2(t, r, message{method: "GET", target: "/", host: "things.test", sni: "things.test", certificate: good}); a.status != want {
			t.Errorf("after another list: %d, want %d", a.status, want)
		}
	}
	r.write("crl.pem", other.revoke(time.Hour))
	if err := r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "signed by no authority in ca") {
		t.Errorf("a list of somebody else's: %v", err)
	}
}

// Sessions do not wander between domains that ask for other certificates, or none.
func TestMutualTLSSessions(t *testing.T) {
	ca := newAuthority(t, "Devices")
	r := start(t, strings.Replace(devices, "BACKEND", "127.0.0.1:1", 1), map[string][]byte{"ca.pem": ca.pem(), "crl.pem": ca.revoke(time.Hour)})
	cert := ca.issue("sensor-1")
	first, second := &loose{}, &loose{}
	for range 2 {
		if a := sendHTTP1(t, r, message{method: "GET", target: "/", host: "shop.test", sni: "shop.test", sessions: first}); a.status != 200 {
			t.Fatalf("%d %v", a.status, a.err)
		}
	}
	if first.put == 0 {
		t.Error("a domain that asks for no certificates gives out no tickets")
	}
	// The ticket of the other domain is offered here, without a certificate.
	if a := sendHTTP1(t, r, message{method: "GET", target: "/either", host: "things.test", sni: "things.test", sessions: first}); a.status != 401 {
		t.Errorf("with another domain's session: %d %v", a.status, a.err)
	}
	if a := sendHTTP1(t, r, message{method: "GET", target: "/either", host: "things.test", sni: "things.test", sessions: second, certificate: cert}); a.status != 200 || second.put != 0 {
		t.Errorf("%d, %d tickets", a.status, second.put)
	}
	// Nor does a connection that was made for one API serve the other.
	if a := sendHTTP1(t, r, message{method: "GET", target: "/either", host: "things.test", sni: "shop.test", certificate: cert}); a.status != 421 {
		t.Errorf("another domain's connection: %d", a.status)
	}
}

// loose is a cache of sessions that offers whatever it has, to whomever.
type loose struct {
	session *tls.ClientSessionState
	put     int
}

func (l *loose) Get(string) (*tls.ClientSessionState, bool) { return l.session, l.session != nil }

func (l *loose) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		l.session = s
		l.put++
	}
}
