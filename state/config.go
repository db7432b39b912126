package state

import (
	"net"
	"net/url"

	"gatehouse/config"
)

// Config is the state section.
type Config struct {
	config.At
	NATS        []string      `yaml:"nats" single:"true" doc:"servers of a NATS with JetStream that several gateways share: tls://HOST:4222; default: an engine of the gateway's own, below data"`
	Credentials *config.File  `yaml:"credentials" doc:"credentials file of the account there"`
	User        string        `yaml:"user" doc:"user there, where it takes passwords"`
	Password    config.Secret `yaml:"password" doc:"the user's password: ${env:NAME} or ${file:PATH}"`
	CA          *config.File  `yaml:"ca" doc:"certificates of the CAs that sign for these servers; default: those of the system"`
	Replicas    int           `yaml:"replicas" default:"1" range:"1..5" doc:"servers that each hold all of it: 1, 3 or 5"`
	MasterKey   MasterKey     `yaml:"master-key" doc:"the file of the key that secrets are encrypted under, made where it is missing; it may not lie below data. Or {value: \"${env:NAME}\"}. Default: /etc/gatehouse/master.key for root, else gatehouse/master.key in the user's configuration folder"`
}

// MasterKey says where the master key is.
type MasterKey struct {
	config.At
	File  *config.Path  `yaml:"file" doc:"a file of the user's alone"`
	Value config.Secret `yaml:"value" doc:"the key itself: 32 bytes in base64, the newest first where there are several: ${env:NAME} or ${file:PATH}"`
}

// UnmarshalConfig reads a path alone, or a section.
func (m *MasterKey) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		m.File = new(config.Path)
		n.Decode(m.File)
		return
	}
	type section MasterKey
	n.Decode((*section)(m))
}

// ConfigSchema implements config.Schemer.
func (MasterKey) ConfigSchema() *config.Schema {
	type section MasterKey
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string"}, config.SchemaOf(section{})}}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	for _, text := range c.NATS {
		c.checkServer(r, text)
	}
	if len(c.NATS) == 0 && (c.Credentials != nil || c.User != "" || c.CA != nil) {
		r.Errorf(c.Pos, "credentials, user and ca are for servers of nats: say which, or leave them out")
	}
	if c.Replicas%2 == 0 {
		r.Errorf(c.Of("replicas"), "%d replicas survive no more than %d would: write 1, 3 or 5", c.Replicas, c.Replicas-1)
	}
	if (c.User == "") != (c.Password.Reveal() == "") {
		r.Errorf(c.Pos, "user and password belong together")
	}
	if c.MasterKey.File != nil && c.MasterKey.Value.Reveal() != "" {
		r.Errorf(c.MasterKey.Pos, "the master key is in a file or a value, not in both")
	}
	if text := c.MasterKey.Value.Reveal(); text != "" {
		if _, err := parseKeys([]byte(text)); err != nil {
			r.Errorf(c.MasterKey.Pos, "the master key: %v", err)
		}
	}
}

// checkServer lets what is kept travel over TLS, or inside this machine.
func (c *Config) checkServer(r *config.Report, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls":
		r.Errorf(c.Of("nats"), "a server is written tls://HOST:PORT, or nats://127.0.0.1:PORT on this machine")
	case u.User != nil:
		r.Errorf(c.Of("nats"), "write no password into the URL: user and password, or credentials, are keys of their own")
	case u.Scheme == "nats" && !isLoopback(u.Hostname()):
		r.Errorf(c.Of("nats"), "%s would carry keys over the network unprotected: write tls://%s", u.Host, u.Host)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
