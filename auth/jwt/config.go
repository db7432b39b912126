package jwt

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"gatehouse/auth/discovery"
	"gatehouse/config"
)

// Config is how callers are known by JSON Web Tokens.
type Config struct {
	config.At
	Issuer     string          `yaml:"issuer,required" doc:"who makes the tokens: their iss, exactly"`
	Audience   []string        `yaml:"audience,required" single:"true" doc:"for whom tokens are: their aud names at least one of these, exactly"`
	JWKS       Source          `yaml:"jwks" doc:"the issuer's public keys: a file, an https URL, or development for the key that gatehouse token signs with; default: where the issuer, a URL, says that they are"`
	CA         config.File     `yaml:"ca" doc:"certificates of the authorities that the server of jwks is known by, PEM; default: the system's"`
	Addresses  []netip.Prefix  `yaml:"addresses" single:"true" doc:"private addresses at which the keys may be, where the issuer says where they are: 10.1.0.0/16; public ones, and the issuer's own server, always may"`
	Secret     config.Secret   `yaml:"secret" doc:"the secret that tokens are signed with, in place of jwks; at least 32 bytes"`
	Algorithms []string        `yaml:"algorithms" single:"true" enum:"RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA|Ed25519|HS256|HS384|HS512" doc:"signatures allowed; default: all that verify with a public key, or HS256 with a secret"`
	Leeway     config.Duration `yaml:"leeway" default:"30s" range:"0s..5m" doc:"how far the issuer's clock and ours may differ"`
	Expiry     string          `yaml:"expiry" default:"required" enum:"required|optional" doc:"whether tokens must expire"`
	From       []From          `yaml:"from" single:"true" default:"header.Authorization" doc:"where the token is looked for, in this order: header.NAME, cookie.NAME, query.NAME"`
	Login      Login           `yaml:"login" doc:"where a browser without a good token is sent; the address to return to is added as the parameter return"`
	Origins    []Origin        `yaml:"origins" single:"true" doc:"other web sites whose pages may make changes with a token in a cookie: https://www.example.com"`
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if strings.Contains(c.Issuer, "|") {
		r.Errorf(c.Of("issuer"), `an issuer with "|" in it, which parts issuer and subject of a principal`)
	}
	if len(c.Audience) == 0 || slices.Contains(c.Audience, "") {
		r.Errorf(c.Of("audience"), "an audience must be named: the text that tokens for this API have as aud")
	}
	if len(c.From) == 0 {
		r.Errorf(c.Of("from"), "say at least one place where the token is looked for, such as header.Authorization")
	}
	c.checkCA(r)
	switch {
	case c.JWKS.IsSet() && c.Secret.IsSet():
		r.Errorf(c.Of("secret"), "jwks and secret exclude each other")
	case c.Secret.IsSet():
		c.checkSecret(r)
	case c.JWKS.IsSet():
		c.checkKeys(r)
	default:
		c.checkDiscovery(r)
	}
	if len(c.Addresses) > 0 && (c.JWKS.IsSet() || c.Secret.IsSet()) {
		r.Errorf(c.Of("addresses"), "addresses is for issuers that say where their keys are: remove jwks and secret, or addresses")
	}
}

// checkDiscovery holds that the issuer can be asked for its keys.
func (c *Config) checkDiscovery(r *config.Report) {
	if problem := discovery.CheckIssuer(c.Issuer); problem != "" && !c.Broken("jwks") {
		r.Errorf(c.Pos, "the keys are missing: write jwks: FILE, jwks: https://..., jwks: development, or secret: ${file:...}; or let the issuer say where they are (%s)", problem)
	}
	c.checkKeys(r)
}

func (c *Config) checkCA(r *config.Report) {
	switch {
	case !c.CA.IsSet():
	case !strings.HasPrefix(strings.ToLower(c.keysURL()), "https:"):
		r.Errorf(c.Of("ca"), "ca is for keys that come over https: write jwks: https://..., or remove ca")
	case c.roots() == nil:
		r.Errorf(c.Of("ca"), "%s has no certificate in PEM", c.CA.Path)
	}
}

