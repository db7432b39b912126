package cors

import (
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/origin"
)

// Config says which web pages may call.
type Config struct {
	config.At
	Off         bool            // cors: off
	Origins     []origin.Origin `yaml:"origins,required" doc:"origins of the pages: https://shop.test, https://*.shop.test for all hosts below, http://localhost:* for any port, null, or * for every page"`
	Methods     []Method        `yaml:"methods" doc:"methods that pages may use, or *; default: those of the routes"`
	Headers     []Header        `yaml:"headers" doc:"request headers that pages may send, or *"`
	Expose      []Header        `yaml:"expose" doc:"answer headers that pages may read, or *"`
	Credentials bool            `yaml:"credentials" doc:"whether browsers may send cookies and certificates along"`
	MaxAge      config.Duration `yaml:"max-age" range:"0s..24h" doc:"how long browsers may remember a preflight's answer; default: the browser's own, 5 s"`
}

// UnmarshalConfig reads off, which takes the cors of a level above away, or a
// section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	if text, ok := n.Text(); ok && (text == "off" || text == "false") {
		c.Off = true
		return
	}
	type section Config
	n.Decode((*section)(c))
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	type section Config
	return &config.Schema{AnyOf: []*config.Schema{{Enum: []any{"off", false}}, config.SchemaOf(section{})}}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Off {
		return
	}
	if len(c.Origins) == 0 {
		r.Errorf(c.Of("origins"), "cors without an origin lets no page call: name the pages' origins, or remove cors")
	}
	if slices.Contains(c.Origins, "*") {
		if c.Credentials {
			r.Errorf(c.Of("credentials"), "credentials for the pages of every origin: any page could then act as its reader. Name the origins")
		}
		if len(c.Origins) > 1 {
			r.Errorf(c.Of("origins"), "* stands for every origin: remove it or the others")
		}
	}
	if c.Credentials && slices.Contains(c.Origins, "null") {
		r.Errorf(c.Of("credentials"), "credentials for the origin null: every page can take null on, in a sandboxed frame, and could then act as its reader. Remove null, or credentials")
	}
	if c.Credentials && slices.Contains(c.Expose, "*") {
		r.Errorf(c.Of("expose"), "with credentials browsers take * for the name of a header: name the headers")
	}
	for _, at := range []struct {
		key  string
		many bool
	}{{"methods", len(c.Methods) > 1 && slices.Contains(c.Methods, "*")}, {"headers", len(c.Headers) > 1 && slices.Contains(c.Headers, "*")}, {"expose", len(c.Expose) > 1 && slices.Contains(c.Expose, "*")}} {
		if at.many {
			r.Errorf(c.Of(at.key), "* stands for all: remove it or the others")
		}
	}
}

// Method is a method's name, or "*".
type Method string

// UnmarshalText checks the name.
func (m *Method) UnmarshalText(text []byte) error {
	s := string(text)
	if !isToken(s) {
		return textError("is no method")
	}
	if upper := strings.ToUpper(s); s != upper {
		return textError("is no method: methods are written in capitals, " + upper)
	}
	if s == "ANY" {
		return textError("is no method: write * for every method")
	}
	*m = Method(s)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Method) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"GET", "POST", "*"}}
}

// Header is a header's name, or "*".
type Header string

// UnmarshalText lower-cases and checks the name.
func (h *Header) UnmarshalText(text []byte) error {
	if !isToken(string(text)) {
		return textError("is no name of a header")
	}
	*h = Header(strings.ToLower(string(text)))
	return nil
}

// ConfigSchema implements config.Schemer.
func (Header) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"content-type", "authorization", "*"}}
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

type textError string

func (e textError) Error() string { return string(e) }
