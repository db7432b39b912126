package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// plan is what the tags of a struct type say.
type plan struct {
	fields []*field
	names  []string
	byName map[string]*field
	places [][]int // the At fields, to be filled in
	key    []int   // the field that takes the map key, or nil
	checks [][]int // inlined sections that check themselves
}

// field is one key of a section.
type field struct {
	name       string
	index      []int
	typ        reflect.Type
	doc        string
	def        string
	hasDefault bool
	required   bool
	rules
}

// plan returns the plan of a struct type. Tags that contradict themselves are
// bugs of the section, hence panics: the first test that decodes it shows them.
func (d *decoder) plan(t reflect.Type) *plan {
	p := d.plans[t]
	if p == nil {
		p = newPlan(t)
		d.plans[t] = p
	}
	return p
}

func newPlan(t reflect.Type) *plan {
	p := &plan{byName: make(map[string]*field)}
	p.add(t, nil, implements[Checker](t))
	return p
}

func (p *plan) add(t reflect.Type, index []int, checked bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Anonymous && f.Type == reflect.TypeFor[At]():
			p.places = append(p.places, at)
		case f.Tag.Get("key") == "true":
			if f.Type.Kind() != reflect.String || !f.IsExported() {
				panic(fmt.Sprintf("config: %s.%s: a map key goes into an exported string", t, f.Name))
			}
			p.key = at
		case hasOption(options, "inline"):
			p.inline(t, f, at, checked)
		case name != "" && name != "-" && f.IsExported():
			p.field(t, f, at, name, options)
		}
	}
}

func (p *plan) inline(t reflect.Type, f reflect.StructField, at []int, checked bool) {
	if f.Type.Kind() != reflect.Struct || !f.IsExported() {
		panic(fmt.Sprintf("config: %s.%s: only an exported struct can be inlined", t, f.Name))
	}
	own := implements[Checker](f.Type)
	p.add(f.Type, at, checked || own)
	// What is embedded lends its Check to the outer struct: once is enough.
	if own && !(f.Anonymous && checked) {
		p.checks = append(p.checks, at)
	}
}

func (p *plan) field(t reflect.Type, f reflect.StructField, at []int, name, options string) {
	if p.byName[name] != nil {
		panic(fmt.Sprintf("config: %s.%s: the key %q is taken", t, f.Name, name))
	}
	out := &field{name: name, index: at, typ: f.Type, doc: f.Tag.Get("doc"), required: hasOption(options, "required")}
	out.def, out.hasDefault = f.Tag.Lookup("default")
	out.rules = newRules(t, f)
	p.fields = append(p.fields, out)
	p.names = append(p.names, name)
	p.byName[name] = out
}

// newRules reads the tags that bound a field, and holds them to its type.
func newRules(t reflect.Type, f reflect.StructField) rules {
	r := rules{single: f.Tag.Get("single") == "true"}
	of := elem(f.Type)
	if enum := f.Tag.Get("enum"); enum != "" {
		r.enum = strings.Split(enum, "|")
	}
	if bounds := f.Tag.Get("range"); bounds != "" {
		low, high, ok := strings.Cut(bounds, "..")
		if !ok || !isBound(of, low) || !isBound(of, high) {
			panic(fmt.Sprintf("config: %s.%s: %q is no range of a %v", t, f.Name, bounds, of))
		}
		r.limits = &limits{low, high}
	}
	if (r.enum != nil || r.limits != nil) && (of.Kind() == reflect.Struct && !isText(of) && !isBuiltin(of) || implements[Unmarshaler](of)) {
		panic(fmt.Sprintf("config: %s.%s: a %v has neither enum nor range", t, f.Name, of))
	}
	return r
}

func hasOption(options, want string) bool {
	return slices.Contains(strings.Split(options, ","), want)
}

// implements reports whether *t is a T.
func implements[T any](t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[T]())
}

// isText reports whether a value of type t is always one scalar with a form of
// its own.
func isText(t reflect.Type) bool { return implements[encoding.TextUnmarshaler](t) }

// isSection reports whether t is read key by key.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isBuiltin(t) && !isText(t) && !implements[Unmarshaler](t)
}

// isBuiltin reports whether t is one of this package's scalars that need to
// know where they stand.
func isBuiltin(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Name](), reflect.TypeFor[Template](), reflect.TypeFor[Path](), reflect.TypeFor[File](), reflect.TypeFor[Secret]():
		return true
	}
	return false
}
