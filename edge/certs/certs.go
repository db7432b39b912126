// Package certs selects a listener's certificate by the name that a client
// asks for.
package certs

import (
	"crypto/tls"
	"errors"
	"strings"
)

// Authority issues certificates to listeners. It is safe for concurrent use
// and answers at once for a name that it has issued to before.
type Authority interface {
	// ServerCertificate returns a valid certificate for a DNS name, which
	// may have "*" for its first label, or an IP address. The name
	// "localhost" stands for the loopback addresses as well.
	ServerCertificate(name string) (*tls.Certificate, error)
}

// Managed holds certificates that somebody obtains and renews. It is safe for
// concurrent use and answers at once.
type Managed interface {
	// Certificate returns the certificate for a name in its normal form, of
	// which the first label may be "*"; nil for none, or none yet.
	Certificate(name string) *tls.Certificate
}

// Localhost is the name that an internal default certificate is for.
const Localhost = "localhost"

// Store selects by SNI (RFC 6066 section 3): an exact name before a wildcard,
// added certificates before managed ones and these before issued ones, and the
// default for names that none is for. It is safe for concurrent use once nothing is added any more.
type Store struct {
	exact    map[string][]*tls.Certificate
	wildcard map[string][]*tls.Certificate // "shop.test" for "*.shop.test"
	fallback *tls.Certificate              // nil for the issued one of localhost
	issue    map[string]bool               // the names that authority issues for; nil for none
	from     Authority
	managed  Managed // nil for none
}

// New returns an empty Store.
func New() *Store {
	return &Store{exact: make(map[string][]*tls.Certificate), wildcard: make(map[string][]*tls.Certificate)}
}

// Issue lets authority issue for names, of which the first label may be "*",
// and for localhost, and for nothing else: a client cannot make it sign. The
// default is localhost's certificate where none that was added is. A nil
// authority fails every handshake that would need it.
func (s *Store) Issue(authority Authority, names []string) {
	s.from = authority
	s.issue = map[string]bool{Localhost: true}
	for _, name := range names {
		s.issue[Normal(name)] = true
	}
}

// Manage serves what managed has for the names that clients ask for. Names that
// it has nothing for are served as if it were not there.
func (s *Store) Manage(managed Managed) { s.managed = managed }

// Add adds a certificate with its Leaf, as the default where fallback says so.
func (s *Store) Add(cert *tls.Certificate, fallback bool) {
	for _, name := range cert.Leaf.DNSNames {
		name = Normal(name)
		if parent, ok := strings.CutPrefix(name, "*."); ok {
			s.wildcard[parent] = append(s.wildcard[parent], cert)
		} else {
			s.exact[name] = append(s.exact[name], cert)
		}
	}
	if fallback {
		s.fallback = cert
	}
}

// Normal returns a DNS name in lower case and without a final dot.
func Normal(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// The errors of Get.
var (
	errNoAuthority = errors.New("certs: no authority issues internal certificates")
	errNone        = errors.New("certs: no certificate")
)

// Get is tls.Config.GetCertificate.
func (s *Store) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := Normal(hello.ServerName)
	_, parent, _ := strings.Cut(name, ".")
	if cert := usable(s.exact[name], hello); cert != nil {
		return cert, nil
	}
	if cert := usable(s.wildcard[parent], hello); cert != nil && parent != "" {
		return cert, nil
	}
	if cert := s.obtained(name, parent); cert != nil {
		return cert, nil
	}
	if issued := s.issued(name, parent); issued != "" {
		return s.issueFor(issued)
	}
	switch {
	case s.fallback != nil:
		return s.fallback, nil
	case s.issue != nil:
		return s.issueFor(Localhost)
	}
	return nil, errNone
}

// obtained returns the managed certificate for a name; nil for none.
func (s *Store) obtained(name, parent string) *tls.Certificate {
	if s.managed == nil || name == "" {
		return nil
	}
	if cert := s.managed.Certificate(name); cert != nil {
		return cert
	}
	return s.managed.Certificate("*." + parent)
}

// issued returns the configured name that covers name; "" for none.
func (s *Store) issued(name, parent string) string {
	if s.issue[name] {
		return name
	}
	if wild := "*." + parent; parent != "" && s.issue[wild] {
		return wild
	}
	return ""
}

func (s *Store) issueFor(name string) (*tls.Certificate, error) {
	if s.from == nil {
		return nil, errNoAuthority
	}
	return s.from.ServerCertificate(name)
}

// usable returns the first certificate that the client can use, as where there
// is one with an RSA and one with an ECDSA key; the first of all where it can
// use none.
func usable(certs []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(certs) == 0 {
		return nil
	}
	for _, cert := range certs {
		if len(certs) == 1 || hello.SupportsCertificate(cert) == nil {
			return cert
		}
	}
	return certs[0]
}
