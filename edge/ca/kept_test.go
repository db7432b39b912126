package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/secrets"
)

// shared is a place of documents in memory that several may follow.
type shared struct {
	*secrets.Files
	followers map[string][]secrets.Document
}

func newShared(t *testing.T) *shared {
	return &shared{secrets.NewFiles(filepath.Join(t.TempDir(), "elsewhere")), make(map[string][]secrets.Document)}
}

func (s *shared) Follow(name string, d secrets.Document) {
	s.followers[name] = append(s.followers[name], d)
}

func (s *shared) Replace(name string, before, text []byte) error {
	if err := s.Files.Replace(name, before, text); err != nil {
		return err
	}
	for _, d := range s.followers[name] {
		d.Changed(text)
	}
	return nil
}

func verifies(t *testing.T, leaf, intermediate *x509.Certificate, c *CA, name string) {
	t.Helper()
	between := x509.NewCertPool()
	between.AddCert(intermediate)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.Pool(), Intermediates: between, DNSName: name}); err != nil {
		t.Error(err)
	}
}

func issue(t *testing.T, c *CA, p Purpose, name string) (leaf, intermediate *x509.Certificate) {
	t.Helper()
	cert, err := c.Issue(p, name, 0)
	if err != nil {
		t.Fatal(err)
	}
	if intermediate, err = x509.ParseCertificate(cert.Certificate[1]); err != nil {
		t.Fatal(err)
	}
	return cert.Leaf, intermediate
}

// Two that share a place are one authority, and keep nothing of their own but the
// root's certificate.
func TestKept(t *testing.T) {
	place := newShared(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	var both []*CA
	for _, dir := range dirs {
		c, err := OpenKept(place, dir)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, c)
		files, _ := os.ReadDir(dir)
		text, err := PublicRoot(dir)
		if err != nil || len(files) != 1 || !bytes.Equal(text, c.RootPEM()) {
			t.Errorf("%v in the folder, %v", files, err)
		}
	}
	leaf, intermediate := issue(t, both[0], Services, "orders")
	verifies(t, leaf, intermediate, both[1], "orders.services."+Domain)

	// The intermediates of one are those of the other at once, and leaves are anew.
	listener, err := both[1].ServerCertificate("api.shop.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := both[0].Force(time.Now(), false); err != nil {
		t.Fatal(err)
	}
	if next, err := both[1].ServerCertificate("api.shop.test"); err != nil || next == listener {
		t.Errorf("the leaf of the intermediate before, %v", err)
	}
	verifies(t, leaf, intermediate, both[1], "orders.services."+Domain) // what was issued stays good
	for _, p := range Purposes() {
		if !both[0].Intermediate(p).Equal(both[1].Intermediate(p)) {
			t.Errorf("two intermediates for %s", p)
		}
	}
	if changed, err := both[0].Turn(time.Now()); changed || err != nil {
		t.Errorf("nothing was due: %v %v", changed, err)
	}
	if changed, err := both[0].Turn(time.Now().Add(intermediateLife - intermediateRest + day)); !changed || err != nil {
		t.Errorf("in their last year: %v %v", changed, err)
	}
	if changed, err := both[1].Turn(time.Now()); changed || err != nil {
		t.Errorf("the other makes them too: %v %v", changed, err)
	}
}

// An authority in files goes along, also where its keys were taken away only in part;
// a second one is put aside.
func TestKeptFromFiles(t *testing.T) {
	place, dir := newShared(t), t.TempDir()
	own, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	leaf, intermediate := issue(t, own, Links, "warehouse")
	links, err := os.ReadFile(intermediatePath(dir, Links))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := OpenKept(place, dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyLink(leaf, intermediate, c.Pool(), "warehouse"); err != nil || c.Aside() != "" {
			t.Error(err, c.Aside())
		}
		if files, _ := os.ReadDir(dir); len(files) != 1 {
			t.Errorf("%v in the folder", files)
		}
		if err := os.WriteFile(intermediatePath(dir, Links), links, 0o600); err != nil { // as a crash leaves it
			t.Fatal(err)
		}
	}
	other := t.TempDir()
	second, err := Open(other)
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenKept(place, other)
	if err != nil {
		t.Fatal(err)
	}
	aside, err := Open(c.Aside())
	if err != nil || !bytes.Equal(aside.RootPEM(), second.RootPEM()) || bytes.Equal(c.RootPEM(), second.RootPEM()) {
		t.Errorf("%v in %q", err, c.Aside())
	}
}

// Without its keys nothing is begun anew: everybody would have to trust another root.
func TestKeptIsLost(t *testing.T) {
	dir := t.TempDir()
	if _, err := PublicRoot(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := OpenKept(newShared(t), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKept(newShared(t), dir); err == nil || !strings.Contains(err.Error(), "bring back the state") {
		t.Error(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "a state that the configuration had") {
		t.Error(err)
	}
}

func TestIssue(t *testing.T) {
	c, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	one, err := c.Issue(Services, "Orders", MaxLife)
	if err != nil || time.Until(one.Leaf.NotAfter) < MaxLife-time.Hour {
		t.Errorf("%v", err)
	}
	if two, _ := c.Issue(Services, "Orders", MaxLife); two.Leaf.SerialNumber.Cmp(one.Leaf.SerialNumber) == 0 {
		t.Error("two are given one certificate")
	}
	for _, life := range []time.Duration{-1, time.Minute, MaxLife + 1} {
		if _, err := c.Issue(Services, "orders", life); err == nil {
			t.Errorf("a life of %v", life)
		}
	}
	if _, err := c.Issue(Services, "*", 0); err == nil {
		t.Error("a wildcard of services")
	}
}

func FuzzRead(f *testing.F) {
	c, err := Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	text, err := c.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"root": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		root, inter, err := read(text)
		if err != nil {
			return
		}
		for p, a := range inter {
			if a.cert.CheckSignatureFrom(root.cert) != nil || !fits(a.cert, p) {
				t.Fatalf("%s is believed", p)
			}
		}
	})
}
