package ca

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/private"
)

func opened(t *testing.T, dir string) *CA {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// passes reports whether a listener's certificate passes at a client that knows
// the root alone.
func passes(t *testing.T, c *CA) error {
	t.Helper()
	cert, err := c.ServerCertificate("api.shop.test")
	if err != nil {
		return err
	}
	between := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	between.AddCert(parsed)
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: c.Pool(), Intermediates: between, DNSName: "api.shop.test"})
	return err
}

// A gateway that runs for years replaces its intermediates by itself.
func TestIntermediatesAreReplacedWhileRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, dir)
		old := c.Intermediate(Listeners)
		for range 60 {
			if err := passes(t, c); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * day)
		}
		if c.Intermediate(Listeners).Equal(old) {
			t.Error("kept in its last year")
		}
		if !opened(t, dir).Intermediate(Listeners).Equal(c.Intermediate(Listeners)) {
			t.Error("the new one is not on the disk")
		}
	})
}

// Where it cannot write, the old intermediate serves until its end, and then
// the error says what to do.
func TestIntermediateThatCannotBeReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	synctest.Test(t, func(t *testing.T) {
		c := opened(t, dir)
		old := c.Intermediate(Listeners)
		if err := os.Rename(dir, dir+"-away"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(intermediateLife - 2*day)
		if err := passes(t, c); err != nil || !c.Intermediate(Listeners).Equal(old) {
			t.Errorf("before its end: %v", err)
		}
		time.Sleep(3 * day)
		if err := passes(t, c); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "listeners.pem")) {
			t.Errorf("after its end: %v", err)
		}
		if err := os.Rename(dir+"-away", dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryReplacing)
		if err := passes(t, c); err != nil {
			t.Errorf("with the folder back: %v", err)
		}
	})
}

// An intermediate without a constraint that it is to have is replaced, though it
// is fit otherwise.
func TestUnconstrainedIntermediateIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	c := opened(t, dir)
	template := intermediateTemplate(Services, big.NewInt(7), time.Now())
	template.ExcludedIPRanges = nil
	key, _, err := fresh()
	if err != nil {
		t.Fatal(err)
	}
	loose, err := replace(intermediatePath(dir, Services), template, c.root, key)
	if err != nil {
		t.Fatal(err)
	}
	again := opened(t, dir).Intermediate(Services)
	if again.Equal(loose.cert) || len(again.ExcludedIPRanges) != 2 {
		t.Errorf("%v", again.ExcludedIPRanges)
	}
}

func TestWarnsOfTheRootsEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	synctest.Test(t, func(t *testing.T) {
		if w := opened(t, dir).Warning(); w != "" {
			t.Error(w)
		}
		time.Sleep(rootLife - rootNotice + day)
		if w := opened(t, dir).Warning(); !strings.Contains(w, dir) || !strings.Contains(w, "2009") {
			t.Errorf("%q", w)
		}
	})
}

// Not even who has the services' key can certify an address, which no name
// constraint covers.
func TestServicesCannotCertifyAddresses(t *testing.T) {
	c := opened(t, filepath.Join(t.TempDir(), "ca"))
	signer := c.inter[Services]
	for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
		key, serial, err := fresh()
		if err != nil {
			t.Fatal(err)
		}
		leaf := &x509.Certificate{
			SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.ParseIP(ip)},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, signer.cert, key.Public(), signer.key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between := x509.NewCertPool()
		between.AddCert(signer.cert)
		if _, err := parsed.Verify(x509.VerifyOptions{Roots: c.Pool(), Intermediates: between, DNSName: ip}); err == nil {
			t.Errorf("%s passes", ip)
		}
	}
}

func TestNames(t *testing.T) {
	c := opened(t, filepath.Join(t.TempDir(), "ca"))
	for name, good := range map[string]bool{
		"orders": true, "Orders-2": true, "a.b": true, "my_service": true,
		"*": false, "*.a": false, "": false, "a..b": false, "../gateway/client": false, "a b": false, "a\x00": false, "ü": false,
		strings.Repeat("a", 64): false,
	} {
		for _, p := range []Purpose{Services, Links, Gateway} {
			if _, err := c.Leaf(p, name); (err == nil) != good {
				t.Errorf("%s %q: %v", p, name, err)
			}
		}
	}
}

// What another process has made between two looks is taken.
func TestRootMadeMeanwhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	c := opened(t, dir)
	root, err := newRoot(dir, filepath.Join(dir, rootFile), time.Now())
	if err != nil || !root.cert.Equal(c.root.cert) {
		t.Errorf("%v", err)
	}
}

// A crash within a write leaves nothing that hurts, and nothing for long.
func TestCrashWithinAWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	before := opened(t, dir)
	left := filepath.Join(dir, ".new-1")
	for _, age := range []time.Duration{0, 2 * time.Hour} {
		if err := os.WriteFile(left, []byte("-----BEGIN CERT"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(left, at, at); err != nil {
			t.Fatal(err)
		}
		if !opened(t, dir).root.cert.Equal(before.root.cert) {
			t.Error("another root")
		}
		if there := private.Exists(left); there != (age == 0) {
			t.Errorf("after %v: there %v", age, there)
		}
	}
}
