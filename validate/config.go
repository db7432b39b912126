package validate

import "gatehouse/config"

// Config says what of requests is checked.
type Config struct {
	config.At
	Off        bool        // validate: false
	Parameters bool        `yaml:"parameters" default:"true" doc:"whether parameters are checked: path, query, headers and cookies"`
	Body       bool        `yaml:"body" default:"true" doc:"whether bodies are checked"`
	Strict     bool        `yaml:"strict" default:"false" doc:"whether query parameters that the definition does not name are refused"`
	Details    bool        `yaml:"details" default:"false" doc:"whether the answer says what is wrong, and where; the access log always does"`
	Limit      config.Size `yaml:"limit" default:"1MiB" range:"1..64MiB" doc:"largest body that is checked; larger ones are refused"`
	Depth      int         `yaml:"depth" default:"64" range:"1..1000" doc:"how deep arrays and objects of a body may nest"`
	Values     int         `yaml:"values" default:"100000" range:"1..10000000" doc:"how many values and names of members a body may have"`
}

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
		c.Off = !c.Parameters && !c.Body
	default:
		n.Errorf("write true, false, or what is checked: its keys are parameters, body, strict, details, limit, depth and values")
	}
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	type section Config
	return &config.Schema{AnyOf: []*config.Schema{{Type: "boolean"}, config.SchemaOf(section{})}}
}

// Wanted reports whether anything is checked. A nil c checks nothing.
func (c *Config) Wanted() bool { return c != nil && !c.Off }
