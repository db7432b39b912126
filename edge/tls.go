package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/edge/ca"
	"gatehouse/edge/certs"
)

// Authority issues certificates to listeners; *ca.CA is one.
type Authority = certs.Authority

func tlsVersion(name string) uint16 {
	if name == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// compileTLS sets p's TLS configuration, and reports whether it could.
func (p *Policy) compileTLS(t *TLS, c Compilation, report *config.Report) bool {
	store := certs.New()
	from := &t.Certificates
	whole := true
	if from.issues() {
		store.Issue(c.Authority, c.Domains)
		p.holds.issued = issuedNames(c.Domains)
		whole = c.checkDomains(t, report)
	}
	for i := range from.Files {
		cert, ok := c.load(&from.Files[i], report)
		if ok {
			store.Add(cert, i == 0 && !from.First)
			p.holds.files = append(p.holds.files, heldFile{cert.Leaf, from.Files[i].Of("cert")})
		}
		whole = whole && ok
	}
	if from.ACME {
		p.holds.acme = t.Of("certificates")
		p.holds.obtained = c.obtains(&p.holds)
		if c.Managed != nil {
			store.Manage(c.Managed)
		}
	}
	if !whole {
		return false
	}
	p.tlsKey = tlsKey(t, c, fmt.Sprintf("%p %p", c.Authority, c.Tickets))
	// The same certificates mean the same tls.Config, so that sessions can
	// be resumed across reloads. Its tickets are its own, or of those listeners of
	// other gateways that have the same.
	if last := c.Last[p.Key]; last != nil && last.tls != nil && last.tlsKey == p.tlsKey {
		p.tls = last.tls
		return true
	}
	p.tls = &tls.Config{
		MinVersion:     p.settings.minVersion,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: store.Get,
		// Whatever the certificates: a CA comes to the listener that a name
		// leads to.
		GetConfigForClient: c.Challenge,
	}
	if c.Tickets != nil {
		c.Tickets.seal(p.tls, tlsKey(t, c, ""))
	}
	if len(c.Clients) > 0 {
		p.tls.GetConfigForClient = asking(p.tls, &c)
	}
	if c.Fingerprints {
		p.tls.GetConfigForClient = printing(p.tls.GetConfigForClient)
	}
	return true
}

// issues reports whether the internal CA's certificates are served, if only
// while there is no other.
func (c *Certificates) issues() bool { return c.Internal || c.ACME || len(c.Files) == 0 }

// checkDomains reports domains that the internal CA will sign for nobody.
func (c *Compilation) checkDomains(t *TLS, report *config.Report) bool {
	whole := true
	for _, domain := range c.Domains {
		if ca.Reserved(certs.Normal(domain)) {
			report.Errorf(t.Of("certificates"), "no internal certificate is issued for the domain %s: names below %s are the gateway's own", domain, ca.Domain)
			whole = false
		}
	}
	return whole
}

// tlsKey says from what a tls.Config is made; of process what is this process's own.
// Without that, listeners of several gateways that have the same have the same key.
func tlsKey(t *TLS, c Compilation, process string) string {
	h := sha256.New()
	part := func(b []byte) { fmt.Fprintf(h, "%d:", len(b)); h.Write(b) }
	part([]byte(t.MinVersion))
	for i := range t.Certificates.Files {
		part(t.Certificates.Files[i].Cert.Content)
		part(t.Certificates.Files[i].Key.Content)
	}
	for _, clients := range c.Clients {
		part([]byte(clients.key()))
	}
	fmt.Fprintf(h, "acme:%v:%v:%v:", t.Certificates.ACME, c.Challenge != nil, c.Fingerprints)
	if t.Certificates.issues() {
		domains := slices.Clone(c.Domains)
		slices.Sort(domains)
		fmt.Fprintf(h, "internal:%v:", t.Certificates.First)
		part([]byte(strings.Join(domains, ",")))
	}
	part([]byte(process))
	return hex.EncodeToString(h.Sum(nil))
}

// load reads one certificate and its key, reports what is wrong and warns of
// what clients will not like.
func (c *Compilation) load(f *CertificateFile, report *config.Report) (*tls.Certificate, bool) {
	cert, err := loadPair(f)
	if err != nil {
		report.Errorf(err.at, "%s", err.message)
		return nil, false
	}
	leaf := cert.Leaf
	switch {
	case c.Now.After(leaf.NotAfter):
		c.warn(f.Of("cert"), "the certificate %s expired on %s", f.Cert, leaf.NotAfter.Format(time.DateOnly))
	case c.Now.Before(leaf.NotBefore):
		c.warn(f.Of("cert"), "the certificate %s is not valid before %s", f.Cert, leaf.NotBefore.Format(time.DateOnly))
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		c.warn(f.Of("cert"), "the certificate %s names no host in its subjectAltName: clients will refuse it", f.Cert)
	}
	return cert, true
}

func (c *Compilation) warn(at config.Pos, format string, args ...any) {
	if c.Warn != nil {
		c.Warn(at, fmt.Sprintf(format, args...))
	}
}

type pairError struct {
	at      config.Pos
	message string
}

// loadPair reads a certificate and its key, saying which of the two is wrong.
func loadPair(f *CertificateFile) (*tls.Certificate, *pairError) {
	cert, err := tls.X509KeyPair(f.Cert.Content, f.Key.Content)
	if err == nil {
		return &cert, nil
	}
	at, text := f.Of("key"), strings.TrimPrefix(err.Error(), "tls: ")
	switch {
	case strings.Contains(text, "does not match"):
		return nil, &pairError{at, fmt.Sprintf("the key %s does not belong to the certificate %s", f.Key, f.Cert)}
	case !hasCertificate(f.Cert.Content):
		return nil, &pairError{f.Of("cert"), fmt.Sprintf("%s holds no readable certificate in PEM: %s", f.Cert, text)}
	}
	return nil, &pairError{at, fmt.Sprintf("%s holds no readable private key in PEM: %s", f.Key, text)}
}

func hasCertificate(pem []byte) bool {
	return x509.NewCertPool().AppendCertsFromPEM(pem)
}
