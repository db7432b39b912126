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
	"slices"
	"strings"
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

// Leaf returns a certificate for p under name, with its key and intermediate:
// the same one until two thirds of its life are over. Services and links are
// issued to by name, of DNS labels, and prove it as p.Name(name).
func (c *CA) Leaf(p Purpose, name string) (*tls.Certificate, error) { return c.leaf(p, name) }

// ServerCertificate returns a listener's certificate for a DNS name, whose
// first label may be "*", or an IP address; "localhost" has the loopback
// addresses too. Callers bound the names: it signs for any but the gateway's
// own domain.
func (c *CA) ServerCertificate(name string) (*tls.Certificate, error) {
	return c.leaf(Listeners, name)
}

// Issued returns the certificate that listeners show for a name, and when it has
// had its time; nil where the next client that asks for the name is issued a new
// one.
func (c *CA) Issued(name string) (leaf *x509.Certificate, renews time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.leaves[leafKey{Listeners, strings.ToLower(name)}]
	if l == nil || !time.Now().Before(l.renew) {
		return nil, time.Time{}
	}
	return l.cert.Leaf, l.renew
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
	cert, err := c.issue(p, key.name, now, leafLife)
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

// MaxLife is how long a certificate may be good that somebody asked for.
const MaxLife = 397 * day

// Issue returns a certificate for p under name that nobody else was given, good for
// a life of up to MaxLife; 0 for 30 days.
func (c *CA) Issue(p Purpose, name string, life time.Duration) (*tls.Certificate, error) {
	if life == 0 {
		life = leafLife
	}
	if life < backdate || life > MaxLife {
		return nil, fmt.Errorf("ca: a certificate is good for %v to %v", backdate, time.Duration(MaxLife))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issue(p, strings.ToLower(name), time.Now(), life)
}

// retryReplacing is how long replacing an intermediate is not tried again after
// it failed.
const retryReplacing = time.Hour

// signer returns the intermediate for p, a new one where the old has had its
// time: a gateway may run for years. Where that fails, as for want of room on
// the disk, the old one goes on signing as long as it lives.
func (c *CA) signer(p Purpose, now time.Time) (*authority, error) {
	a := c.inter[p]
	if a == nil {
		return nil, fmt.Errorf("ca: there is no authority for %s yet", p)
	}
	if c.place == nil && due(a.cert, c.root.cert, now) && !now.Before(c.again[p]) {
		next, err := createIntermediate(intermediatePath(c.dir, p), p, c.root, now, replace)
		if err == nil {
			c.inter[p] = next
			return next, nil
		}
		c.again[p] = now.Add(retryReplacing)
	}
	if now.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("ca: the authority in %s expired on %s: see that the gateway can write there, and restart it", intermediatePath(c.dir, p), a.cert.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

func (c *CA) issue(p Purpose, name string, now time.Time, life time.Duration) (*tls.Certificate, error) {
	signer, err := c.signer(p, now)
	if err != nil {
		return nil, err
	}
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Gatehouse"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{identity(p, name)},
	}
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
	case p != Listeners && !isLabels(name):
		return fmt.Errorf("ca: %q is no name that %s can have: letters, digits, - and _, in labels", name, p)
	case p == Listeners && ip != nil:
		t.IPAddresses = []net.IP{ip}
		return nil
	case p == Listeners && Reserved(full):
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

// isLabels reports whether name is made of DNS labels. A wildcard is none: it
// would stand for every other name.
func isLabels(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		odd := strings.IndexFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		})
		if label == "" || len(label) > 63 || odd >= 0 {
			return false
		}
	}
	return true
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
