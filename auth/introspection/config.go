// Package introspection knows callers by tokens that only their issuer can read:
// it asks the issuer about each (RFC 7662), and remembers the answers.
package introspection

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"strings"

	"gatehouse/auth/discovery"
	"gatehouse/auth/place"
	"gatehouse/auth/sign"
	"gatehouse/config"
)

// Config is how callers are known by tokens that their issuer is asked about.
type Config struct {
	config.At
	Issuer    string          `yaml:"issuer,required" doc:"who makes the tokens; part of their callers' names"`
	URL       string          `yaml:"url" doc:"where the issuer is asked: https, or http on this machine; default: where the issuer, a URL, says"`
	Addresses []netip.Prefix  `yaml:"addresses" single:"true" doc:"private addresses at which that may be, where the issuer says: 10.1.0.0/16; public ones, and the issuer's own server, always may"`
	CA        config.File     `yaml:"ca" doc:"certificates of the authorities that the issuer's server is known by, PEM; default: the system's"`
	ClientID  string          `yaml:"client-id,required" doc:"as whom the gateway asks"`
	Secret    config.Secret   `yaml:"client-secret" doc:"its secret there"`
	Key       config.File     `yaml:"key" doc:"its private key there, PEM, in place of a secret: it asks with a signed assertion (private_key_jwt)"`
	KeyID     string          `yaml:"key-id" doc:"the key's name (kid), for issuers that want one"`
	Audience  []string        `yaml:"audience" single:"true" doc:"for whom tokens are: the answer's aud names at least one of these; default: anybody"`
	From      []place.From    `yaml:"from" single:"true" default:"header.Authorization" doc:"where the token is looked for, in this order: header.NAME, cookie.NAME, query.NAME"`
	TTL       config.Duration `yaml:"ttl" default:"1m" range:"0s..1h" doc:"how long a good token is remembered, and at most until it expires; a token that was revoked is good for as long"`
	Negative  config.Duration `yaml:"negative-ttl" default:"10s" range:"0s..5m" doc:"how long a bad token is remembered"`
	Timeout   config.Duration `yaml:"timeout" default:"3s" range:"100ms..30s" doc:"how long the issuer may take"`
	Origins   []place.Origin  `yaml:"origins" single:"true" doc:"other web sites whose pages may make changes with a token in a cookie"`
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if strings.Contains(c.Issuer, "|") {
		r.Errorf(c.Of("issuer"), `an issuer with "|" in it, which parts issuer and subject of a principal`)
	}
	if c.URL == "" {
		if problem := discovery.CheckIssuer(c.Issuer); problem != "" {
			r.Errorf(c.Of("issuer"), "write url, or let the issuer say where it is asked: %s", problem)
		}
	} else if problem := checkURL(c.URL); problem != "" {
		r.Errorf(c.Of("url"), "%s", problem)
	}
	if len(c.From) == 0 {
		r.Errorf(c.Of("from"), "say at least one place where the token is looked for, such as header.Authorization")
	}
	if c.CA.IsSet() && c.roots() == nil {
		r.Errorf(c.Of("ca"), "%s has no certificate in PEM", c.CA.Path)
	}
	switch {
	case c.Secret.IsSet() == c.Key.IsSet() && !c.Broken("client-secret") && !c.Broken("key"):
		r.Errorf(c.Pos, "say by what the issuer knows the gateway: client-secret or key, one of them")
	case c.Key.IsSet():
		if _, err := sign.ParsePEM(c.Key.Content, c.KeyID); err != nil {
			r.Errorf(c.Of("key"), "%s %v", c.Key.Path, err)
		}
	}
}

func checkURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return "this is no URL to ask at: write https://HOST/PATH"
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "localhost" && host != "127.0.0.1" && host != "::1" {
		return "tokens would go there in plain text: write https"
	}
	return ""
}

func (c *Config) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA.Content) {
		return nil
	}
	return pool
}

// QueryParameters returns the query parameters that tokens are read from.
func (c *Config) QueryParameters() (names []string) {
	for _, f := range c.From {
		if f.Place == "query" {
			names = append(names, f.Name)
		}
	}
	return names
}