// keysURL is the URL that leads to the keys; "" for none.
func (c *Config) keysURL() string {
	if c.JWKS.IsSet() || c.Secret.IsSet() {
		return c.JWKS.URL
	}
	return c.Issuer
}

// roots returns whom the server of the keys is trusted by; nil for the system's
// authorities.
func (c *Config) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA.Content) {
		return nil
	}
	return pool
}

func (c *Config) checkSecret(r *config.Report) {
	k := c.secretKey()
	for _, name := range c.algorithms() {
		switch {
		case !isSymmetric(name):
			r.Errorf(c.Of("algorithms"), "%s verifies with a public key, not with a secret", name)
		case !k.fits(name):
			a, _ := algorithmOf(name)
			r.Errorf(c.Of("secret"), "the secret is too short: %s wants at least %d bytes", name, a.hash.Size())
		}
	}
}

func (c *Config) checkKeys(r *config.Report) {
	if c.JWKS.Kind != FileSource {
		for _, name := range c.Algorithms {
			if isSymmetric(name) {
				r.Errorf(c.Of("algorithms"), "%s verifies with a secret: it needs secret, or jwks with a file of oct keys", name)
			}
		}
		return
	}
	set, err := parseKeySet(c.JWKS.File.Content)
	if err != nil {
		r.Errorf(c.Of("jwks"), "%s: %v", c.JWKS.File.Path, err)
		return
	}
	for _, reason := range set.skipped {
		r.Errorf(c.Of("jwks"), "%s: %s", c.JWKS.File.Path, reason)
	}
	used := 0
	for _, k := range set.keys {
		switch {
		case slices.ContainsFunc(c.algorithms(), k.fits):
			used++
		case k.family == familySecret:
			r.Errorf(c.Of("jwks"), "%s: a secret key wants algorithms: [HS256]", c.JWKS.File.Path)
			return
		}
	}
	if used == 0 {
		r.Errorf(c.Of("jwks"), "%s: no key fits the algorithms that are allowed", c.JWKS.File.Path)
	}
}

// Hides reports whether c decides about every token that o would be asked for,
// where c is asked first.
func (c *Config) Hides(o *Config) bool {
	return c.Issuer == o.Issuer && !slices.ContainsFunc(o.From, func(f From) bool { return !slices.Contains(c.From, f) })
}

// algorithms returns those allowed.
func (c *Config) algorithms() []string {
	switch {
	case len(c.Algorithms) > 0:
		return c.Algorithms
	case c.Secret.IsSet():
		return []string{"HS256"}
	}
	return publicAlgorithms()
}

func (c *Config) secretKey() *key {
	return &key{family: familySecret, secret: []byte(c.Secret.Reveal())}
}

// SourceKind is where keys come from.
type SourceKind uint8

// The kinds of sources.
const (
	NoSource SourceKind = iota // the issuer says where they are
	FileSource
	URLSource
	DevelopmentSource
)

// Source is where the keys of an issuer are.
type Source struct {
	Kind SourceKind
	URL  string
	File config.File
}

// IsSet reports whether a source was said.
func (s Source) IsSet() bool { return s.Kind != 0 }

// UnmarshalConfig reads "development", a URL, or else a file's path.
func (s *Source) UnmarshalConfig(n *config.Node) {
	text, ok := n.Text()
	switch {
	case !ok:
		if n.Kind() != config.Scalar {
			n.Errorf("the keys are one value: a file, an https URL, or development")
		}
	case text == "development":
		s.Kind = DevelopmentSource
	case strings.Contains(text, "://"):
		if problem := checkKeysURL(text); problem != "" {
			n.Errorf("%s", problem)
			return
		}
		s.Kind, s.URL = URLSource, text
	case n.Decode(&s.File):
		s.Kind = FileSource
	}
}

// ConfigSchema implements config.Schemer.
func (Source) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"keys/jwks.json", "https://login.example.com/.well-known/jwks.json", "development"}}
}

// checkKeysURL lets keys come over TLS, or from this machine.
func checkKeysURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "this is no URL of a JWKS: write https://HOST/PATH"
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return ""
	}
	return "keys that decide who may call come over https; http is for 127.0.0.1, ::1 and localhost alone"
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
