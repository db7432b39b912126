package crawler

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"gatehouse/config"
)

// Config says which crawlers are known beside those of Known, and whom to ask.
type Config struct {
	config.At
	Resolver []Server       `yaml:"resolver" single:"true" doc:"DNS servers to ask instead of the system's: ADDRESS or ADDRESS:PORT"`
	Known    map[string]Own `yaml:"known" doc:"further crawlers, or others in place of those that are known, by their names"`
}

// Own is a crawler of the operator's own.
type Own struct {
	config.At
	UserAgent []string `yaml:"user-agent,required" single:"true" doc:"what its User-Agent holds, one of these, in whatever case"`
	Domains   []string `yaml:"domains,required" single:"true" doc:"below which the names of its addresses lie: bots.partner.example"`
}

// Server is a DNS server.
type Server struct{ netip.AddrPort }

// UnmarshalText reads an address, with or without a port.
func (s *Server) UnmarshalText(text []byte) error {
	if a, err := netip.ParseAddr(string(text)); err == nil {
		s.AddrPort = netip.AddrPortFrom(a.Unmap(), 53)
		return nil
	}
	p, err := netip.ParseAddrPort(string(text))
	if err != nil || p.Port() == 0 {
		return fmt.Errorf("%q is no DNS server: write ADDRESS or ADDRESS:PORT", text)
	}
	s.AddrPort = p
	return nil
}

// ConfigSchema implements config.Schemer.
func (Server) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"10.0.0.53", "127.0.0.1:5353"}}
}

// Check reports what cannot tell anybody apart.
func (o Own) Check(r *config.Report) {
	for _, text := range o.UserAgent {
		if len(text) < 4 || strings.TrimSpace(text) != text {
			r.Errorf(o.Of("user-agent"), "%q is in too many names: write at least four characters, without space around them", text)
		}
	}
	for _, d := range o.Domains {
		if strings.Count(strings.Trim(d, "."), ".") < 1 || strings.ContainsAny(d, "*/: ") {
			r.Errorf(o.Of("domains"), "%q is no domain such as bots.partner.example", d)
		}
	}
}

// Kinds returns the crawlers that are known.
func (c *Config) Kinds() []Kind {
	var kinds []Kind
	for _, name := range slices.Sorted(maps.Keys(c.Known)) {
		own := c.Known[name]
		k := Kind{Name: name, Agents: own.UserAgent}
		for _, d := range own.Domains {
			k.Hosts = append(k.Hosts, "."+strings.ToLower(strings.Trim(d, ".")))
		}
		kinds = append(kinds, k)
	}
	for _, k := range Known() {
		if _, replaced := c.Known[k.Name]; !replaced {
			kinds = append(kinds, k)
		}
	}
	return kinds
}
