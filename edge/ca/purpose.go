package ca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"strings"
	"time"
)

// Purpose is what an intermediate issues certificates for.
type Purpose string

const (
	Listeners Purpose = "listeners" // the gateway towards its clients
	Gateway   Purpose = "gateway"   // the gateway as a client of services
	Services  Purpose = "services"  // services towards the gateway
	Links     Purpose = "links"     // both ends of links
)

// Purposes returns every purpose.
func Purposes() []Purpose { return []Purpose{Listeners, Gateway, Services, Links} }

// Domain is the domain under which the gateway names what has no name of its
// own. It is in the reserved "internal" (ICANN resolution 2024.07.29.06).
const Domain = "gatehouse.internal"

// Reserved reports whether a DNS name is the gateway's own, which no listener
// can have.
func Reserved(name string) bool {
	return name == Domain || strings.HasSuffix(name, "."+Domain)
}

// Name returns the DNS name that a certificate of p carries for name; for
// Listeners, name itself.
func (p Purpose) Name(name string) string {
	if p == Listeners {
		return name
	}
	return name + "." + string(p) + "." + Domain
}

// LinkUsage is the key usage of link certificates: neither TLS server nor TLS
// client, so that nothing but a link takes them. The OID is a private one of
// the arc that needs no registration (ITU-T X.667).
func LinkUsage() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 25, 1734289341, 1}
}

// usage sets the extended key usage of a certificate for p.
func (p Purpose) usage(t *x509.Certificate) {
	switch p {
	case Listeners, Services:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case Gateway:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case Links:
		t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{LinkUsage()}
	}
}

// VerifyLink checks the certificate that an end of a link presents with its
// intermediate: that the root vouches for both, and that it is for a link and
// for name. TLS's own verification knows no such usage, so the ends of links
// do it by this in tls.Config.VerifyConnection.
func VerifyLink(leaf, intermediate *x509.Certificate, roots *x509.CertPool, name string) error {
	between := x509.NewCertPool()
	between.AddCert(intermediate)
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, DNSName: Links.Name(name),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return err
	}
	for _, cert := range chains[0][:len(chains[0])-1] {
		if len(cert.UnknownExtKeyUsage) != 1 || !cert.UnknownExtKeyUsage[0].Equal(LinkUsage()) || len(cert.ExtKeyUsage) != 0 {
			return errors.New("ca: the certificate is not for a link")
		}
	}
	return nil
}

const (
	rootLife         = 10 * 365 * day
	rootNotice       = 365 * day // before its end
	intermediateLife = 5 * 365 * day
	// An intermediate in its last year is replaced.
	intermediateRest = 365 * day
	leafLife         = 30 * day
	// Clocks differ: certificates are valid from a while ago.
	backdate = time.Hour
	day      = 24 * time.Hour
)

func authorityTemplate(name string, serial *big.Int, now time.Time, life time.Duration) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Gatehouse"}, CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

func rootTemplate(serial *big.Int, now time.Time) *x509.Certificate {
	t := authorityTemplate("Gatehouse root", serial, now, rootLife)
	t.MaxPathLen = 1
	return t
}

// everyAddress is all of IPv4 and of IPv6: no address may be certified where
// only names are given out.
func everyAddress() []*net.IPNet {
	return []*net.IPNet{
		{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	}
}

// intermediateTemplate binds an intermediate to its purpose.
func intermediateTemplate(p Purpose, serial *big.Int, now time.Time) *x509.Certificate {
	t := authorityTemplate("Gatehouse "+string(p), serial, now, intermediateLife)
	t.MaxPathLenZero = true
	p.usage(t)
	t.PermittedDNSDomainsCritical = true
	if p == Listeners {
		t.ExcludedDNSDomains = []string{Domain}
	} else {
		t.PermittedDNSDomains = []string{string(p) + "." + Domain}
		t.ExcludedIPRanges = everyAddress()
	}
	return t
}
