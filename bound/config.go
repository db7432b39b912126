package bound

import "gatehouse/config"

// Config is the limits section of a route, a stage or an API.
type Config struct {
	config.At
	Body       *config.Size `yaml:"body" range:"1.." doc:"largest body; default: that of the stage, the API or the listener"`
	Header     *config.Size `yaml:"header" range:"256..1MiB" doc:"largest headers together; default: the listener's limit"`
	Headers    *int         `yaml:"headers" range:"1..10000" doc:"most header fields"`
	Concurrent *int         `yaml:"concurrent" range:"1..1000000" doc:"requests of the route that may be under way at once; further ones get 503"`
}

// Over returns c with the keys that it leaves open taken from base. Either may
// be nil.
func (c *Config) Over(base *Config) *Config {
	if c == nil {
		return base
	}
	if base == nil {
		return c
	}
	merged := *c
	if merged.Body == nil {
		merged.Body = base.Body
	}
	if merged.Header == nil {
		merged.Header = base.Header
	}
	if merged.Headers == nil {
		merged.Headers = base.Headers
	}
	if merged.Concurrent == nil {
		merged.Concurrent = base.Concurrent
	}
	return &merged
}

// Largest returns the largest body in bytes; 0 where c does not say.
func (c *Config) Largest() int64 {
	if c == nil || c.Body == nil {
		return 0
	}
	return int64(*c.Body)
}
