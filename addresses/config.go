package addresses

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"

	"gatehouse/config"
)

// Config says from which addresses clients may come, at one level of the
// configuration and at those around it.
type Config struct {
	config.At
	Allow []List `yaml:"allow" single:"true" doc:"addresses that may call, and no others: 192.0.2.0/24, 2001:db8::1, {file: PATH} with one on each line, or any; what the nearest level says counts alone"`
	Deny  []List `yaml:"deny" single:"true" doc:"addresses that may not call, whatever is allowed; what every level says counts"`

	levels []level // nearest first
}

// level is what one place of the configuration says, compiled.
type level struct {
	at          config.At
	allow, deny *Set // nil where it says nothing
	digest      [sha256.Size]byte
}

// UnmarshalConfig reads a list of those who may call, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Map {
		type section Config
		n.Decode((*section)(c))
	} else {
		c.Pos = n.Pos()
		c.bare(n)
	}
	l := level{at: c.At, allow: setOf(c.Allow), deny: setOf(c.Deny)}
	l.digest = sha256.Sum256(fmt.Append(nil, prefixes(c.Allow), prefixes(c.Deny)))
	c.levels = []level{l}
}

// bare reads what stands for allow alone: one list or several.
func (c *Config) bare(n *config.Node) {
	if n.Kind() == config.List {
		n.Decode(&c.Allow)
		return
	}
	c.Allow = make([]List, 1)
	n.Decode(&c.Allow[0])
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if len(c.Allow)+len(c.Deny) == 0 {
		r.Errorf(c.Pos, "nobody is allowed or denied: write allow, deny, or allow: any")
	}
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	type section Config
	list := config.SchemaOf(List{})
	return &config.Schema{AnyOf: []*config.Schema{list, {Type: "array", Items: list}, config.SchemaOf(section{})}}
}

// Over returns c within base: whom the nearest level allows, and whom none
// denies. Either may be nil.
func (c *Config) Over(base *Config) *Config {
	switch {
	case c == nil:
		return base
	case base == nil:
		return c
	}
	merged := *c
	merged.levels = append(c.levels[:len(c.levels):len(c.levels)], base.levels...)
	return &merged
}

// Digest tells configurations apart that mean something else. It is cheap,
// however long the lists.
func (c *Config) Digest() string {
	if c == nil {
		return ""
	}
	var b strings.Builder
	for _, l := range c.levels {
		b.Write(l.digest[:])
	}
	return b.String()
}

// List is one item of allow or deny: an address, a prefix, a file of them, or
// any.
type List struct {
	Prefixes []netip.Prefix
}

// UnmarshalConfig reads one of the forms.
func (l *List) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Map {
		var long struct {
			File config.File `yaml:"file,required"`
		}
		if n.Decode(&long) {
			l.read(n, long.File)
		}
		return
	}
	if text, _ := n.Text(); text == "any" {
		l.Prefixes = everything()
		return
	}
	var p config.Prefix
	if n.Decode(&p) {
		l.Prefixes = []netip.Prefix{p.Prefix}
	}
}

// read reads a file with one address or prefix on each line; # begins a remark.
func (l *List) read(n *config.Node, f config.File) {
	number := 0
	for line := range strings.Lines(string(f.Content)) {
		number++
		text, _, _ := strings.Cut(line, "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		var p config.Prefix
		if err := p.UnmarshalText([]byte(text)); err != nil {
			n.Errorf("%s, line %d: %v", f.Path, number, err)
			return
		}
		l.Prefixes = append(l.Prefixes, p.Prefix)
	}
}

// ConfigSchema implements config.Schemer.
func (List) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Enum: []any{"any"}},
		config.Prefix{}.ConfigSchema(),
		{
			Type: "object", Required: []string{"file"}, AdditionalProperties: false,
			Properties: map[string]*config.Schema{"file": {Type: "string", Description: "a file with one address or prefix on each line; # begins a remark"}},
		},
	}}
}

func everything() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
}

func prefixes(lists []List) (out []netip.Prefix) {
	for _, l := range lists {
		out = append(out, l.Prefixes...)
	}
	return out
}

// setOf returns nil for no list at all; a list without addresses is a set
// without.
func setOf(lists []List) *Set {
	if len(lists) == 0 {
		return nil
	}
	return NewSet(prefixes(lists))
}
