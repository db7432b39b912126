package oidc

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"

	"gatehouse/auth/discovery"
	"gatehouse/auth/place"
	"gatehouse/auth/sign"
	"gatehouse/config"
)

// Config is how people log in.
type Config struct {
	config.At
	Issuer    string          `yaml:"issuer,required" doc:"the provider: a URL, at which it says where its endpoints and keys are"`
	ClientID  string          `yaml:"client-id,required" doc:"as whom the gateway is registered there"`
	Secret    config.Secret   `yaml:"client-secret" doc:"its secret there"`
	Key       config.File     `yaml:"key" doc:"its private key there, PEM, in place of a secret (private_key_jwt)"`
	KeyID     string          `yaml:"key-id" doc:"the key's name (kid), for providers that want one"`
	Scopes    []string        `yaml:"scopes" single:"true" default:"openid" doc:"what is asked for; openid is always among it, and offline_access has most providers give out refresh tokens"`
	Path      string          `yaml:"path" default:"/_auth" doc:"the path, below the stage's, under which the gateway itself answers: PATH/callback, PATH/logout and PATH/backchannel-logout"`
	TTL       config.Duration `yaml:"ttl" default:"8h" range:"1m..30d" doc:"how long a person stays logged in at most"`
	LogoutTo  string          `yaml:"logout-to" default:"/" doc:"the path on the same host where a person comes to after logging out; publish it, or a new login begins there"`
	Addresses []netip.Prefix  `yaml:"addresses" single:"true" doc:"private addresses at which the provider's endpoints may be: 10.1.0.0/16; public ones, and the issuer's own server, always may"`
	CA        config.File     `yaml:"ca" doc:"certificates of the authorities that the provider's server is known by, PEM; default: the system's"`
	Origins   []place.Origin  `yaml:"origins" single:"true" doc:"other web sites whose pages may make changes with the session's cookie"`
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if problem := discovery.CheckIssuer(c.Issuer); problem != "" || strings.Contains(c.Issuer, "|") {
		r.Errorf(c.Of("issuer"), "%s", problem)
	}
	if !isPath(c.Path) || c.Path == "/" || strings.HasSuffix(c.Path, "/") {
		r.Errorf(c.Of("path"), "write a path such as /_auth, of plain segments and without a slash at its end")
	}
	if !isPath(c.LogoutTo) {
		r.Errorf(c.Of("logout-to"), "write a path on the same host, such as /goodbye")
	}
	if c.CA.IsSet() && c.roots() == nil {
		r.Errorf(c.Of("ca"), "%s has no certificate in PEM", c.CA.Path)
	}
	for _, s := range c.Scopes {
		if s == "" || strings.ContainsAny(s, " \"\\") {
			r.Errorf(c.Of("scopes"), "%q is no scope: scopes have no spaces, quotes or backslashes", s)
		}
	}
	switch {
	case c.Secret.IsSet() == c.Key.IsSet() && !c.Broken("client-secret") && !c.Broken("key"):
		r.Errorf(c.Pos, "say by what the provider knows the gateway: client-secret or key, one of them")
	case c.Key.IsSet():
		if _, err := sign.ParsePEM(c.Key.Content, c.KeyID); err != nil {
			r.Errorf(c.Of("key"), "%s %v", c.Key.Path, err)
		}
	}
}

// isPath reports a path that reads one way: segments of unreserved characters.
func isPath(s string) bool {
	rest, ok := strings.CutPrefix(s, "/")
	if !ok {
		return false
	}
	if rest == "" {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), "/") {
		if strings.Trim(segment, ".") == "" || strings.ContainsFunc(segment, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~", r))
		}) {
			return false
		}
	}
	return true
}

func (c *Config) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA.Content) {
		return nil
	}
	return pool
}

// scopes are those that are asked for.
func (c *Config) scopes() string {
	if slices.Contains(c.Scopes, "openid") {
		return strings.Join(c.Scopes, " ")
	}
	return strings.Join(append([]string{"openid"}, c.Scopes...), " ")
}

// Segments are those of the path under which the gateway answers.
func (c *Config) Segments() []string { return strings.Split(strings.Trim(c.Path, "/"), "/") }

// Actions are the last segments under Path.
func Actions() []string { return []string{callback, logout, backchannel} }

const (
	callback    = "callback"
	logout      = "logout"
	backchannel = "backchannel-logout"
)
