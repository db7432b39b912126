package acme

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

func store(t *testing.T, f *files, key, value string) {
	t.Helper()
	if err := f.Store(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, f *files, key string) string {
	t.Helper()
	text, err := f.Load(t.Context(), key)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

const (
	certText = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	nextText = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
	keyText  = "-----BEGIN EC PRIVATE KEY-----\nCCCC\n-----END EC PRIVATE KEY-----\n"
	newText  = "-----BEGIN EC PRIVATE KEY-----\nDDDD\n-----END EC PRIVATE KEY-----\n"
)

func prepared(t *testing.T) *files {
	t.Helper()
	f := newFiles(filepath.Join(t.TempDir(), "acme"))
	if err := f.prepare(); err != nil {
		t.Fatal(err)
	}
	return f
}

// What certmagic stores under three keys is there as a whole or as it was
// before, wherever it is cut off.
func TestCertificatesAreWhole(t *testing.T) {
	f := prepared(t)
	keys := certmagic.StorageKeys
	key, cert, meta := keys.SitePrivateKey("ca.test-dir", "*.a.test"), keys.SiteCert("ca.test-dir", "*.a.test"), keys.SiteMeta("ca.test-dir", "*.a.test")
	all := func() [3]string { return [3]string{loaded(t, f, key), loaded(t, f, cert), loaded(t, f, meta)} }

	store(t, f, key, keyText)
	store(t, f, cert, certText)
	if f.Exists(t.Context(), cert) || f.Exists(t.Context(), key) {
		t.Error("two of three are there")
	}
	store(t, f, meta, `{"a": 1}`)
	first := [3]string{keyText, certText, `{"a": 1}`}
	if got := all(); got != first {
		t.Errorf("got %q", got)
	}
	store(t, f, key, newText) // and then the machine goes down
	store(t, f, cert, nextText)
	if got := newFiles(f.dir); loaded(t, got, key) != keyText || loaded(t, got, cert) != certText {
		t.Error("a crash has left half of another certificate")
	}
	// certmagic takes back what it could not store to the end.
	for _, k := range []string{cert, key} {
		if err := f.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if got := all(); got != first {
		t.Errorf("taken back: %q", got)
	}
	store(t, f, key, newText)
	store(t, f, cert, nextText)
	store(t, f, meta, `{"a": 2}`)
	if got := all(); got != [3]string{newText, nextText, `{"a": 2}`} {
		t.Errorf("renewed: %q", got)
	}
	list, err := f.List(t.Context(), keys.CertsPrefix("ca.test-dir"), true)
	site := keys.CertsSitePrefix("ca.test-dir", "*.a.test")
	if want := []string{site, cert, key, meta}; err != nil || !slices.Equal(list, want) {
		t.Errorf("list %v %v, want %v", list, err, want)
	}
	if info, err := f.Stat(t.Context(), cert); err != nil || !info.IsTerminal || info.Size != int64(len(nextText)) || info.Key != cert {
		t.Errorf("%+v %v", info, err)
	}
	if err := f.Delete(t.Context(), site); err != nil || f.Exists(t.Context(), cert) || f.Exists(t.Context(), site) {
		t.Errorf("removed: %v", err)
	}
	if _, err := f.Load(t.Context(), cert); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestOtherKeysAreFiles(t *testing.T) {
	f := prepared(t)
	store(t, f, "accounts/ca.json", "{}")
	store(t, f, "rw_test_1", "x")
	if loaded(t, f, "accounts/ca.json") != "{}" || !f.Exists(t.Context(), "accounts") || f.Exists(t.Context(), "accounts/other.json") {
		t.Error("a file of its own")
	}
	if list, err := f.List(t.Context(), "", false); err != nil || !slices.Equal(list, []string{"accounts", "rw_test_1"}) {
		t.Errorf("%v %v", list, err)
	}
	if err := errors.Join(f.Delete(t.Context(), "rw_test_1"), f.Delete(t.Context(), "rw_test_1"), f.Delete(t.Context(), "accounts")); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"../outside", "/etc/passwd", "a/../../b"} {
		if err := f.Store(t.Context(), key, nil); !errors.Is(err, errKey) {
			t.Errorf("%s: %v", key, err)
		}
	}
	err := filepath.Walk(f.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDamagedBundles(t *testing.T) {
	f := prepared(t)
	keys := certmagic.StorageKeys
	for _, kv := range [][2]string{{keys.SitePrivateKey("ca", "a.test"), keyText}, {keys.SiteCert("ca", "a.test"), certText}, {keys.SiteMeta("ca", "a.test"), "{}"}} {
		store(t, f, kv[0], kv[1])
	}
	path := f.bundleFile("ca", "a.test")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 1 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		var harmed *damaged
		if _, err := f.Load(t.Context(), keys.SiteCert("ca", "a.test")); !errors.As(err, &harmed) || harmed.path != path {
			t.Fatalf("cut after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestLocks(t *testing.T) {
	f := prepared(t)
	synctest.Test(t, func(t *testing.T) {
		if err := f.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() { got <- f.Lock(t.Context(), "a") }()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.Lock(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a lock that is held: %v", err)
		}
		synctest.Wait()
		if len(got) > 0 {
			t.Error("held twice")
		}
		if err := errors.Join(f.Lock(t.Context(), "b"), f.Unlock(t.Context(), "b"), f.Unlock(t.Context(), "a"), <-got, f.Unlock(t.Context(), "a")); err != nil {
			t.Error(err)
		}
		if err := f.Unlock(t.Context(), "a"); err == nil {
			t.Error("what is not held was given back")
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte(certText + keyText + "-----BEGIN ACME METADATA-----\ne30=\n-----END ACME METADATA-----\n"))
	f.Add([]byte(strings.Repeat(certText, 3)))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := decodeBundle(text)
		if err != nil {
			return
		}
		again, err := decodeBundle(b.encode())
		if err != nil || !bytes.Equal(b.cert, again.cert) || !bytes.Equal(b.key, again.key) || !bytes.Equal(b.meta, again.meta) {
			t.Errorf("%v: %q is not %q", err, again, b)
		}
	})
}
