package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"gatehouse/edge/certs"
)

// Clients says that whoever connects to a domain is asked for a certificate, and
// of which authorities. None must be shown, and any is taken: who may call is not
// decided here.
type Clients struct {
	// Domains are exact, or have "*" for their first label; none stand for every
	// name that nobody else's domains are for.
	Domains     []string
	Authorities []*x509.Certificate
}

// key is equal for what asks alike.
func (c *Clients) key() string {
	h := sha256.New()
	for _, a := range c.Authorities {
		h.Write(a.Raw)
	}
	return strings.Join(c.Domains, ",") + " " + hex.EncodeToString(h.Sum(nil))
}

// asking returns what gives each client the configuration of the domain that it
// asks for. One that asks for certificates resumes no sessions and gives out no
// tickets: a session of another domain, where other authorities or none were asked
// for, would bring along what it showed there, and a session outlives what a
// certificate is worth.
//
// (crypto/tls uses the keys of the first configuration for the tickets of all.)
func asking(base *tls.Config, c *Compilation) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	byName := make(map[string]*tls.Config)
	for _, clients := range c.Clients {
		pool := x509.NewCertPool()
		for _, a := range clients.Authorities {
			pool.AddCert(a)
		}
		conf := &tls.Config{
			MinVersion: base.MinVersion, NextProtos: base.NextProtos, GetCertificate: base.GetCertificate,
			ClientAuth: tls.RequestClientCert, ClientCAs: pool, SessionTicketsDisabled: true,
		}
		for _, domain := range clients.Domains {
			byName[certs.Normal(domain)] = conf
		}
		if len(clients.Domains) == 0 {
			byName[""] = conf
		}
	}
	known := make(map[string]bool, len(c.Domains))
	for _, domain := range c.Domains {
		known[certs.Normal(domain)] = true
	}
	challenge := c.Challenge
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if challenge != nil {
			if conf, err := challenge(hello); conf != nil || err != nil {
				return conf, err
			}
		}
		name := certs.Normal(hello.ServerName)
		for _, key := range []string{name, wild(name)} {
			if conf := byName[key]; conf != nil && key != "" {
				return conf, nil
			}
			if known[key] {
				return nil, nil // somebody's who asks for none
			}
		}
		return byName[""], nil
	}
}

// wild is a name with "*" for its first label.
func wild(name string) string {
	_, parent, ok := strings.Cut(name, ".")
	if !ok {
		return ""
	}
	return "*." + parent
}
