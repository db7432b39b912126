package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// CA is the authority in one folder. It is safe for concurrent use.
type CA struct {
	root  *authority
	inter map[Purpose]*authority

	mu     sync.Mutex
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
// overwritten; an intermediate in its last year is replaced.
func Open(dir string) (*CA, error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	now := time.Now()
	root, err := openRoot(dir, now)
	if err != nil {
		return nil, err
	}
	c := &CA{root: root, inter: make(map[Purpose]*authority), leaves: make(map[leafKey]*leaf)}
	for _, p := range Purposes() {
		a, err := openIntermediate(dir, p, root, now)
		if err != nil {
			return nil, err
		}
		c.inter[p] = a
	}
	return c, nil
}

const rootFile = "root.pem"

func openRoot(dir string, now time.Time) (*authority, error) {
	path := filepath.Join(dir, rootFile)
	root, err := load(path)
	if err == nil {
		return root, checkRoot(path, root.cert, now)
	}
	if !errors.Is(err, errAbsent) {
		return nil, err
	}
	for _, p := range Purposes() {
		if exists(intermediatePath(dir, p)) {
			return nil, fmt.Errorf("%s is missing, but %s, which it signed, is there: put it back from a backup, or move the folder %s away to begin anew, after which everybody must trust the new root",
				path, intermediatePath(dir, p), dir)
		}
	}
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	t := authorityTemplate("Gatehouse root", serial, now, rootLife)
	t.MaxPathLen = 1
	return create(path, t, nil, key)
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
	if a.cert.NotAfter.Sub(now) < intermediateRest && root.cert.NotAfter.After(a.cert.NotAfter) {
		return createIntermediate(path, p, root, now, replace)
	}
	return a, nil
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
	return pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: c.root.cert.Raw})
}

// Pool returns a pool with the root alone. A verifier asks it for the key
// usage and the DNS name that it expects, which tell purposes apart.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.root.cert)
	return pool
}

// Intermediate returns the certificate of the intermediate for p.
func (c *CA) Intermediate(p Purpose) *x509.Certificate { return c.inter[p].cert }

// Leaf returns a certificate for p under name, with its key and intermediate:
// the same one until two thirds of its life are over. Services and links are
// issued to by name, and prove it as p.Name(name).
func (c *CA) Leaf(p Purpose, name string) (*tls.Certificate, error) { return c.leaf(p, name) }

// ServerCertificate returns a listener's certificate for a DNS name, whose
// first label may be "*", or an IP address; "localhost" has the loopback
// addresses too. Callers bound the names: it signs for any but the gateway's
// own domain.
func (c *CA) ServerCertificate(name string) (*tls.Certificate, error) {
	return c.leaf(Listeners, name)
}

// ClientCertificate returns what tls.Config.GetClientCertificate takes for the
// gateway's own identity towards services.
func (c *CA) ClientCertificate() func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return c.leaf(Gateway, "client")
	}
}

// maxLeaves bounds the certificates in memory. More names than that in use at
// a time only make the gateway sign again.
const maxLeaves = 4096

// leaf returns a certificate that is not in the last third of its life.
func (c *CA) leaf(p Purpose, name string) (*tls.Certificate, error) {
	key := leafKey{p, strings.ToLower(name)}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.leaves[key]; l != nil && now.Before(l.renew) {
		return l.cert, nil
	}
	cert, err := c.issue(p, key.name, now)
	if err != nil {
		return nil, err
	}
	if len(c.leaves) >= maxLeaves {
		for old := range c.leaves {
			delete(c.leaves, old)
			break
		}
	}
	life := cert.Leaf.NotAfter.Sub(now)
	c.leaves[key] = &leaf{cert, now.Add(life * 2 / 3)}
	return cert, nil
}

func (c *CA) issue(p Purpose, name string, now time.Time) (*tls.Certificate, error) {
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Gatehouse"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{identity(p, name)},
	}
	signer := c.inter[p]
	if t.NotAfter.After(signer.cert.NotAfter) {
		t.NotAfter = signer.cert.NotAfter
	}
	p.usage(t)
	if err := names(t, p, name); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, signer.cert.Raw}, PrivateKey: key, Leaf: parsed}, nil
}

func names(t *x509.Certificate, p Purpose, name string) error {
	full := p.Name(name)
	switch ip := net.ParseIP(name); {
	case p == Listeners && ip != nil:
		t.IPAddresses = []net.IP{ip}
		return nil
	case p == Listeners && (full == Domain || strings.HasSuffix(full, "."+Domain)):
		return fmt.Errorf("ca: %s belongs to the gateway itself and is no listener's name", full)
	case p == Listeners && name == "localhost":
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	t.DNSNames = []string{full}
	if len(full) <= 64 { // the most that the field may hold
		t.Subject.CommonName = full
	}
	return nil
}

// identity is the URI by which a certificate names its holder.
func identity(p Purpose, name string) *url.URL {
	var b bytes.Buffer
	for _, c := range []byte(strings.Replace(name, "*", "_wildcard", 1)) {
		if c == ':' {
			c = '-' // an IPv6 address
		}
		b.WriteByte(c)
	}
	return &url.URL{Scheme: "spiffe", Host: "gatehouse", Path: "/" + string(p) + "/" + b.String()}
}
