package mtls

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"gatehouse/auth/place"
	"gatehouse/config"
)

// Config is how callers are known by certificates.
type Config struct {
	config.At
	CA        config.File    `yaml:"ca,required" doc:"certificates of the authorities whose certificates are good, PEM"`
	CRL       []config.File  `yaml:"crl" single:"true" doc:"lists of revoked certificates, PEM or DER, signed by authorities in ca; with one, every authority that callers come from needs one that is current"`
	Allow     []Rule         `yaml:"allow" single:"true" doc:"which of their certificates are good: subject:, cn:, dns:, uri: or email: and a pattern; default: all"`
	Principal string         `yaml:"principal" default:"subject" enum:"subject|cn|dns|uri|email|fingerprint" doc:"what of a certificate names the caller"`
	Origins   []place.Origin `yaml:"origins" single:"true" doc:"other web sites whose pages may make changes with the certificate that a browser shows of itself"`
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Broken("ca") {
		return
	}
	authorities, err := c.Authorities()
	if err != nil {
		r.Errorf(c.Of("ca"), "%s: %v", c.CA.Path, err)
		return
	}
	for i := range c.CRL {
		if _, err := readList(c.CRL[i].Content, authorities); err != nil {
			r.Errorf(c.Of("crl"), "%s: %v", c.CRL[i].Path, err)
		}
	}
}

// Authorities returns the certificates of ca.
func (c *Config) Authorities() ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := c.CA.Content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a %s: certificates alone belong there", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil:
			return nil, err
		case cert.BasicConstraintsValid && !cert.IsCA:
			return nil, fmt.Errorf("the certificate of %s is no authority's", cert.Subject)
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, errors.New("has no certificate in PEM")
	}
	return out, nil
}

// list is a list of revoked certificates of one authority.
type list struct {
	of      *x509.Certificate // the authority's
	revoked map[string]bool   // serial numbers
	list    *x509.RevocationList
}

// readList reads a list that one of the authorities signed (RFC 5280 section 5).
func readList(content []byte, authorities []*x509.Certificate) (*list, error) {
	if block, _ := pem.Decode(content); block != nil {
		content = block.Bytes
	}
	crl, err := x509.ParseRevocationList(content)
	if err != nil {
		return nil, errors.New("is no list of revoked certificates (CRL) in PEM or DER")
	}
	for _, e := range crl.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("has the critical extension %v: a list of a part, or of changes, is not enough", e.Id)
		}
	}
	i := slices.IndexFunc(authorities, func(a *x509.Certificate) bool { return crl.CheckSignatureFrom(a) == nil })
	switch {
	case i < 0:
		return nil, errors.New("is signed by no authority in ca")
	case crl.NextUpdate.IsZero():
		return nil, errors.New("does not say until when it is good (nextUpdate)")
	}
	l := &list{of: authorities[i], list: crl, revoked: make(map[string]bool)}
	for _, e := range crl.RevokedCertificateEntries {
		l.revoked[e.SerialNumber.String()] = true
	}
	return l, nil
}
