package api

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/config"
)

// Match is which requests a route takes: METHOD PATH alone, or a section that
// narrows it.
type Match struct {
	config.At
	Route   string               `yaml:"route,required" doc:"METHOD PATH: GET, several by commas, or ANY; {name} one segment, {name+} one or more at the end, {name*} none or more"`
	Headers map[string]string    `yaml:"headers" doc:"headers that a request must have, with these values; * for any"`
	Query   map[Parameter]string `yaml:"query" doc:"query parameters that a request must have, with these values; * for any"`
}

// Parameter is the name of a query parameter, decoded: filter[status], $top.
type Parameter string

// UnmarshalText takes every name but the empty one.
func (p *Parameter) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return textError("is no name of a query parameter")
	}
	*p = Parameter(text)
	return nil
}

// Parameters returns the query by name.
func (m Match) Parameters() map[string]string {
	out := make(map[string]string, len(m.Query))
	for name, value := range m.Query {
		out[string(name)] = value
	}
	return out
}

// Conditions says in one line what narrows the match: "x-version=2 ?beta=*", in
// an order of its own; "" where nothing does.
func (m Match) Conditions() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		out = append(out, strings.ToLower(name)+"="+m.Headers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.Query)) {
		out = append(out, "?"+string(name)+"="+m.Query[name])
	}
	return strings.Join(out, " ")
}

// UnmarshalConfig reads the short form and the long one.
func (m *Match) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		m.Route, _ = n.Text()
		m.Pos = n.Pos()
		return
	}
	type section Match
	n.Decode((*section)(m))
}

// ConfigSchema implements config.Schemer.
func (Match) ConfigSchema() *config.Schema {
	type section Match
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Examples: []any{"GET /orders/{id}", "ANY /public/{proxy*}"}},
		config.SchemaOf(section{}),
	}}
}
