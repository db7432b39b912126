package ipset

import (
	"hash"
	"io"
	"slices"

	"crypto/sha256"

	"gatehouse/config"
)

// Config is one IP set: a list of addresses, prefixes and ranges, or a section with
// addresses and files. It is built as it is read.
type Config struct {
	config.At
	// Sum tells sets apart by what they were made of.
	Sum [sha256.Size]byte
	// set is a function so that nobody who walks through a configuration walks
	// through a million ranges.
	set func() *Set
}

// Set returns the set; the empty one where nothing was read.
func (c Config) Set() *Set {
	if c.set == nil {
		return &Set{}
	}
	return c.set()
}

// section is the long form.
type section struct {
	config.At
	Addresses items `yaml:"addresses" doc:"addresses, prefixes such as 192.0.2.0/24, and ranges such as 192.0.2.1-192.0.2.9"`
	Files     paths `yaml:"files" single:"true" doc:"files with one range a line, or AWS's JSON of an IP set; watched as the configuration is"`
}

// reading is what a set is made of, as it is read.
type reading struct {
	builder Builder
	hash    hash.Hash
}

// UnmarshalConfig reads a list of ranges, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	in := &reading{hash: sha256.New()}
	if n.Kind() != config.Map {
		in.addresses(n)
	} else {
		s := section{Addresses: items{in}, Files: paths{in}}
		n.Decode(&s)
		c.At = s.At
	}
	built := in.builder.Build()
	c.Sum = [sha256.Size]byte(in.hash.Sum(nil))
	c.set = func() *Set { return built }
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{items{}.ConfigSchema(), config.SchemaOf(section{})}}
}

// items is a list of ranges in the configuration itself.
type items struct{ in *reading }

// UnmarshalConfig implements config.Unmarshaler.
func (i items) UnmarshalConfig(n *config.Node) { i.in.addresses(n) }

// ConfigSchema implements config.Schemer.
func (items) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "array", Items: &config.Schema{Type: "string", Examples: []any{"192.0.2.0/24", "2001:db8::/32", "192.0.2.1-192.0.2.9"}}}
}

func (in *reading) addresses(n *config.Node) {
	if n.Kind() != config.List {
		n.Errorf("wanted a list of addresses, or a section with addresses and files")
		return
	}
	n.Each(func(_ string, _ config.Pos, item *config.Node) {
		var text string
		if !item.Decode(&text) {
			return
		}
		in.hash.Write([]byte(text + "\n"))
		if err := in.builder.add(text); err != nil {
			item.Errorf("%v", err)
		}
	})
}

// paths are the files of a set.
type paths struct{ in *reading }

// UnmarshalConfig implements config.Unmarshaler.
func (p paths) UnmarshalConfig(n *config.Node) {
	if n.Kind() != config.List {
		p.in.file(n)
		return
	}
	n.Each(func(_ string, _ config.Pos, item *config.Node) { p.in.file(item) })
}

// ConfigSchema implements config.Schemer.
func (paths) ConfigSchema() *config.Schema {
	file := &config.Schema{Type: "string"}
	return &config.Schema{AnyOf: []*config.Schema{file, {Type: "array", Items: file}}}
}

func (in *reading) file(n *config.Node) {
	n.Stream(MaxFile, func(r io.Reader, fault func(line int, err error)) {
		all := io.TeeReader(r, in.hash)
		for _, f := range in.builder.Read(all) {
			fault(f.Line, f.Err)
		}
	})
	in.hash.Write([]byte{0})
}

// Equal reports whether two sets were made of the same.
func (c Config) Equal(o Config) bool { return slices.Equal(c.Sum[:], o.Sum[:]) }
