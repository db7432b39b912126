package acme

import (
	"net/netip"
	"slices"
	"strings"

	"gatehouse/config"
)

// Demand is what one configuration asks of the Keeper. The zero value asks for
// nothing.
type Demand struct {
	Config *Config    // nil where there is no section
	Names  []string   // to have certificates for, in small letters; "*" may be the first label
	Plain  bool       // a listener speaks plain HTTP, on which http-01 can be answered
	Broken bool       // the section or the names could be read in part only
	At     config.Pos // of the certificates that are to be obtained; invalid where none are
}

// Obtainable reports whether a CA can be asked for a domain. Names of this very
// machine and addresses cannot: the internal CA's certificates are for them.
func Obtainable(domain string) bool {
	if domain == "localhost" || strings.HasSuffix(domain, ".localhost") {
		return false
	}
	_, err := netip.ParseAddr(domain)
	return err != nil
}

// Narrow returns the domains that need certificates of their own: those that no
// wildcard among them covers, in order and each once.
func Narrow(domains []string) []string {
	all := slices.Compact(slices.Sorted(slices.Values(domains)))
	return slices.DeleteFunc(slices.Clone(all), func(domain string) bool {
		_, parent, dotted := strings.Cut(domain, ".")
		if !dotted || strings.HasPrefix(domain, "*.") {
			return false
		}
		_, found := slices.BinarySearch(all, "*."+parent)
		return found
	})
}

// challenges returns those that can be answered: as written, or what there is.
func (d *Demand) challenges() []string {
	if len(d.Config.Challenges) > 0 {
		return d.Config.Challenges
	}
	out := []string{ALPN01}
	if d.Plain {
		out = append(out, HTTP01)
	}
	if d.Config.DNS != nil {
		out = append(out, DNS01)
	}
	return out
}

// Solves reports whether the demand is met by this challenge among others.
func (d *Demand) Solves(challenge string) bool {
	return d.Config != nil && len(d.Names) > 0 && slices.Contains(d.challenges(), challenge)
}

// Check adds what is wrong between the section and what it is used for.
func (d *Demand) Check(r *config.Report) {
	switch {
	case d.Broken || !d.At.IsValid():
		return
	case d.Config == nil:
		r.Errorf(d.At, "certificates: acme needs a section acme, such as acme: {email: ops@example.com, agree: true}")
		return
	case len(d.Names) == 0:
		r.Errorf(d.At, "no certificate can be obtained, since no API names a domain that a CA could be asked for: write domains: [api.example.com] on an API, or certificates: internal")
		return
	}
	if slices.Contains(d.Config.Challenges, HTTP01) && !d.Plain {
		r.Errorf(d.Config.Of("challenges"), `http-01 is answered on a listener without tls, and there is none: add {address: ":80", redirect: https}, or remove http-01`)
	}
	if d.Solves(DNS01) {
		return
	}
	for _, name := range d.Names {
		if strings.HasPrefix(name, "*.") {
			r.Errorf(d.At, "CAs give wildcard certificates such as that for %s by dns-01 alone: add it to acme.challenges, with acme.dns, which sets the record", name)
		}
	}
}
