package ca_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/edge/ca"
)

func open(t *testing.T, dir string) *ca.CA {
	t.Helper()
	c, err := ca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func folder(t *testing.T) string { return filepath.Join(t.TempDir(), "ca") }

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := folder(t)
	open(t, dir)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v %v", info.Mode(), err)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 5 {
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		if info, _ := f.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f.Name(), info.Mode())
		}
	}
}

func TestStaysTheSameAcrossRestarts(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	before := contents(t, dir)
	second := open(t, dir)
	if string(first.RootPEM()) != string(second.RootPEM()) {
		t.Error("another root")
	}
	if got := contents(t, dir); got != before {
		t.Error("files were written again")
	}
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, _ := os.ReadFile(filepath.Join(dir, f.Name()))
		b.WriteString(f.Name() + "\n" + string(text))
	}
	return b.String()
}

func TestManyAtOnceMakeOneAuthority(t *testing.T) {
	dir := folder(t)
	roots := make([]string, 8)
	var all sync.WaitGroup
	for i := range roots {
		all.Go(func() {
			c, err := ca.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			roots[i] = string(c.RootPEM())
		})
	}
	all.Wait()
	for _, root := range roots {
		if root != roots[0] {
			t.Fatal("two roots")
		}
	}
	open(t, dir) // what the eight left fits together
}

// leaves returns a certificate of each purpose, for the name "x" where the
// purpose has names.
func leaves(t *testing.T, c *ca.CA) map[ca.Purpose]*tls.Certificate {
	t.Helper()
	out := make(map[ca.Purpose]*tls.Certificate)
	for _, p := range ca.Purposes() {
		cert, err := c.Leaf(p, "x")
		if err != nil {
			t.Fatal(err)
		}
		out[p] = cert
	}
	return out
}

