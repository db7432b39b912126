package upstream

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/dial"
	"gatehouse/http1/wire"
)

// authority is a certificate authority for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue returns a certificate and key, PEM, for names and addresses.
func (a *authority) issue(t testing.TB, hosts ...string) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func file(name string, content []byte) config.File { return config.File{Path: name, Content: content} }

// secured is a TLS service, and counts its handshakes.
func secured(t testing.TB, conf *tls.Config, handshakes *atomic.Int64) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			w.Header().Set("X-Peer", r.TLS.PeerCertificates[0].Issuer.CommonName)
		}
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("X-Sni", r.TLS.ServerName)
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	conf.VerifyConnection = func(tls.ConnectionState) error {
		if handshakes != nil {
			handshakes.Add(1)
		}
		return nil
	}
	s.EnableHTTP2 = true
	s.TLS = conf
	s.Config.ErrorLog = discardLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "https://")
}

func TestTLS(t *testing.T) {
	ca, strangers := newAuthority(t), newAuthority(t)
	cert, key := ca.issue(t, "orders.internal", "127.0.0.1")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	ownCert, ownKey := ca.issue(t)
	address := secured(t, &tls.Config{Certificates: []tls.Certificate{pair}}, nil)
	strict := secured(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}, nil)
	old := secured(t, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, nil)
	plain := newBackend(t, always(okAnswer)).address()
	trust := file("ca.pem", ca.pem())
	for name, c := range map[string]struct {
		address string
		tls     TLS
		status  int
		reason  string
	}{
		"by address":            {address, TLS{CA: trust}, 200, ""},
		"by name":               {address, TLS{CA: trust, ServerName: "orders.internal"}, 200, ""},
		"another name":          {address, TLS{CA: trust, ServerName: "billing.internal"}, 502, "tls"},
		"another authority":     {address, TLS{CA: file("ca.pem", strangers.pem())}, 502, "tls"},
		"the system's":          {address, TLS{}, 502, "tls"},
		"no TLS there":          {plain, TLS{CA: trust}, 502, "tls"},
		"an old version":        {old, TLS{CA: trust}, 502, "tls"},
		"with a certificate":    {strict, TLS{CA: trust, Client: &ClientCertificate{Cert: file("c", ownCert), Key: file("k", ownKey)}}, 200, ""},
		"with the gateway's":    {strict, TLS{CA: trust, Client: &ClientCertificate{Internal: true}}, 200, ""},
		"without a certificate": {strict, TLS{CA: trust}, 502, "tls reset"}, // in TLS 1.3 it comes in place of the answer, if at all
		"a stranger's, unasked": {address, TLS{CA: trust, Client: &ClientCertificate{Internal: true}}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: quietLog(), Certificate: func() (*tls.Certificate, error) {
				own, err := tls.X509KeyPair(ownCert, ownKey)
				return &own, err
			}})
			t.Cleanup(k.Close)
			cfg := service(c.address)
			cfg.TLS = &c.tls
			f := newFront(t, New(Route{Service: bindIn(t, k, cfg)}))
			for _, size := range []int{0, 100, 1 << 20} {
				resp, err := http.Post(f.URL+"/", "", strings.NewReader(strings.Repeat("x", size)))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				o := f.last(t)
				if err != nil || resp.StatusCode != c.status || !strings.Contains(c.reason, o.Reason) {
					t.Fatalf("%v, %v, %+v", resp, err, o)
				}
				if c.status != 200 {
					continue
				}
				if len(b) != size || resp.Header.Get("X-Proto") != "HTTP/1.1" || resp.Header.Get("X-Sni") != c.tls.ServerName {
					t.Errorf("%d bytes, %v", len(b), resp.Header)
				}
			}
			if s := stats(k)[c.address]; c.status == 200 && s.Open != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What TLS says in the middle is not taken for a connection that was closed.
func TestTLSAlert(t *testing.T) {
	c := &call{handler: &handler{}, in: wire.NewReader()}
	for _, op := range []string{"remote error", "local error"} {
		f := c.answerFailure(&net.OpError{Op: op, Err: errors.New("tls: certificate required")})
		if f.status != 502 || f.reason != "tls" || !strings.Contains(f.detail, "certificate required") || f.stale || f.unprocessed {
			t.Errorf("%s: %+v", op, f)
		}
	}
}

// Services that differ in whom they trust or what they show never share a
// connection, those that do not differ do; sessions are resumed.
func TestTLSIdentities(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, "orders.internal", "127.0.0.1")
	pair, _ := tls.X509KeyPair(cert, key)
	var handshakes atomic.Int64
	address := secured(t, &tls.Config{Certificates: []tls.Certificate{pair}}, &handshakes)
	k := newTestKeeper(t)
	l := k.Begin()
	call := func(conf TLS) {
		t.Helper()
		c := service(address)
		c.TLS = &conf
		s, err := l.Service(c)
		if err != nil {
			t.Fatal(err)
		}
		f := newFront(t, New(Route{Service: s}))
		if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err, f.last(t))
		}
	}
	call(TLS{CA: file("a.pem", ca.pem())})
	call(TLS{CA: file("another/path.pem", ca.pem())})
	if n := handshakes.Load(); n != 1 {
		t.Errorf("%d handshakes for the same identity", n)
	}
	call(TLS{CA: file("a.pem", append(ca.pem(), newAuthority(t).pem()...))})
	call(TLS{CA: file("a.pem", ca.pem()), ServerName: "orders.internal"})
	own, ownKey := ca.issue(t)
	call(TLS{CA: file("a.pem", ca.pem()), Client: &ClientCertificate{Cert: file("c", own), Key: file("k", ownKey)}})
	if n := handshakes.Load(); n != 4 {
		t.Errorf("%d handshakes for four identities", n)
	}
	l.Commit()
}

// A slow answer over TLS: the first look at the clock must not spoil the
// connection, whose state a failed write would.
func TestTLSWaits(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, "127.0.0.1")
	pair, _ := tls.X509KeyPair(cert, key)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for request(r) != nil {
					for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-", "Length: 2\r\n\r\no", "k"} {
						time.Sleep(2 * slice)
						_, _ = io.WriteString(conn, part)
					}
				}
			}()
		}
	}()
	k := newTestKeeper(t)
	c := service(l.Addr().String())
	c.TLS = &TLS{CA: file("ca.pem", ca.pem())}
	f := newFront(t, New(Route{Service: bindIn(t, k, c)}))
	for range 3 {
		if resp, body, err := get(t, f.URL+"/"); err != nil || body != "ok" {
			t.Fatal(resp, body, err)
		}
	}
	if s := stats(k)[l.Addr().String()]; s.Open != 1 {
		t.Errorf("%+v", s)
	}
}
