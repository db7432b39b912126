package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

// selfSigned makes a certificate file for names.
func selfSigned(t testing.TB, key any, notAfter time.Time, names ...string) CertificateFile {
	t.Helper()
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	public := any(nil)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		public = k.Public()
	case *rsa.PrivateKey:
		public = k.Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return CertificateFile{
		Cert: config.File{Path: "cert.pem", Content: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
		Key:  config.File{Path: "key.pem", Content: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})},
	}
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certFor(t testing.TB, names ...string) CertificateFile {
	t.Helper()
	return selfSigned(t, ecKey(t), time.Now().Add(24*time.Hour), names...)
}

// shown returns the certificate that the listener shows to a client asking for
// name.
func shown(t testing.TB, addr, name string, change ...func(*tls.Config)) *x509.Certificate {
	t.Helper()
	c := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	for _, f := range change {
		f(c)
	}
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func TestSelectsBySNI(t *testing.T) {
	files := []CertificateFile{certFor(t, "default.test"), certFor(t, "a.test", "*.a.test"), certFor(t, "x.a.test"), certFor(t, "UPPER.test")}
	h := newHouse(t, nil, listenerConfig(withTLS(files...)))
	for name, want := range map[string]string{
		"a.test": "a.test", "b.a.test": "a.test", "x.a.test": "x.a.test", "A.TEST": "a.test",
		"y.x.a.test": "default.test", "unknown.test": "default.test", "": "default.test", "upper.test": "UPPER.test",
		"api.shop.test": "default.test", // internal was not asked for
	} {
		if got := shown(t, h.addr(), name).DNSNames[0]; got != want {
			t.Errorf("%q gets %q, want %q", name, got, want)
		}
	}
}

func TestFilesAndInternal(t *testing.T) {
	file := certFor(t, "file.test", "api.shop.test")
	both := func(first bool) func(*Listener) {
		return func(l *Listener) {
			withTLS(file)(l)
			l.TLS.Certificates.Internal, l.TLS.Certificates.First = true, first
		}
	}
	for first, unknown := range map[bool]string{true: "localhost", false: "file.test"} {
		h := newHouse(t, nil, listenerConfig(both(first)))
		for name, want := range map[string]string{
			"file.test": "file.test", "api.shop.test": "file.test", // files before internal ones
			"b.wild.test": "*.wild.test", "localhost": "localhost",
			"stranger.test": unknown, "a.b.wild.test": unknown, "": unknown,
		} {
			if got := shown(t, h.addr(), name).DNSNames[0]; got != want {
				t.Errorf("first %v: %q gets %q, want %q", first, name, got, want)
			}
		}
	}
}

func TestKeyTypesForOneName(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, nil, listenerConfig(withTLS(certFor(t, "a.test"), selfSigned(t, rsaKey, time.Now().Add(time.Hour), "a.test"))))
	if got := shown(t, h.addr(), "a.test").PublicKeyAlgorithm; got != x509.ECDSA {
		t.Errorf("a modern client gets %v", got)
	}
	old := func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	if got := shown(t, h.addr(), "a.test", old).PublicKeyAlgorithm; got != x509.RSA {
		t.Errorf("a client that knows RSA alone gets %v", got)
	}
}

func TestInternalIsIssuedForConfiguredNamesAlone(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	for name, want := range map[string]string{
		"api.shop.test": "api.shop.test", "b.wild.test": "*.wild.test", "evil.test": "localhost", "": "localhost",
		"x.services.gatehouse.internal": "localhost",
	} {
		if got := shown(t, h.addr(), name).DNSNames[0]; got != want {
			t.Errorf("%q gets %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"localhost", "127.0.0.1"} {
		conn, err := tls.Dial("tcp", h.addr(), &tls.Config{ServerName: name, RootCAs: h.roots()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = conn.Close()
	}
}

func TestVersionsAndALPN(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS(), func(l *Listener) { l.TLS.MinVersion = "1.3" }))
	if _, err := tls.Dial("tcp", h.addr(), &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots(), MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 where 1.3 is the least")
	}
	h = newHouse(t, nil, listenerConfig(withTLS()))
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", h.addr(), &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots(), MinVersion: tls.VersionTLS10, MaxVersion: version})
		if (err == nil) != good {
			t.Errorf("version %x: %v", version, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	eventually(t, "the handshake that failed is counted", func() bool { return h.counters().HandshakeErrors.Load() == 1 })
	for _, offer := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}, nil} {
		conn, err := tls.Dial("tcp", h.addr(), &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots(), NextProtos: offer})
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if offer != nil {
			want = offer[0]
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("offered %v: %q", offer, got)
		}
		_ = conn.Close()
	}
}

func TestSNIIsOnTheRecord(t *testing.T) {
	sni := make(chan string, 1)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { sni <- ConnOf(r).SNI }, listenerConfig(withTLS()))
	for _, h2 := range []bool{false, true} {
		get(t, h.client(h2), "https://API.shop.test/")
		if got := <-sni; got != "api.shop.test" {
			t.Errorf("h2=%v: %q", h2, got)
		}
	}
}