func verify(c *ca.CA, cert *tls.Certificate, name string, usage x509.ExtKeyUsage) error {
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		between.AddCert(parsed)
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: c.Pool(), Intermediates: between, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// No certificate passes for one of another purpose at a verifier that knows
// the root alone and asks for usage and name as TLS does.
func TestPurposesAreApart(t *testing.T) {
	c := open(t, folder(t))
	all := leaves(t, c)
	asked := []struct {
		what  string
		name  string
		usage x509.ExtKeyUsage
		only  ca.Purpose // who may pass; "" for nobody
	}{
		{"a client's view of the gateway", "x", x509.ExtKeyUsageServerAuth, ca.Listeners},
		{"a service's view of the gateway", "", x509.ExtKeyUsageClientAuth, ca.Gateway},
		{"the gateway's view of a service", "x.services.gatehouse.internal", x509.ExtKeyUsageServerAuth, ca.Services},
		{"a link's end taken for a server", "x.links.gatehouse.internal", x509.ExtKeyUsageServerAuth, ""},
		{"a link's end taken for a client", "x.links.gatehouse.internal", x509.ExtKeyUsageClientAuth, ""},
		{"the gateway's client identity taken for a server", "x.gateway.gatehouse.internal", x509.ExtKeyUsageServerAuth, ""},
	}
	for _, a := range asked {
		for p, cert := range all {
			err := verify(c, cert, a.name, a.usage)
			if passes := err == nil; passes != (p == a.only) {
				t.Errorf("%s: a certificate of %s passes: %v (%v)", a.what, p, passes, err)
			}
		}
	}
	if err := ca.VerifyLink(all[ca.Links].Leaf, c.Intermediate(ca.Links), c.Pool(), "x"); err != nil {
		t.Errorf("a link's certificate does not pass for a link: %v", err)
	}
	for _, p := range []ca.Purpose{ca.Listeners, ca.Gateway, ca.Services} {
		if err := ca.VerifyLink(all[p].Leaf, c.Intermediate(p), c.Pool(), "x"); err == nil {
			t.Errorf("a certificate of %s passes for a link", p)
		}
	}
}

func TestListenersCannotBeTheGatewaysOwnNames(t *testing.T) {
	c := open(t, folder(t))
	for _, name := range []string{"gatehouse.internal", "x.services.gatehouse.internal", "X.LINKS.gatehouse.internal"} {
		if _, err := c.ServerCertificate(name); err == nil {
			t.Errorf("issued %s", name)
		}
	}
}

func TestServerCertificates(t *testing.T) {
	c := open(t, folder(t))
	for name, valid := range map[string][]string{
		"api.shop.test": {"api.shop.test"},
		"*.shop.test":   {"a.shop.test", "b.shop.test"},
		"localhost":     {"localhost", "127.0.0.1", "::1"},
		"192.0.2.7":     {"192.0.2.7"},
		"2001:db8::7":   {"2001:db8::7"},
	} {
		cert, err := c.ServerCertificate(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range valid {
			if err := verify(c, cert, v, x509.ExtKeyUsageServerAuth); err != nil {
				t.Errorf("%s for %s: %v", name, v, err)
			}
		}
		if uris := cert.Leaf.URIs; len(uris) != 1 || !strings.HasPrefix(uris[0].String(), "spiffe://gatehouse/listeners/") {
			t.Errorf("%s: URIs %v", name, uris)
		}
		again, _ := c.ServerCertificate(strings.ToUpper(name))
		if again != cert {
			t.Errorf("%s was issued twice", name)
		}
	}
}

func TestAServerTakesTheGatewayAsClient(t *testing.T) {
	c := open(t, folder(t))
	server, err := c.Leaf(ca.Services, "orders")
	if err != nil {
		t.Fatal(err)
	}
	serverConfig := &tls.Config{Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.Pool()}
	clientConfig := &tls.Config{RootCAs: c.Pool(), ServerName: ca.Services.Name("orders"), GetClientCertificate: c.ClientCertificate()}
	if err := handshake(clientConfig, serverConfig); err != nil {
		t.Error(err)
	}
	// A listener's certificate is refused in its place.
	listener, _ := c.ServerCertificate("api.shop.test")
	clientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return listener, nil }
	if err := handshake(clientConfig, serverConfig); err == nil {
		t.Error("a listener's certificate passed for the gateway's")
	}
}

func handshake(clientConfig, serverConfig *tls.Config) error {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	client, server := tls.Client(a, clientConfig), tls.Server(b, serverConfig)
	failed := make(chan error, 1)
	go func() {
		err := server.Handshake()
		_ = b.Close()
		failed <- err
	}()
	err := client.Handshake()
	_, _ = client.Read(make([]byte, 1)) // TLS 1.3: the server's word comes after
	return errors.Join(err, <-failed)
}

func TestRenewsAtTwoThirds(t *testing.T) {
	dir := folder(t)
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir)
		first, err := c.ServerCertificate("api.shop.test")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * 24 * time.Hour)
		if again, _ := c.ServerCertificate("api.shop.test"); again != first {
			t.Error("renewed after 19 of 30 days")
		}
		time.Sleep(2 * 24 * time.Hour)
		again, _ := c.ServerCertificate("api.shop.test")
		if again == first {
			t.Error("not renewed after 21 of 30 days")
		}
		if left := time.Until(again.Leaf.NotAfter); left < 29*24*time.Hour {
			t.Errorf("the new one lasts %v", left)
		}
	})
}

func TestIntermediatesAreReplacedInTheirLastYear(t *testing.T) {
	dir := folder(t)
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir)
		old := c.Intermediate(ca.Listeners)
		time.Sleep(4*365*24*time.Hour + time.Hour)
		c = open(t, dir)
		if c.Intermediate(ca.Listeners).Equal(old) {
			t.Error("kept in its last year")
		}
		cert, err := c.ServerCertificate("api.shop.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(c, cert, "api.shop.test", x509.ExtKeyUsageServerAuth); err != nil {
			t.Error(err)
		}
		time.Sleep(7 * 365 * 24 * time.Hour)
		if _, err := ca.Open(dir); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("an expired root: %v", err)
		}
	})
}

