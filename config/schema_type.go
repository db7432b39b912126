package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// schemaOf returns what the decoder takes for a t with rules.
func schemaOf(t reflect.Type, r rules) *Schema {
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), r)
	case isBuiltin(t):
		return textSchema(r)
	case implements[Schemer](t), isSection(t) && t.Name() != "":
		return refTo(t)
	case implements[Unmarshaler](t):
		return &Schema{}
	case isText(t):
		return textSchema(r)
	}
	return kindSchema(t, r)
}

func kindSchema(t reflect.Type, r rules) *Schema {
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t)
	case reflect.Map:
		s := &Schema{Type: "object", also: []string{"null"}, AdditionalProperties: schemaOf(t.Elem(), r)}
		if t.Key().Kind() == reflect.String && !isText(t.Key()) {
			s.PropertyNames = &Schema{Pattern: `^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`}
		}
		return s
	case reflect.Slice:
		single := r.single
		r.single = false
		s := &Schema{Type: "array", also: []string{"null"}, Items: schemaOf(t.Elem(), r)}
		if single {
			return &Schema{AnyOf: []*Schema{s, schemaOf(t.Elem(), r)}}
		}
		return s
	case reflect.Interface:
		return &Schema{}
	case reflect.String:
		return textSchema(r)
	case reflect.Bool:
		return orReference(&Schema{Type: "boolean"})
	}
	return orReference(numberSchema(t, r))
}

// textSchema takes every scalar, as the decoder does: an account may be
// written without quotes.
func textSchema(r rules) *Schema {
	if len(r.enum) == 0 {
		return &Schema{Type: "string", also: []string{"number", "boolean"}}
	}
	s := &Schema{}
	for _, name := range r.enum {
		s.Enum = append(s.Enum, name)
		if read := plainScalar(name); read != name {
			s.Enum = append(s.Enum, read)
		}
	}
	return orReference(s)
}

func numberSchema(t reflect.Type, r rules) *Schema {
	s := &Schema{Type: "integer"}
	v := reflect.New(t).Elem()
	switch {
	case v.CanFloat():
		s.Type = "number"
	case v.CanInt() && t.Bits() < 64:
		s.Minimum, s.Maximum = new(-math.Ldexp(1, t.Bits()-1)), new(math.Ldexp(1, t.Bits()-1)-1)
	case v.CanUint():
		s.Minimum = new(0.0)
		if t.Bits() < 64 {
			s.Maximum = new(math.Ldexp(1, t.Bits()) - 1)
		}
	}
	if r.limits != nil {
		s.Minimum = cmp.Or(bound(t, r.limits.low), s.Minimum)
		s.Maximum = cmp.Or(bound(t, r.limits.high), s.Maximum)
	}
	return s
}

// bound returns a bound of a range, or nil where that side is open.
func bound(t reflect.Type, text string) *float64 {
	if text == "" {
		return nil
	}
	v := reflect.New(t).Elem()
	if !setBound(v, text) {
		panic(fmt.Sprintf("config: %q is no bound of a %v", text, t))
	}
	switch {
	case v.CanInt():
		return new(float64(v.Int()))
	case v.CanUint():
		return new(float64(v.Uint()))
	}
	return new(v.Float())
}

const referenceDef = "reference"

// referenceSchema takes a text whose value is not known before the start.
func referenceSchema() *Schema {
	return &Schema{Type: "string", Pattern: `\$\{(env|file):[^}]+\}`, Description: "a reference, such as ${env:NAME} or ${file:PATH}"}
}

// orReference lets a reference stand for a scalar.
func orReference(s *Schema) *Schema {
	return &Schema{AnyOf: []*Schema{s, {Ref: "#/$defs/" + referenceDef}}}
}

// takesScalar reports whether s takes some scalar, in the place of which a
// reference can stand.
func takesScalar(s *Schema) bool {
	switch s.Type {
	case "string", "integer", "number", "boolean":
		return true
	}
	return len(s.Enum) > 0 || s.Pattern != "" || slices.ContainsFunc(s.AnyOf, takesScalar)
}

// refTo returns a reference to t's definition.
func refTo(t reflect.Type) *Schema {
	return &Schema{Ref: "#/$defs/" + defName(t), of: t}
}

// definition returns what a reference to t stands for.
func definition(t reflect.Type) *Schema {
	if !implements[Schemer](t) {
		return structSchema(t)
	}
	s := reflect.New(t).Interface().(Schemer).ConfigSchema()
	if takesScalar(s) {
		return orReference(s)
	}
	return s
}

// structSchema returns what the tags of a struct say.
func structSchema(t reflect.Type) *Schema {
	s := &Schema{Type: "object", Properties: make(map[string]*Schema), AdditionalProperties: false}
	for _, f := range newPlan(t).fields {
		p := schemaOf(f.typ, f.rules)
		p.Description = f.doc
		if f.hasDefault {
			p.Default = f.defaultData()
		}
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		s.Properties[f.name] = p
	}
	if len(s.Required) == 0 {
		s.also = []string{"null"}
	}
	return s
}

// defaultData returns a default as the schema shows it.
func (f *field) defaultData() any {
	one := func(t reflect.Type, text string) any {
		switch indirect(t).Kind() {
		case reflect.String, reflect.Struct:
			return text
		}
		return plainScalar(text)
	}
	t := indirect(f.typ)
	if t.Kind() != reflect.Slice || isText(t) || implements[Unmarshaler](t) {
		return one(t, f.def)
	}
	items := []any{}
	for item := range strings.SplitSeq(f.def, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, one(t.Elem(), item))
		}
	}
	return items
}

// defName names t's definition: package and type, in the characters that need
// no escape in a reference.
func defName(t reflect.Type) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, t.String())
}
