package compress

import (
	"slices"

	"gatehouse/config"
)

// Config says which answers are compressed, and how.
type Config struct {
	config.At
	Off        bool        // compress: false
	Algorithms []Algorithm `yaml:"algorithms" default:"zstd,gzip,br" enum:"zstd|br|gzip" single:"true" doc:"codings in order of liking: clients choose among them, and the first decides between those that a client likes equally"`
	Level      Level       `yaml:"level" default:"default" enum:"fast|default|best" doc:"how much time and memory to spend on size"`
	MinSize    config.Size `yaml:"min-size" default:"1KiB" range:"0..1MiB" doc:"answers below this stay plain"`
	Types      []Type      `yaml:"types" default:"default" single:"true" doc:"media types to compress: application/json, text/*, *+json, and default for all that are compressed by default; text/event-stream only where it is written out"`
	CrossSite  bool        `yaml:"cross-site" doc:"whether to compress also what pages of other sites ask for with the reader's cookies: lets them guess secrets where answers repeat what was asked (BREACH)"`
}

// Algorithm is a coding's name: zstd, br or gzip.
type Algorithm string

// Level is how much time and memory to spend on size.
type Level string

// The levels.
const (
	Fast    Level = "fast"
	Default Level = "default"
	Best    Level = "best"
)

// UnmarshalConfig reads true, false, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	switch n.Kind() {
	case config.Scalar:
		on := true
		n.Decode(&on)
		c.Off = !on
	case config.Map:
		type section Config
		n.Decode((*section)(c))
	default:
		n.Errorf("write true, false, or how to compress: its keys are algorithms, level, min-size, types and cross-site")
	}
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	type section Config
	return &config.Schema{AnyOf: []*config.Schema{{Type: "boolean"}, config.SchemaOf(section{})}}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Off {
		return
	}
	if len(c.Algorithms) == 0 {
		r.Errorf(c.Of("algorithms"), "no algorithm is left to compress with: name one, or write compress: false")
	}
	for i, a := range c.Algorithms {
		if slices.Contains(c.Algorithms[:i], a) {
			r.Errorf(c.Of("algorithms"), "%s is there twice", a)
		}
	}
	if len(c.Types) == 0 {
		r.Errorf(c.Of("types"), "no media type is left to compress: name one, or write compress: false")
	}
}
