package gatehouse

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/edge/ca"
	"gatehouse/secrets"
)

// SecretRef names keys of the gateway's own in a call.
type SecretRef struct {
	Name string `json:"name"`
	// Forget drops the keys before: what they made is good no more.
	Forget bool `json:"forget,omitempty"`
}

func (g *Gateway) listSecrets() []secrets.Status {
	out := []secrets.Status{}
	g.keepers.turns.Each(func(t secrets.Turner) { out = append(out, t.Status(time.Now())) })
	return out
}

func (g *Gateway) rotateSecret(_ context.Context, in SecretRef) (any, detail, error) {
	d := detail{"keys": in.Name, "forget": fmt.Sprint(in.Forget)}
	var found secrets.Turner
	var known []string
	g.keepers.turns.Each(func(t secrets.Turner) {
		if known = append(known, t.Name()); t.Name() == in.Name {
			found = t
		}
	})
	if found == nil {
		return nil, d, fmt.Errorf("there are no keys %q in use here: there are %s", in.Name, strings.Join(known, ", "))
	}
	if err := found.Force(time.Now(), in.Forget); err != nil {
		return nil, d, err
	}
	return found.Status(time.Now()), d, nil
}

// CertificateWish says what certificate the internal CA is to issue.
type CertificateWish struct {
	For  string        `json:"for"` // services or links
	Name string        `json:"name"`
	Life time.Duration `json:"life,omitempty"` // in nanoseconds; 0 for 30 days
}

// IssuedCertificate is a certificate of the internal CA with its key, in PEM.
type IssuedCertificate struct {
	Name        string    `json:"name"` // that verifiers ask for
	Serial      string    `json:"serial"`
	Expires     time.Time `json:"expires"`
	Certificate string    `json:"certificate"` // and its intermediate
	Key         string    `json:"key"`
	Root        string    `json:"root"` // that verifiers trust
}

func (g *Gateway) issueCertificate(_ context.Context, in CertificateWish) (any, detail, error) {
	d := detail{"for": in.For, "name": in.Name}
	p := ca.Purpose(in.For)
	if p != ca.Services && p != ca.Links {
		return nil, d, errors.New("certificates are issued for services or for links: those of listeners and its own the gateway issues by itself")
	}
	cert, err := g.keepers.authority.Issue(p, in.Name, in.Life)
	if err != nil {
		return nil, d, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, d, err
	}
	out := IssuedCertificate{Name: p.Name(strings.ToLower(in.Name)), Serial: cert.Leaf.SerialNumber.Text(16), Expires: cert.Leaf.NotAfter.UTC(), Root: string(g.keepers.authority.RootPEM())}
	for _, der := range cert.Certificate {
		out.Certificate += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	out.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	d["serial"], d["expires"] = out.Serial, out.Expires.Format(time.RFC3339)
	return out, d, nil
}