func TestDamage(t *testing.T) {
	other := folder(t)
	open(t, other)
	foreign := func(name string) []byte { text, _ := os.ReadFile(filepath.Join(other, name)); return text }
	tests := map[string]struct {
		file   string
		damage func(text []byte) []byte // nil removes the file
		want   []string
	}{
		"empty root":             {"root.pem", func([]byte) []byte { return []byte{} }, []string{"root.pem", "damaged", "backup"}},
		"half a root":            {"root.pem", func(b []byte) []byte { return b[:len(b)/2] }, []string{"root.pem", "damaged", "backup"}},
		"no key":                 {"root.pem", func(b []byte) []byte { cert, _ := pem.Decode(b); return pem.EncodeToMemory(cert) }, []string{"no private key follows"}},
		"garbage":                {"root.pem", func(b []byte) []byte { return []byte("hello") }, []string{"root.pem", "begin with a certificate"}},
		"cut key":                {"listeners.pem", func(b []byte) []byte { return b[:len(b)-60] }, []string{"listeners.pem", "remove it, and it is made anew"}},
		"foreign root":           {"root.pem", func([]byte) []byte { return foreign("root.pem") }, []string{"listeners.pem", "not signed by the root"}},
		"foreign intermediate":   {"links.pem", func([]byte) []byte { return foreign("links.pem") }, []string{"links.pem", "not signed by the root"}},
		"no root":                {"root.pem", nil, []string{"root.pem is missing", "backup"}},
		"key of another":         {"root.pem", mixed(foreign("root.pem")), []string{"does not belong"}},
		"more than a pair":       {"gateway.pem", func(b []byte) []byte { return append(b, b...) }, []string{"something follows"}},
		"intermediate as a root": {"root.pem", func([]byte) []byte { return foreign("links.pem") }, []string{"root.pem", "no root"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			open(t, dir)
			path := filepath.Join(dir, test.file)
			text, _ := os.ReadFile(path)
			if test.damage == nil {
				_ = os.Remove(path)
			} else if err := os.WriteFile(path, test.damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			_, err := ca.Open(dir)
			if err == nil {
				t.Fatal("opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("it quotes the file: %v", err)
			}
			if contents(t, dir) != before {
				t.Error("something was written")
			}
		})
	}
}

func mixed(foreign []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		cert, _ := pem.Decode(b)
		_, rest := pem.Decode(foreign)
		return append(pem.EncodeToMemory(cert), rest...)
	}
}

func TestSwappedIntermediates(t *testing.T) {
	dir := folder(t)
	open(t, dir)
	text, _ := os.ReadFile(filepath.Join(dir, "gateway.pem"))
	if err := os.WriteFile(filepath.Join(dir, "listeners.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Open(dir); err == nil || !strings.Contains(err.Error(), "is not for listeners") {
		t.Errorf("%v", err)
	}
}

func TestMissingIntermediateIsMadeAnew(t *testing.T) {
	dir := folder(t)
	before := open(t, dir)
	_ = os.Remove(filepath.Join(dir, "listeners.pem"))
	after := open(t, dir)
	if string(before.RootPEM()) != string(after.RootPEM()) {
		t.Error("another root")
	}
}

func TestReadableByOthers(t *testing.T) {
	dir := folder(t)
	open(t, dir)
	path := filepath.Join(dir, "root.pem")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("%v", err)
	}
	_ = os.Chmod(path, 0o600)
	_ = os.Chmod(dir, 0o777)
	if _, err := ca.Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("%v", err)
	}
}

func TestConcurrentIssue(t *testing.T) {
	c := open(t, folder(t))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, err := c.ServerCertificate("api.shop.test"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
