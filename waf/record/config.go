package record

import (
	"gatehouse/config"
	"gatehouse/waf/redact"
)

// Config is where a web ACL writes what it made of requests, and what it keeps
// to itself.
type Config struct {
	config.At
	File     config.Path `yaml:"file,required" doc:"the file, one JSON object a line, as AWS WAF's logs"`
	Requests string      `yaml:"requests" default:"all" enum:"all|matched|blocked" doc:"which requests: all, those that some rule matched, or those that were blocked or challenged"`
	Redact   Redact      `yaml:"redact" doc:"what is written as REDACTED, beside what looks like a credential"`
}

// Redact names what is not written.
type Redact struct {
	Headers   []string `yaml:"headers" single:"true" doc:"headers by their names"`
	Cookies   []string `yaml:"cookies" single:"true" doc:"cookies whose names are not written either; no cookie's value is"`
	Arguments []string `yaml:"arguments" single:"true" doc:"arguments by their names, in queries and in what rules found"`
	Fields    []Field  `yaml:"fields" single:"true" doc:"uri, query, method or body as a whole"`
}

// Field is a field that is not written.
type Field string

// UnmarshalConfig reads a field's name.
func (f *Field) UnmarshalConfig(n *config.Node) {
	text, _ := n.Text()
	switch text {
	case "uri", "query", "method", "body":
		*f = Field(text)
	default:
		n.Unknown("field", text, fieldNames())
	}
}

func fieldNames() []string { return []string{"uri", "query", "method", "body"} }

// ConfigSchema implements config.Schemer.
func (Field) ConfigSchema() *config.Schema {
	s := &config.Schema{Type: "string"}
	for _, name := range fieldNames() {
		s.Enum = append(s.Enum, name)
	}
	return s
}

// Hidden returns what is redacted.
func (c *Config) Hidden() *redact.Fields {
	f := &redact.Fields{Headers: c.Redact.Headers, Cookies: c.Redact.Cookies, Arguments: c.Redact.Arguments}
	for _, name := range c.Redact.Fields {
		switch name {
		case "uri":
			f.URI = true
		case "query":
			f.Query = true
		case "method":
			f.Method = true
		case "body":
			f.Body = true
		}
	}
	return f
}
