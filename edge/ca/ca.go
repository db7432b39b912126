package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gatehouse/private"
	"gatehouse/secrets"
)

// CA is the authority in one folder, or in a place that several gateways share. It
// is safe for concurrent use.
type CA struct {
	dir   string
	place secrets.Place // nil for files in the folder

	mu     sync.Mutex
	text   []byte // the document, where there is a place
	aside  string
	stale  bool // the folder has another root's certificate
	taken  bool // its files have become the document
	root   *authority
	inter  map[Purpose]*authority
	again  map[Purpose]time.Time // before which replacing one that failed is not tried again
	leaves map[leafKey]*leaf
}

// authority is a certificate that signs others.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

type leafKey struct {
	purpose Purpose
	name    string
}

type leaf struct {
	cert  *tls.Certificate
	renew time.Time
}

// Open loads the authority from dir, and creates what is not there yet: the
// folder (0700), the root, and the intermediates (0600). A file that cannot
// be read as what it should be is an error that names it, and nothing is
// overwritten; an intermediate in its last year, or without a constraint that it
// is to have, is replaced.
func Open(dir string) (*CA, error) {
	if err := private.Prepare(dir); err != nil {
		return nil, err
	}
	now := time.Now()
	root, err := openRoot(dir, now)
	if err != nil {
		return nil, err
	}
	c := newCA(dir)
	c.root = root
	for _, p := range Purposes() {
		a, err := openIntermediate(dir, p, root, now)
		if err != nil {
			return nil, err
		}
		c.inter[p] = a
	}
	return c, nil
}

func newCA(dir string) *CA {
	return &CA{dir: dir, inter: make(map[Purpose]*authority), again: make(map[Purpose]time.Time), leaves: make(map[leafKey]*leaf)}
}

const rootFile = "root.pem"

func openRoot(dir string, now time.Time) (*authority, error) {
	path := filepath.Join(dir, rootFile)
	root, err := load(path)
	if errors.Is(err, errAbsent) {
		root, err = newRoot(dir, path, now)
	}
	if err != nil {
		return nil, err
	}
	return root, checkRoot(path, root.cert, now)
}

// newRoot makes the root, unless something that a root has signed is there.
func newRoot(dir, path string, now time.Time) (*authority, error) {
	if signed := anyIntermediate(dir); signed != "" {
		root, err := load(path) // another process may just have made both
		if errors.Is(err, errAbsent) {
			return nil, fmt.Errorf("%s is missing, but %s, which it signed, is there: put it back from a backup, or move the folder %s away to begin anew, after which everybody must trust the new root",
				path, signed, dir)
		}
		return root, err
	}
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	return create(path, rootTemplate(serial, now), nil, key)
}

func anyIntermediate(dir string) string {
	for _, p := range Purposes() {
		if path := intermediatePath(dir, p); private.Exists(path) {
			return path
		}
	}
	return ""
}

func checkRoot(path string, cert *x509.Certificate, now time.Time) error {
	if !cert.IsCA || cert.CheckSignatureFrom(cert) != nil {
		return fmt.Errorf("%s holds a certificate that is no root: put the right one back from a backup", path)
	}
	if now.After(cert.NotAfter) {
		return fmt.Errorf("the root in %s expired on %s: move the folder away to begin anew, after which everybody must trust the new root", path, cert.NotAfter.Format(time.DateOnly))
	}
	return nil
}

func intermediatePath(dir string, p Purpose) string { return filepath.Join(dir, string(p)+".pem") }

func openIntermediate(dir string, p Purpose, root *authority, now time.Time) (*authority, error) {
	path := intermediatePath(dir, p)
	a, err := load(path)
	switch {
	case errors.Is(err, errAbsent):
		return createIntermediate(path, p, root, now, create)
	case err != nil:
		return nil, err
	}
	if err := a.cert.CheckSignatureFrom(root.cert); err != nil {
		return nil, fmt.Errorf("%s was not signed by the root beside it: put the right files back from a backup, or remove %s, and it is made anew", path, path)
	}
	if !fits(a.cert, p) {
		return nil, fmt.Errorf("%s is not for %s: put the right file back from a backup, or remove it, and it is made anew", path, p)
	}
	if due(a.cert, root.cert, now) || !constrained(a.cert, p) {
		return createIntermediate(path, p, root, now, replace)
	}
	return a, nil
}

// due reports whether an intermediate is to be replaced: it is in its last year,
// and another would live longer.
func due(cert, root *x509.Certificate, now time.Time) bool {
	return cert.NotAfter.Sub(now) < intermediateRest && root.NotAfter.After(cert.NotAfter)
}

// fits reports whether an intermediate is bound to p.
func fits(cert *x509.Certificate, p Purpose) bool {
	want := new(x509.Certificate)
	p.usage(want)
	same := len(cert.ExtKeyUsage) == len(want.ExtKeyUsage) && len(cert.UnknownExtKeyUsage) == len(want.UnknownExtKeyUsage)
	for i := range want.ExtKeyUsage {
		same = same && cert.ExtKeyUsage[i] == want.ExtKeyUsage[i]
	}
	for i := range want.UnknownExtKeyUsage {
		same = same && cert.UnknownExtKeyUsage[i].Equal(want.UnknownExtKeyUsage[i])
	}
	return same && cert.IsCA && cert.MaxPathLen == 0 && cert.Subject.CommonName == "Gatehouse "+string(p)
}

// constrained reports whether an intermediate is bound to the names that p is.
func constrained(cert *x509.Certificate, p Purpose) bool {
	want := intermediateTemplate(p, nil, cert.NotBefore)
	return slices.Equal(cert.PermittedDNSDomains, want.PermittedDNSDomains) &&
		slices.Equal(cert.ExcludedDNSDomains, want.ExcludedDNSDomains) &&
		slices.EqualFunc(cert.ExcludedIPRanges, want.ExcludedIPRanges, func(a, b *net.IPNet) bool { return a.String() == b.String() })
}

type creator func(path string, t *x509.Certificate, parent *authority, key crypto.Signer) (*authority, error)

func createIntermediate(path string, p Purpose, root *authority, now time.Time, make creator) (*authority, error) {
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	t := intermediateTemplate(p, serial, now)
	if t.NotAfter.After(root.cert.NotAfter) {
		t.NotAfter = root.cert.NotAfter
	}
	return make(path, t, root, key)
}

// fresh returns a new P-256 key and a random serial number.
func fresh() (crypto.Signer, *big.Int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return key, serial, err
}

// RootPEM returns the root's certificate, which clients are to trust.
func (c *CA) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: c.rootCert().Raw})
}

func (c *CA) rootCert() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.root.cert
}

// Pool returns a pool with the root alone. A verifier asks it for the key
// usage and the DNS name that it expects, which tell purposes apart.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.rootCert())
	return pool
}

// Intermediate returns the certificate of the intermediate for p that signs now.
func (c *CA) Intermediate(p Purpose) *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inter[p].cert
}

// Warning says that the root is in its last year; "" where it is not. It cannot
// be replaced without those who trust it.
func (c *CA) Warning() string {
	root := c.rootCert()
	if time.Until(root.NotAfter) > rootNotice {
		return ""
	}
	return fmt.Sprintf("the root of the internal CA in %s expires on %s: move the folder away before, to begin anew, after which everybody must trust the new root",
		c.dir, root.NotAfter.Format(time.DateOnly))
}
