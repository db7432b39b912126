package canary

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gatehouse/config"
)

// Config says which requests go to the canary, and what is different there
// beside its target.
type Config struct {
	config.At
	Weight    *float64          `yaml:"weight" range:"0..100" doc:"percent of the requests that go to the canary"`
	Header    map[string]string `yaml:"header" doc:"headers by which a request asks for the canary, with these values; * for any; with the value never it stays away from it"`
	Cookie    Cookie            `yaml:"cookie" doc:"cookie by which a client asks for the canary: NAME, with the value always, or {NAME: VALUE}; with the value never it stays away from it"`
	Sticky    Sticky            `yaml:"sticky" doc:"whose requests all go the same way: principal (strangers by address), client (the address; IPv6 by /64) or cookie:NAME (without it, the address); default: each request for itself"`
	Variables map[string]string `yaml:"variables" doc:"stage variables of the canary, in place of the stage's of the same names"`
}

// never is the value by which a client stays away from the canary.
const never = "never"

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Weight == nil && len(c.Header) == 0 && c.Cookie.Name == "" {
		r.Errorf(c.Pos, "nothing leads to the canary: write weight, header or cookie")
	}
	if c.Sticky.By != "" && c.Weight == nil {
		r.Errorf(c.Of("sticky"), "sticky is for a share of the clients: write weight, too")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		if value := c.Header[name]; value == never || value == "" {
			r.Errorf(c.Of("header"), "the value %q cannot ask for the canary: write another, or * for any", value)
		}
	}
}

// Cookie is the cookie by which a client asks for the canary.
type Cookie struct{ Name, Value string }

// UnmarshalConfig reads NAME or {NAME: VALUE}.
func (c *Cookie) UnmarshalConfig(n *config.Node) {
	c.Value = "always"
	text, ok := n.Text()
	if n.Kind() == config.Map {
		n.Each(func(name string, _ config.Pos, value *config.Node) {
			ok = c.Name == "" && value.Decode(&c.Value)
			c.Name = name
		})
		text = c.Name
	}
	c.Name = text
	if !ok || !isCookieName(c.Name) || c.Value == never || c.Value == "" {
		n.Errorf("write the cookie's name, or {NAME: VALUE}; the value never is for staying away")
	}
}

// ConfigSchema implements config.Schemer.
func (Cookie) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Examples: []any{"canary"}},
		{Type: "object", MinProperties: 1, AdditionalProperties: config.SchemaOf("")},
	}}
}

// Sticky is whose requests all go the same way.
type Sticky struct {
	By   string // "principal", "client", "cookie"; "" for each request for itself
	Name string // of the cookie
}

// UnmarshalText reads principal, client or cookie:NAME.
func (s *Sticky) UnmarshalText(text []byte) error {
	by, name, named := strings.Cut(string(text), ":")
	switch {
	case (by == "principal" || by == "client") && !named:
	case by == "cookie" && isCookieName(name):
	default:
		return errors.New("is nobody: write principal, client or cookie:NAME")
	}
	s.By, s.Name = by, name
	return nil
}

// ConfigSchema implements config.Schemer.
func (Sticky) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: "^(principal|client|cookie:.+)$"}
}

func isCookieName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Within returns the stage's variables as the canary sees them.
func (c *Config) Within(stage map[string]string) map[string]string {
	if len(c.Variables) == 0 {
		return stage
	}
	out := maps.Clone(stage)
	if out == nil {
		out = make(map[string]string, len(c.Variables))
	}
	maps.Copy(out, c.Variables)
	return out
}

// wants are the headers that ask for the canary, with the names as a request
// has them.
func (c *Config) wants() map[string]string {
	out := make(map[string]string, len(c.Header))
	for name, value := range c.Header {
		out[http.CanonicalHeaderKey(name)] = value
	}
	return out
}
