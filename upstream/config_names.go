package upstream

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/upstream/target"
)

// Resolve is the resolve section of a service.
type Resolve struct {
	config.At
	Min   config.Duration `yaml:"min" default:"1s" range:"1s..1d" doc:"how long an answer holds at least"`
	Max   config.Duration `yaml:"max" default:"5m" range:"1s..1d" doc:"how long an answer holds at most, whatever its time to live"`
	Stale config.Duration `yaml:"stale" default:"1d" range:"0s..365d" doc:"how long the last good answer is used while servers fail"`
	Gone  config.Duration `yaml:"gone" default:"1m" range:"0s..365d" doc:"how long it is used while they say that there is no such name"`
}

// filled returns r with the default of every key where nothing was said. What
// was decoded has them.
func (r Resolve) filled() Resolve {
	if r.Max == 0 {
		r.Stale, r.Gone = config.Duration(24*time.Hour), config.Duration(time.Minute)
	}
	fallback(&r.Min, time.Second)
	fallback(&r.Max, 5*time.Minute)
	return r
}

// UnmarshalConfig reads a duration, or {min, max, stale, gone}.
func (r *Resolve) UnmarshalConfig(n *config.Node) {
	type plain Resolve
	if _, ok := n.Text(); !ok {
		n.Decode((*plain)(r))
		return
	}
	var most config.Duration
	if !n.Decode(&most) {
		return
	}
	*r = Resolve{Max: most}
	if most < config.Duration(time.Second) || most > config.Duration(24*time.Hour) {
		n.Errorf("an answer holds from 1s to 1d")
	}
	*r = Resolve{}.filled()
	r.At, r.Max = config.At{Pos: n.Pos()}, most
}

// ConfigSchema implements config.Schemer.
func (Resolve) ConfigSchema() *config.Schema {
	type plain Resolve
	return &config.Schema{AnyOf: []*config.Schema{config.SchemaOf(config.Duration(0)), config.SchemaOf(plain{})}}
}

// Server is a DNS server.
type Server struct{ netip.AddrPort }

// UnmarshalText reads ADDRESS or ADDRESS:PORT.
func (s *Server) UnmarshalText(text []byte) error {
	var err error
	if s.AddrPort, err = netip.ParseAddrPort(string(text)); err == nil && s.Port() > 0 {
		return nil
	}
	a, err := netip.ParseAddr(strings.Trim(string(text), "[]"))
	if err != nil {
		return errors.New("is no DNS server: write its ADDRESS, or ADDRESS:PORT")
	}
	s.AddrPort = netip.AddrPortFrom(a, 53)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Server) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"127.0.0.1:5353", "10.0.0.2"}}
}

func (c Config) checkNames(r *config.Report) {
	if v := c.Resolve; v.Min > v.Max && v.Max > 0 {
		r.Errorf(v.Of("min"), "min is above max")
	}
	named := false
	for _, t := range c.Targets {
		named = named || t.named()
	}
	if len(c.Resolver) > 0 && !named {
		r.Errorf(c.Of("resolver"), "the resolver is asked for names after dns: and srv: alone, and no target is one")
	}
}

// lookup returns how a target is looked up.
func (c Config) lookup(t Target) target.Lookup {
	if !t.named() {
		return target.Lookup{}
	}
	var servers []string
	for _, s := range c.Resolver {
		servers = append(servers, s.String())
	}
	r := c.Resolve
	return target.Lookup{
		Records: t.SRV, Servers: strings.Join(servers, ","),
		Shortest: r.Min.D(), Longest: r.Max.D(), Stale: r.Stale.D(), Gone: r.Gone.D(),
	}
}
