package ca

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

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
