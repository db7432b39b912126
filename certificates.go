package gatehouse

import (
	"cmp"
	"crypto/x509"
	"slices"
	"time"

	"gatehouse/edge/acme"
	"gatehouse/observe/metrics"
)

// CertificateInfo is one certificate that listeners serve, or are to.
type CertificateInfo struct {
	Names    []string   `json:"names"`
	Source   string     `json:"source"` // file, internal or acme
	Issuer   string     `json:"issuer,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`  // nil where there is none yet
	Renews   *time.Time `json:"renews,omitempty"`   // nil for files, which somebody else renews
	Again    *time.Time `json:"again,omitempty"`    // when it is tried again, after an attempt that failed
	Problem  string     `json:"problem,omitempty"`  // why the last attempt failed
	Failures uint64     `json:"failures,omitempty"` // attempts that failed since the start
	At       string     `json:"at,omitempty"`       // of the file's name, in the configuration
}

// Certificates lists the certificates of all listeners: by ACME, from files, and
// of the internal CA. The latter are issued when they are first asked for, which
// those for names that have one by ACME may never be.
func (g *Gateway) Certificates() []CertificateInfo {
	policies := g.current.Load().policies
	out := []CertificateInfo{}
	obtained := make(map[string]bool)
	g.keepers.acme.Each(func(s acme.Status) {
		c := CertificateInfo{Names: []string{s.Name}, Source: "acme", Renews: moment(s.Renews), Again: moment(s.Again), Problem: s.Problem, Failures: s.Failures}
		c.show(s.Leaf)
		obtained[s.Name] = s.Leaf != nil
		out = append(out, c)
	})
	slices.SortFunc(out, func(a, b CertificateInfo) int { return cmp.Compare(a.Names[0], b.Names[0]) })
	for _, f := range policies.Files() {
		c := CertificateInfo{Source: "file", At: f.At.String()}
		c.show(f.Leaf)
		c.Names = namesOf(f.Leaf)
		out = append(out, c)
	}
	for _, name := range policies.Issued() {
		leaf, renews := g.keepers.authority.Issued(name)
		if leaf == nil && obtained[name] {
			continue
		}
		c := CertificateInfo{Names: []string{name}, Source: "internal", Renews: moment(renews)}
		c.show(leaf)
		out = append(out, c)
	}
	return out
}

// show notes what stands in a certificate; leaf may be nil.
func (c *CertificateInfo) show(leaf *x509.Certificate) {
	if leaf == nil {
		return
	}
	c.Expires = moment(leaf.NotAfter)
	c.Issuer = cmp.Or(leaf.Issuer.CommonName, leaf.Issuer.String())
}

func namesOf(leaf *x509.Certificate) []string {
	out := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// moment returns a time, nil for the zero one.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// Certificates implements admin.Gateway.
func (c control) Certificates() any { return c.Gateway.Certificates() }

// certificateStats are what metrics show of certificates, by name: of several
// from files the one that expires first. Those of the internal CA are left out:
// whoever asks for one gets one that is good.
func (g *Gateway) certificateStats() []metrics.CertificateStats {
	if g.current.Load() == nil {
		return nil // nothing serves yet
	}
	type series struct{ name, source string }
	var out []metrics.CertificateStats
	known := make(map[series]int)
	for _, c := range g.Certificates() {
		if c.Source == "internal" {
			continue
		}
		for _, name := range c.Names {
			s := metrics.CertificateStats{Name: name, Source: c.Source, Failures: c.Failures}
			if c.Expires != nil {
				s.Expires = *c.Expires
			}
			i, twice := known[series{name, c.Source}]
			if !twice {
				known[series{name, c.Source}] = len(out)
				out = append(out, s)
			} else if s.Expires.Before(out[i].Expires) {
				out[i] = s
			}
		}
	}
	return out
}
