package edge

import (
	"crypto/x509"
	"maps"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/edge/acme"
	"gatehouse/edge/certs"
)

// holdings are the certificates behind one listener.
type holdings struct {
	files    []heldFile
	issued   []string   // names that the internal CA issues for; nil for none
	obtained []string   // names that are to be obtained by ACME
	acme     config.Pos // of the word acme; invalid where it does not stand
}

type heldFile struct {
	leaf *x509.Certificate
	at   config.Pos
}

// issuedNames returns what the internal CA issues for where it does for domains.
func issuedNames(domains []string) []string {
	out := []string{certs.Localhost}
	for _, domain := range domains {
		if domain = certs.Normal(domain); !slices.Contains(out, domain) {
			out = append(out, domain)
		}
	}
	return out
}

// obtains returns the domains that a listener needs certificates for by ACME:
// those that none of its files is for.
func (c *Compilation) obtains(h *holdings) []string {
	var out []string
	for _, domain := range c.Domains {
		if domain = certs.Normal(domain); acme.Obtainable(domain) && !h.covered(domain) {
			out = append(out, domain)
		}
	}
	return out
}

// covered reports whether a file is for the domain.
func (h *holdings) covered(domain string) bool {
	_, parent, _ := strings.Cut(domain, ".")
	return slices.ContainsFunc(h.files, func(f heldFile) bool {
		return slices.ContainsFunc(f.leaf.DNSNames, func(name string) bool {
			name = certs.Normal(name)
			return name == domain || name == "*."+parent && parent != ""
		})
	})
}

// Obtained returns the names that certificates are to be obtained for by ACME,
// in order, and the first place that says so; an invalid one where none does.
func (p Policies) Obtained() (names []string, at config.Pos) {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(p)) {
		h := &p[key].holds
		all = append(all, h.obtained...)
		if h.acme.IsValid() && (!at.IsValid() || h.acme.Line < at.Line) {
			at = h.acme
		}
	}
	return acme.Narrow(all), at
}

// Plain reports whether a listener speaks plain HTTP.
func (p Policies) Plain() bool {
	for _, policy := range p {
		if !policy.TLS {
			return true
		}
	}
	return false
}

// Issued returns the names that the internal CA issues certificates for, in
// order.
func (p Policies) Issued() []string {
	names := make(map[string]bool)
	for _, policy := range p {
		for _, name := range policy.holds.issued {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// FileCertificate is a certificate from a file.
type FileCertificate struct {
	Leaf *x509.Certificate
	At   config.Pos // of the first listener's that names it
}

// Files returns the certificates that come from files, each once, in the order
// of the listeners' keys.
func (p Policies) Files() []FileCertificate {
	var out []FileCertificate
	for _, key := range slices.Sorted(maps.Keys(p)) {
		for _, f := range p[key].holds.files {
			known := slices.ContainsFunc(out, func(o FileCertificate) bool { return o.Leaf.Equal(f.leaf) })
			if !known {
				out = append(out, FileCertificate{f.leaf, f.at})
			}
		}
	}
	return out
}
