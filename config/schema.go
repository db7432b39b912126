package config

import (
	"encoding/json"
	"reflect"
)

// Schema is the part of JSON Schema (2020-12) that configurations need.
type Schema struct {
	Schema               string             `json:"$schema,omitempty"`
	Title                string             `json:"title,omitempty"`
	Type                 string             `json:"type,omitempty"`
	Description          string             `json:"description,omitempty"`
	Default              any                `json:"default,omitempty"`
	Enum                 []any              `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	Examples             []any              `json:"examples,omitempty"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"`
	PropertyNames        *Schema            `json:"propertyNames,omitempty"`
	MinProperties        int                `json:"minProperties,omitempty"`
	Items                *Schema            `json:"items,omitempty"`
	AnyOf                []*Schema          `json:"anyOf,omitempty"`
	Minimum              *float64           `json:"minimum,omitempty"`
	Maximum              *float64           `json:"maximum,omitempty"`
	Ref                  string             `json:"$ref,omitempty"`
	Defs                 map[string]*Schema `json:"$defs,omitempty"`

	of   reflect.Type // what Ref stands for
	also []string     // types besides Type
}

// MarshalJSON writes a type with its alternatives as a list.
func (s *Schema) MarshalJSON() ([]byte, error) {
	type plain Schema
	if len(s.also) == 0 {
		return json.Marshal((*plain)(s))
	}
	return json.Marshal(struct {
		Type []string `json:"type"`
		*plain
	}{append([]string{s.Type}, s.also...), (*plain)(s)})
}

// SchemaOf returns the schema of a Go type by example: SchemaOf(Config{}), for
// the long form in a ConfigSchema. Named types within it stay references,
// whose definitions DocumentSchema gathers; so types may hold themselves.
func SchemaOf(v any) *Schema {
	t := indirect(reflect.TypeOf(v))
	if isSection(t) && !implements[Schemer](t) {
		return structSchema(t)
	}
	return schemaOf(t, rules{})
}

// ReferenceTo returns a reference to the schema of a named Go type by example, for
// what a ConfigSchema would otherwise repeat.
func ReferenceTo(v any) *Schema { return refTo(indirect(reflect.TypeOf(v))) }

// DocumentSchema returns the JSON Schema of a whole configuration, by an
// example of its root, for editors.
func DocumentSchema(root any, title string) []byte {
	g := &gatherer{names: make(map[reflect.Type]string), defs: map[string]*Schema{referenceDef: referenceSchema()}}
	t := indirect(reflect.TypeOf(root))
	s := structSchema(t)
	s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema", title
	g.gather(s)
	s.Defs = g.defs
	// Every part of a Schema can be marshalled, save for what a ConfigSchema
	// puts into its open fields.
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: " + err.Error())
	}
	return append(text, '\n')
}

// gatherer collects the definitions that references stand for.
type gatherer struct {
	names map[reflect.Type]string
	defs  map[string]*Schema
}

// gather points the references in s at definitions, and adds those that are
// missing.
func (g *gatherer) gather(s *Schema) {
	if s == nil {
		return
	}
	if s.of != nil {
		s.Ref = "#/$defs/" + g.define(s.of)
	}
	for _, p := range s.Properties {
		g.gather(p)
	}
	for _, a := range s.AnyOf {
		g.gather(a)
	}
	if more, ok := s.AdditionalProperties.(*Schema); ok {
		g.gather(more)
	}
	g.gather(s.Items)
	g.gather(s.PropertyNames)
}

// define returns the name of t's definition.
func (g *gatherer) define(t reflect.Type) string {
	if name, ok := g.names[t]; ok {
		return name
	}
	name := defName(t)
	for g.defs[name] != nil {
		name += "_"
	}
	g.names[t] = name
	g.defs[name] = &Schema{} // holds the name while the types within are gathered
	s := definition(t)
	g.defs[name] = s
	g.gather(s)
	return name
}
