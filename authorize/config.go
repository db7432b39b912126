package authorize

import (
	"slices"

	"gatehouse/config"
)

// Config says who may call: nobody needs a credential (none), or callers whom
// one of the authorizers knows, with the scopes that are wanted.
type Config struct {
	config.At
	None      bool          // published: everybody may call
	Any       []config.Name // authorizers, in order; the first whose credential is present decides
	Scopes    []string      // at least one of these, as API Gateway has it; none: any caller
	AllScopes []string      // and every one of these
}

// section is the long form.
type section struct {
	config.At
	Any       []config.Name `yaml:"any" single:"true" doc:"authorizers, in order: the first whose credential is present decides; default: those of the API"`
	Scopes    []string      `yaml:"scopes" single:"true" doc:"the caller must have at least one of these scopes"`
	AllScopes []string      `yaml:"all-scopes" single:"true" doc:"the caller must have every one of these scopes"`
}

// UnmarshalConfig reads none, a name, a list of names, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	var s section
	switch n.Kind() {
	case config.Scalar:
		text, ok := n.Text()
		if ok && text == "none" {
			c.None = true
			return
		}
		s.Any = make([]config.Name, 1)
		n.Decode(&s.Any[0])
	case config.List:
		n.Decode(&s.Any)
	case config.Map:
		n.Decode(&s)
	default:
		n.Errorf("say who may call: an authorizer's name, or none to publish the route")
		return
	}
	c.Any, c.Scopes, c.AllScopes = s.Any, s.Scopes, s.AllScopes
	c.checkForm(n)
}

func (c *Config) checkForm(n *config.Node) {
	for i, name := range c.Any {
		if name.Value == "none" {
			n.Errorf("none stands alone: a route is published, or it has authorizers")
			return
		}
		if slices.ContainsFunc(c.Any[:i], func(o config.Name) bool { return o.Value == name.Value }) {
			n.Errorf("the authorizer %q is named twice", name.Value)
		}
	}
	if len(c.Any) == 0 && !c.WantsScopes() {
		n.Errorf("say who may call: an authorizer's name, or none to publish the route")
	}
	for _, scope := range slices.Concat(c.Scopes, c.AllScopes) {
		if !isScope(scope) {
			n.Errorf("%q is no scope: scopes have no spaces, quotes or backslashes", scope)
		}
	}
}

// isScope reports a scope-token of RFC 6749 section 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	names := &config.Schema{Type: "string", Description: "an authorizer, or none to publish the route", Examples: []any{"none", "customers"}}
	return &config.Schema{AnyOf: []*config.Schema{names, {Type: "array", Items: names}, config.SchemaOf(section{})}}
}

// WantsScopes reports whether callers need scopes.
func (c *Config) WantsScopes() bool { return len(c.Scopes)+len(c.AllScopes) > 0 }

// Over returns c with the authorizers of base where c says scopes alone: a
// route may ask for more than its API without naming the authorizers again.
// Where c is nil it is base, and either may be nil.
func (c *Config) Over(base *Config) *Config {
	if c == nil || base == nil {
		if c == nil {
			return base
		}
		return c
	}
	if c.None || len(c.Any) > 0 {
		return c
	}
	merged := *c
	merged.Any = base.Any
	return &merged
}

// CheckNames reports authorizers that are not among known. A nil c names none.
func (c *Config) CheckNames(r *config.Report, known []string) {
	if c == nil {
		return
	}
	for _, name := range c.Any {
		if !slices.Contains(known, name.Value) {
			r.Unknown(name.At, "authorizer", name.Value, known)
		}
	}
}

// Check reports what is wrong with what Over returned for a route that stands
// at a place: a route must say who may call it, authorizers must be among
// known, and scopes need an authorizer.
func Check(r *config.Report, at config.Pos, c *Config, known []string) {
	if c == nil {
		r.Errorf(at, "nobody says who may call this: write authorize: NAME with an authorizer, or authorize: none to publish it")
		return
	}
	c.CheckNames(r, known)
	if len(c.Any) == 0 && c.WantsScopes() {
		r.Errorf(c.Pos, "scopes without an authorizer: say under any whose callers must have them")
	}
}