// problems compiles and returns what was reported and warned of.
func problems(listeners ...Listener) (problems, warnings []string) {
	var report config.Report
	Compile(listeners, Compilation{Now: time.Now(), Warn: func(_ config.Pos, m string) { warnings = append(warnings, m) }}, &report)
	for _, p := range report.Problems() {
		problems = append(problems, p.Message)
	}
	return problems, warnings
}

func TestBadCertificates(t *testing.T) {
	good, other := certFor(t, "a.test"), certFor(t, "b.test")
	with := func(cert, key string) CertificateFile {
		return CertificateFile{Cert: config.File{Path: "cert.pem", Content: []byte(cert)}, Key: config.File{Path: "key.pem", Content: []byte(key)}}
	}
	for want, f := range map[string]CertificateFile{
		"the key key.pem does not belong to the certificate cert.pem": {Cert: good.Cert, Key: other.Key},
		"cert.pem holds no readable certificate":                      with("hello", string(good.Key.Content)),
		"key.pem holds no readable private key":                       with(string(good.Cert.Content), "hello"),
		"cert.pem holds no readable certificate in PEM":               with(string(good.Key.Content), string(good.Cert.Content)), // the wrong way round
	} {
		got, _ := problems(listenerConfig(withTLS(f)))
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("want %q, got %q", want, got)
		}
		if strings.Contains(strings.Join(got, ""), "BEGIN") {
			t.Errorf("it quotes the key: %q", got)
		}
	}
	// Every bad file is reported at once.
	if got, _ := problems(listenerConfig(withTLS(with("x", "y"), with("z", "y")))); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// A domain of the gateway's own would fail at every handshake.
func TestReservedDomains(t *testing.T) {
	for domain, want := range map[string]int{"gatehouse.internal": 1, "*.Gatehouse.internal": 1, "a.services.gatehouse.internal": 1, "gatehouse.internal.test": 0} {
		for _, listener := range []Listener{listenerConfig(withTLS()), listenerConfig(withTLS(certFor(t, "a.test")))} {
			var report config.Report
			Compile([]Listener{listener}, Compilation{Now: time.Now(), Domains: []string{"a.test", domain}}, &report)
			if !listener.TLS.Certificates.Internal {
				want = 0 // nothing is issued
			}
			if got := report.Problems(); len(got) != want || want == 1 && !strings.Contains(got[0].Message, domain) {
				t.Errorf("%s: %v", domain, got)
			}
		}
	}
}

func TestExpiredCertificateIsAWarning(t *testing.T) {
	expired := selfSigned(t, ecKey(t), time.Now().Add(-time.Hour), "a.test")
	early := selfSigned(t, ecKey(t), time.Now().Add(100*time.Hour), "a.test")
	nameless := selfSigned(t, ecKey(t), time.Now().Add(time.Hour))
	for want, f := range map[string]CertificateFile{"expired on": expired, "not valid before": early, "names no host": nameless} {
		errs, warnings := problems(listenerConfig(withTLS(f)))
		if len(errs) > 0 || len(warnings) != 1 || !strings.Contains(warnings[0], want) {
			t.Errorf("want a warning %q: %q %q", want, errs, warnings)
		}
	}
}

func TestTrustInEverybodyIsAWarning(t *testing.T) {
	for prefix, want := range map[string]int{"0.0.0.0/0": 1, "::/0": 1, "10.0.0.0/8": 0, "0.0.0.0": 0} {
		errs, warnings := problems(listenerConfig(trusting(prefix)))
		if len(errs) > 0 || len(warnings) != want || want == 1 && !strings.Contains(warnings[0], prefix) {
			t.Errorf("%s: %q %q", prefix, errs, warnings)
		}
	}
}

// resumes reports whether a second connection resumes the first's session.
func resumes(t testing.TB, cache tls.ClientSessionCache, addr string) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "api.shop.test", InsecureSkipVerify: true, ClientSessionCache: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A ticket comes with the first bytes that are read.
	_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: api.shop.test\r\n\r\n"))
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Read(make([]byte, 1))
	return conn.ConnectionState().DidResume
}

func TestSessionsSurviveReloadsButNotOtherCertificates(t *testing.T) {
	file := certFor(t, "api.shop.test")
	h := newHouse(t, nil, listenerConfig(withTLS(file)))
	cache := tls.NewLRUClientSessionCache(4)
	if resumes(t, cache, h.addr()) || !resumes(t, cache, h.addr()) {
		t.Fatal("no resumption to begin with")
	}
	h.reload(listenerConfig(withTLS(file), func(l *Listener) { l.Limits.Connections = 77 }))
	if !resumes(t, cache, h.addr()) {
		t.Error("a reload with the same certificates lost the sessions")
	}
	h.reload(listenerConfig(withTLS(certFor(t, "api.shop.test"))))
	if resumes(t, cache, h.addr()) {
		t.Error("a session went on under another certificate")
	}
}

func TestTicketsAreNotSharedBetweenListeners(t *testing.T) {
	file := certFor(t, "api.shop.test")
	h := newHouse(t, nil, listenerConfig(withTLS(file)), listenerConfig(withTLS(file)))
	cache := tls.NewLRUClientSessionCache(4)
	resumes(t, cache, h.addr())
	if !resumes(t, cache, h.addr()) {
		t.Fatal("no resumption to begin with")
	}
	if resumes(t, cache, h.addr("127.0.0.1:0#2")) {
		t.Error("a session of one listener was resumed at the other")
	}
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
