package edge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gatehouse/config"
)

// Listener is one item of `listen:`: an address and how clients are received
// there. Without tls and redirect it speaks plain HTTP/1.1.
type Listener struct {
	config.At
	Address        string          `yaml:"address" default:":8443" doc:"HOST:PORT to listen on; without HOST on every address of the machine; systemd:NAME for a socket that systemd passes under that name"`
	TLS            *TLS            `yaml:"tls" doc:"HTTPS with these certificates; without it plain HTTP"`
	Redirect       HTTPSRedirect   `yaml:"redirect" doc:"answer every request for a host that an API serves with a redirect to the https listener: https, or https:PORT where clients see another port"`
	Limits         Limits          `yaml:"limits" doc:"what a client may take"`
	TrustedProxies []config.Prefix `yaml:"trusted-proxies" doc:"peers that may say on whose behalf they speak, by PROXY protocol or forwarding headers"`
	ProxyProtocol  string          `yaml:"proxy-protocol" default:"off" enum:"off|accept|require" doc:"PROXY protocol v1 and v2 from trusted proxies: off, accept (may come) or require (must come)"`
	ClientAddress  string          `yaml:"client-address" default:"x-forwarded-for" enum:"x-forwarded-for|forwarded" doc:"the header in which trusted proxies name the client; Forwarded is also read where X-Forwarded-For is absent"`
	HTTP2          HTTP2           `yaml:"http2" doc:"limits of HTTP/2"`
	Serve          []string        `yaml:"serve" single:"true" default:"apis" enum:"apis|aws" doc:"what is served there: the APIs, AWS's own services such as STS, or both"`
}

// TLS says how a listener speaks TLS.
type TLS struct {
	config.At
	Certificates     Certificates    `yaml:"certificates" doc:"internal (from the gateway's own CA), acme (from a public CA, by the section acme), {cert: FILE, key: FILE}, or a list of these; the first is the default"`
	MinVersion       string          `yaml:"min-version" default:"1.2" enum:"1.2|1.3" doc:"the oldest TLS version that is accepted"`
	HSTS             config.Duration `yaml:"hsts" default:"365d" doc:"max-age of strict-transport-security; 0 sends none"`
	HandshakeTimeout config.Duration `yaml:"handshake-timeout" default:"10s" range:"1ms.." doc:"how long a TLS handshake may take"`
}

// Limits is what one listener lets clients take.
type Limits struct {
	config.At
	Body                  config.Size     `yaml:"body" default:"10MiB" doc:"the largest request body; 0 for no limit; routes may say their own"`
	Header                config.Size     `yaml:"header" default:"16KiB" range:"8KiB..1MiB" doc:"the largest request line and headers together; more is 431"`
	HeaderTimeout         config.Duration `yaml:"header-timeout" default:"10s" range:"1ms.." doc:"how long a request's headers may take from their first byte; also how long a new connection may wait with them"`
	BodyTimeout           config.Duration `yaml:"body-timeout" default:"30s" doc:"how long a body may stall before it is 408; 0 for no limit, as long-lived streams need"`
	BodyRate              config.Size     `yaml:"body-rate" default:"240" doc:"the slowest a body may come on average, in bytes a second, after body-timeout; 0 for no limit"`
	WriteTimeout          config.Duration `yaml:"write-timeout" default:"30s" doc:"how long a client may take nothing of what was sent to it before it is cut; 0 for no limit"`
	IdleTimeout           config.Duration `yaml:"idle-timeout" default:"60s" range:"1ms.." doc:"how long a connection may wait for its next request"`
	Connections           int             `yaml:"connections" default:"10000" range:"1..10000000" doc:"connections in all; the newest over it is closed"`
	ConnectionsPerAddress int             `yaml:"connections-per-address" default:"256" range:"1..10000000" doc:"connections of one IPv4 address or IPv6 /64; trusted proxies are not counted"`
}

// HTTP2 is what one HTTP/2 connection may take.
type HTTP2 struct {
	config.At
	Streams int `yaml:"max-streams" default:"100" range:"1..10000" doc:"requests at a time on one connection"`
}

// Certificates says where a listener's certificates come from. The zero value
// means internal.
type Certificates struct {
	Internal bool // also or only from the internal CA
	ACME     bool // also or only by ACME
	Files    []CertificateFile
	First    bool // no file was named first: the internal CA's certificate is the default
}

// CertificateFile is a certificate chain with its key, in PEM.
type CertificateFile struct {
	config.At
	Cert config.File `yaml:"cert,required" doc:"the certificate, then its intermediates, in PEM"`
	Key  config.File `yaml:"key,required" doc:"its private key, in PEM"`
}

// The words for certificates that are not files.
const (
	internal = "internal" // of the gateway's own CA
	byACME   = "acme"
)

var (
	_ config.Unmarshaler = (*Certificates)(nil)
	_ config.Schemer     = Certificates{}
	_ config.Schemer     = HTTPSRedirect{}
)

// UnmarshalConfig reads "internal", "acme", one pair, or a list of these.
func (c *Certificates) UnmarshalConfig(n *config.Node) {
	if n.Kind() != config.List {
		c.add(n)
		return
	}
	items := 0
	n.Each(func(_ string, _ config.Pos, item *config.Node) {
		items++
		c.add(item)
	})
	if items == 0 {
		n.Errorf("no certificate is named: write internal, acme, or a list of {cert: FILE, key: FILE}")
	}
}

func (c *Certificates) add(n *config.Node) {
	if n.Kind() == config.Map {
		var pair CertificateFile
		if n.Decode(&pair) {
			c.Files = append(c.Files, pair)
		}
		return
	}
	switch text, _ := n.Text(); text {
	case internal:
		c.Internal = true
	case byACME:
		c.ACME = true
	default:
		n.Errorf("certificates are internal, acme, or {cert: FILE, key: FILE}")
		return
	}
	c.First = c.First || len(c.Files) == 0
}

// ConfigSchema describes the forms of UnmarshalConfig.
func (Certificates) ConfigSchema() *config.Schema {
	word := &config.Schema{Type: "string", Enum: []any{internal, byACME}}
	pair := config.SchemaOf(CertificateFile{})
	return &config.Schema{AnyOf: []*config.Schema{
		word, pair,
		{Type: "array", Items: &config.Schema{AnyOf: []*config.Schema{word, pair}}},
	}}
}

// HTTPSRedirect is where a listener sends its clients. The zero value is nowhere.
type HTTPSRedirect struct {
	HTTPS bool
	Port  int // as clients see it; 0 for the port of the https listener
}

// UnmarshalText reads "https" or "https:PORT".
func (d *HTTPSRedirect) UnmarshalText(text []byte) error {
	scheme, port, ported := strings.Cut(string(text), ":")
	if scheme != "https" {
		return errors.New("a listener redirects to https, or https:PORT")
	}
	d.HTTPS = true
	if !ported {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no port between 1 and 65535", port)
	}
	d.Port = int(n)
	return nil
}

// ConfigSchema describes the forms of UnmarshalText.
func (HTTPSRedirect) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^https(:[0-9]{1,5})?$`}
}
