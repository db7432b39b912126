package admin

import (
	"crypto/tls"
	"net"
	"net/netip"

	"gatehouse/config"
)

// DefaultAddress is where the admin listener is where nothing else is said.
const DefaultAddress = "127.0.0.1:9901"

// Off, as an address, stands for no admin listener.
const Off = "off"

// minToken is the length of the shortest token: 128 bits in base64.
const minToken = 22

// Config is the admin section.
type Config struct {
	config.At
	Address string        `yaml:"address" default:"127.0.0.1:9901" doc:"HOST:PORT of health, metrics and queries, or off; elsewhere than on a loopback address it needs tls and token"`
	TLS     *TLS          `yaml:"tls" doc:"certificate of the admin listener"`
	Token   config.Secret `yaml:"token" doc:"what callers send as Authorization: Bearer TOKEN; at least 22 characters"`
}

// TLS is a certificate with its key.
type TLS struct {
	config.At
	Cert config.File `yaml:"cert,required" doc:"PEM file of the certificate and its chain"`
	Key  config.File `yaml:"key,required" doc:"PEM file of the private key"`
}

// Check implements config.Checker.
func (c Config) Check(r *config.Report) {
	if c.TLS != nil {
		if _, err := tls.X509KeyPair(c.TLS.Cert.Content, c.TLS.Key.Content); err != nil {
			r.Errorf(c.TLS.Pos, "the admin listener's certificate: %v", err)
		}
	}
	if c.Token.IsSet() && len(c.Token.Reveal()) < minToken {
		r.Errorf(c.Of("token"), "the token is too short to be safe: use at least %d random characters", minToken)
	}
	if c.off() {
		return
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		r.Errorf(c.Of("address"), "%q is no HOST:PORT; write for example %s, or off", c.Address, DefaultAddress)
		return
	}
	if !isLoopback(host) && (c.TLS == nil || !c.Token.IsSet()) {
		r.Errorf(c.Of("address"), "the admin listener can be reached from other machines at %q: give it tls and token, or a loopback address", c.Address)
	}
}

func (c Config) off() bool { return c.Address == Off }

func (c Config) address() string {
	if c.Address == "" {
		return DefaultAddress
	}
	return c.Address
}

// isLoopback reports whether a host can only be this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
