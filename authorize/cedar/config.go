// Package cedar decides by Cedar policies what callers may do: one place for the
// permissions of an API.
package cedar

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/config"
)

// Config is the Cedar policies of an API, and what they may ask about.
type Config struct {
	config.At
	Policies []config.File
	Claims   map[string]Type // of callers, by name
	Groups   string          // the claim that names a caller's groups; "" for none
	Body     map[string]Type // of JSON bodies, by name; none: bodies are not read
	Limit    config.Size     // the largest body that is read
}

// section is the long form.
type section struct {
	config.At
	Policies []config.File   `yaml:"policies,required" single:"true" doc:"files with Cedar policies"`
	Claims   map[string]Type `yaml:"claims" doc:"claims that policies may ask about, as principal.claims, by name: string, long, bool or set"`
	Groups   string          `yaml:"groups" doc:"the claim that lists a caller's groups, which policies know as Group::\"NAME\""`
	Body     map[string]Type `yaml:"body" doc:"members of a JSON body that policies may ask about, as context.body, by name: string, long, bool or set"`
	Limit    config.Size     `yaml:"body-limit" default:"64KiB" range:"1..10MiB" doc:"the largest body that is read for it; larger ones are 413"`
}

// Type is the type of a claim, or of a member of a body.
type Type string

// typeNames are all types with their names in a schema.
func typeNames() map[string]string {
	return map[string]string{"string": "String", "long": "Long", "bool": "Bool", "set": "Set<String>"}
}

// UnmarshalConfig reads a type's name.
func (t *Type) UnmarshalConfig(n *config.Node) {
	text, _ := n.Text()
	if typeNames()[text] == "" {
		n.Unknown("type", text, slices.Sorted(maps.Keys(typeNames())))
		return
	}
	*t = Type(text)
}

// ConfigSchema implements config.Schemer.
func (Type) ConfigSchema() *config.Schema {
	s := &config.Schema{Type: "string"}
	for _, name := range slices.Sorted(maps.Keys(typeNames())) {
		s.Enum = append(s.Enum, name)
	}
	return s
}

// UnmarshalConfig reads a file, a list of files, or a section.
func (c *Config) UnmarshalConfig(n *config.Node) {
	s := section{Limit: 64 << 10}
	switch n.Kind() {
	case config.Map:
		n.Decode(&s)
	case config.Scalar:
		s.Policies = make([]config.File, 1)
		n.Decode(&s.Policies[0])
	default:
		n.Decode(&s.Policies)
	}
	c.Policies, c.Claims, c.Groups, c.Body, c.Limit = s.Policies, s.Claims, s.Groups, s.Body, s.Limit
	if len(c.Policies) == 0 {
		n.Errorf("name at least one file with Cedar policies")
	}
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	file := &config.Schema{Type: "string", Description: "a file with Cedar policies", Examples: []any{"policies/shop.cedar"}}
	return &config.Schema{AnyOf: []*config.Schema{file, {Type: "array", Items: file}, config.SchemaOf(section{})}}
}

// Action is one route, as policies know it.
type Action struct {
	Name   string   // METHOD PATH as written
	Params []string // of the path
	Reads  bool     // it changes nothing: GET, HEAD, OPTIONS
	Writes bool     // it does nothing else
}

// Schema returns the Cedar schema of an API with these routes: what its policies are
// held against.
func (c *Config) Schema(actions []Action) string {
	var b strings.Builder
	b.WriteString("entity Group;\nentity API;\n")
	b.WriteString("entity Caller in [Group] {\n\tkind: String, issuer: String, subject: String, scopes: Set<String>,\n\tclaims: {" + record(c.Claims) + "}\n};\n")
	b.WriteString("entity Resource in [API] { api: String, stage: String, path: String };\n")
	b.WriteString("action \"read\", \"write\";\n")
	for _, a := range actions {
		in := ""
		switch {
		case a.Reads:
			in = ` in ["read"]`
		case a.Writes:
			in = ` in ["write"]`
		}
		var params []string
		for _, p := range a.Params {
			params = append(params, quoted(p)+": String")
		}
		b.WriteString("action " + quoted(a.Name) + in + " appliesTo {\n\tprincipal: [Caller], resource: [Resource],\n\tcontext: { parameters: {" + strings.Join(params, ", ") +
			"}, method: String, host: String, source: ipaddr, secure: Bool, time: datetime")
		if len(c.Body) > 0 {
			b.WriteString(", body?: {" + record(c.Body) + "}")
		}
		b.WriteString(" }\n};\n")
	}
	return b.String()
}

// record writes attributes that may be missing.
func record(members map[string]Type) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		out = append(out, quoted(name)+"?: "+typeNames()[string(members[name])])
	}
	return strings.Join(out, ", ")
}

// quoted writes a text as Cedar does.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u{`)
			b.WriteString(strings.ToLower(string("0123456789abcdef"[r>>4])) + string("0123456789abcdef"[r&15]))
			b.WriteByte('}')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
