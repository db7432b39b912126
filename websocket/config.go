package websocket

import (
	"slices"
	"time"

	"gatehouse/config"
	"gatehouse/origin"
)

// Config says which WebSockets a route takes, and for how long.
type Config struct {
	config.At
	Off       bool            // websocket: false
	Origins   []origin.Origin `yaml:"origins" single:"true" doc:"pages that may open one beside those of the same host, in place of the origins of cors: https://shop.test, https://*.shop.test, http://localhost:*, null, or * for every page"`
	MaxAge    config.Duration `yaml:"max-age" default:"24h" range:"1s..30d" doc:"how long one may stay open"`
	Idle      config.Duration `yaml:"idle-timeout" default:"10m" range:"1s..7d" doc:"how long nothing may pass in either direction, pings included"`
	PerCaller int             `yaml:"per-principal" default:"100" range:"1..1000000" doc:"how many one principal, or the address of a stranger, may have open at once through the whole gateway"`
	WithToken bool            `yaml:"end-with-token" doc:"whether one ends when the token by which it was opened expires"`
}

// Default returns what holds where nothing is said; a test holds it and the
// tags together.
func Default() *Config {
	return &Config{MaxAge: config.Duration(24 * time.Hour), Idle: config.Duration(10 * time.Minute), PerCaller: 100}
}

// UnmarshalConfig reads true, false, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	type section Config
	switch n.Kind() {
	case config.Scalar:
		on := true
		n.Decode(&on)
		c.Off = !on
	case config.Map:
		n.Decode((*section)(c))
	default:
		n.Errorf("write true, false, or which WebSockets may be opened: its keys are origins, max-age, idle-timeout, per-principal and end-with-token")
	}
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	type section Config
	return &config.Schema{AnyOf: []*config.Schema{{Type: "boolean"}, config.SchemaOf(section{})}}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if len(c.Origins) > 1 && slices.Contains(c.Origins, "*") {
		r.Errorf(c.Of("origins"), "* stands for every origin: remove it or the others")
	}
}
