package mtls

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"gatehouse/config"
)

// Rule says which certificates are good: those in which a name of a kind fits a
// pattern.
type Rule struct {
	Kind    string // "subject", "cn", "dns", "uri" or "email"
	Pattern string
}

// maxStars bounds how long a pattern can take.
const maxStars = 4

var errRule = errors.New("is no rule for certificates: write subject:, cn:, dns:, uri: or email: and a pattern, such as dns:*.devices.example.com")

// UnmarshalText reads KIND:PATTERN.
func (r *Rule) UnmarshalText(text []byte) error {
	kind, pattern, _ := strings.Cut(string(text), ":")
	if !slices.Contains([]string{"subject", "cn", "dns", "uri", "email"}, kind) || pattern == "" || strings.Count(pattern, "*") > maxStars {
		return errRule
	}
	if kind == "dns" {
		pattern = strings.ToLower(pattern)
	}
	*r = Rule{kind, pattern}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.Kind + ":" + r.Pattern), nil }

// ConfigSchema implements config.Schemer.
func (Rule) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^(subject|cn|dns|uri|email):.+$`, Examples: []any{"dns:*.devices.example.com", "uri:spiffe://example.com/**"}}
}

// fits reports whether a certificate is good by the rule.
func (r Rule) fits(cert *x509.Certificate) bool {
	return slices.ContainsFunc(namesOf(cert, r.Kind), func(name string) bool { return matches(r.Pattern, name, separator(r.Kind)) })
}

// separator returns the bytes that "*" stops at.
func separator(kind string) string {
	switch kind {
	case "dns":
		return "."
	case "uri":
		return "/?#"
	case "email":
		return "@"
	case "subject":
		return ",+" // of RFC 2253: what a value holds of them is escaped, and does not match
	}
	return ""
}

// namesOf returns a certificate's names of a kind.
func namesOf(cert *x509.Certificate, kind string) []string {
	switch kind {
	case "subject":
		return []string{cert.Subject.String()}
	case "cn":
		if cert.Subject.CommonName == "" {
			return nil
		}
		return []string{cert.Subject.CommonName}
	case "dns":
		out := make([]string, len(cert.DNSNames))
		for i, name := range cert.DNSNames {
			out[i] = strings.ToLower(name)
		}
		return out
	case "uri":
		out := make([]string, len(cert.URIs))
		for i, u := range cert.URIs {
			out[i] = u.String()
		}
		return out
	case "email":
		return cert.EmailAddresses
	}
	return nil
}

// matches reports whether text is what the pattern says: "*" stands for any bytes
// but those in stop, "**" for any.
func matches(pattern, text, stop string) bool {
	star := strings.IndexByte(pattern, '*')
	if star < 0 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, pattern[:star])
	if !ok {
		return false
	}
	after, far := strings.CutPrefix(pattern[star+1:], "*")
	for i := 0; ; i++ {
		if matches(after, rest[i:], stop) {
			return true
		}
		if i == len(rest) || !far && strings.IndexByte(stop, rest[i]) >= 0 {
			return false
		}
	}
}
