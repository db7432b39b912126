package throttle

import (
	"fmt"

	"gatehouse/config"
	"gatehouse/limit"
)

// Per is whom a throttle counts together.
type Per string

// The callers that a throttle can tell apart.
const (
	Route     Per = "route"     // everybody: one bucket for the level that says the throttle
	IP        Per = "ip"        // each client address; IPv6 by /64
	Principal Per = "principal" // each authenticated caller; strangers by address
	APIKey    Per = "api-key"   // each API key; requests without one by address
)

// Config is one throttle. A rate alone, "10/s", is one too.
type Config struct {
	config.At
	Rate  limit.Rate `yaml:"rate,required" doc:"how often: 10/s, 600/m, 1000/h, 5/d"`
	Burst int        `yaml:"burst" range:"1..1073741824" doc:"requests that may come at once; default: the rate a second, rounded up"`
	Per   Per        `yaml:"per" default:"route" enum:"route|ip|principal|api-key" doc:"whom to count together: route (everybody), ip (each address; IPv6 by /64), principal (each authenticated caller), api-key (each API key)"`
}

// UnmarshalConfig reads a rate alone, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		n.Decode(&c.Rate)
		return
	}
	type section Config
	n.Decode((*section)(c))
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	type section Config
	return &config.Schema{AnyOf: []*config.Schema{limit.Rate{}.ConfigSchema(), config.SchemaOf(section{})}}
}

// BurstOrDefault returns the burst that the throttle has.
func (c Config) BurstOrDefault() int {
	if c.Burst > 0 {
		return c.Burst
	}
	return c.Rate.DefaultBurst()
}

// String says the throttle in words: "10/s burst 20 per principal".
func (c Config) String() string {
	return fmt.Sprintf("%v burst %d per %s", c.Rate, c.BurstOrDefault(), c.Per)
}
