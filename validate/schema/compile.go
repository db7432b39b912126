package schema

import (
	"errors"
	"regexp"
	"slices"
	"strconv"

	"gatehouse/config"
	"gatehouse/config/tree"
)

// Compiler compiles the schemas of one definition, each once.
type Compiler struct {
	// Legacy says that schemas are those of Swagger 2 and OpenAPI 3.0.
	Legacy bool
	// Resolve returns what a reference stands for that stands in a file.
	Resolve func(from *tree.File, ref string) (*tree.Value, error)
	// Report is where problems go.
	Report *config.Report

	known    map[*tree.Value]*Schema
	patterns map[string]*regexp.Regexp
	refused  map[config.Pos]bool
	digests  map[*tree.Value]*shallow
}

// maxSchemas is how many schemas one definition may come to.
const maxSchemas = 200_000

// Compile returns the schema of v. What is wrong with it is added to the
// report, and the schema then takes what it could not read.
func (c *Compiler) Compile(v *tree.Value) *Schema {
	if c.known == nil {
		c.known = make(map[*tree.Value]*Schema)
		c.patterns = make(map[string]*regexp.Regexp)
		c.refused = make(map[config.Pos]bool)
	}
	return c.schema(v)
}

func (c *Compiler) schema(v *tree.Value) *Schema {
	if s := c.known[v]; s != nil {
		return s
	}
	s := &Schema{}
	c.known[v] = s
	if len(c.known) > maxSchemas {
		c.problem(v.Pos, "the definition has more than %d schemas", maxSchemas)
		return s
	}
	switch {
	case v.Kind == tree.Map:
		c.fill(s, v)
	case v.Kind == tree.Scalar && v.Plain && (v.Text == "true" || v.Text == "false"):
		s.never = v.Text == "false"
	default:
		c.problem(v.Pos, "a schema is a map, true or false, not %v", v.Kind)
	}
	return s
}

// problem reports one thing of one place once: many operations share schemas.
func (c *Compiler) problem(at config.Pos, format string, args ...any) {
	if !c.refused[at] {
		c.refused[at] = true
		c.Report.Errorf(at, format, args...)
	}
}

// fill reads the keywords of v.
func (c *Compiler) fill(s *Schema, v *tree.Value) {
	if ref := find(v, "$ref"); ref != nil {
		to, err := c.Resolve(ref.File, ref.Text)
		if err != nil {
			c.problem(ref.Pos, "$ref %q: %v", tree.Shorten(ref.Text), err)
			return
		}
		s.ref = c.schema(to)
		if c.Legacy {
			return // what stands beside $ref counts for nothing
		}
	}
	for _, name := range []string{"$dynamicRef", "$recursiveRef"} {
		if ref := find(v, name); ref != nil {
			c.problem(ref.Pos, "%s is not supported: write $ref", name)
		}
	}
	c.types(s, v)
	c.constants(s, v)
	c.numbers(s, v)
	c.texts(s, v)
	c.arrays(s, v)
	c.objects(s, v)
	c.logic(s, v)
}

func (c *Compiler) types(s *Schema, v *tree.Value) {
	t := find(v, "type")
	if t == nil {
		return
	}
	names := t.Items
	if t.Kind == tree.Scalar {
		names = []*tree.Value{t}
	}
	for _, name := range names {
		one := typeOf(name.Text)
		switch {
		case one != 0:
			s.types |= one
		case c.Legacy && name.Text == "file":
		default:
			c.problem(name.Pos, "%q is no type: null, boolean, integer, number, string, array and object are", tree.Shorten(name.Text))
		}
	}
	s.nullable = c.Legacy && (isTrue(find(v, "nullable")) || isTrue(find(v, "x-nullable")))
	if s.types&typeNumber != 0 {
		s.types |= typeInteger
	}
}

// sub compiles the schema under key; nil where it is not there.
func (c *Compiler) sub(v *tree.Value, key string) *Schema {
	if at := find(v, key); at != nil {
		return c.schema(at)
	}
	return nil
}

// list compiles a list of schemas.
func (c *Compiler) list(v *tree.Value, key string) (out []*Schema) {
	at := find(v, key)
	if at == nil {
		return nil
	}
	if at.Kind != tree.List {
		c.problem(at.Pos, "%s is a list of schemas, not %v", key, at.Kind)
		return nil
	}
	for _, item := range at.Items {
		out = append(out, c.schema(item))
	}
	return out
}

// named calls f for the schemas of a map.
func (c *Compiler) named(v *tree.Value, key string, f func(name string, s *tree.Value)) {
	at := find(v, key)
	if at == nil {
		return
	}
	if at.Kind != tree.Map {
		c.problem(at.Pos, "%s is a map of schemas, not %v", key, at.Kind)
		return
	}
	for _, e := range at.Entries {
		f(e.Key, e.Value)
	}
}

// count returns a number of items, characters or members; otherwise where it is
// not there.
func (c *Compiler) count(v *tree.Value, key string, otherwise int) int {
	at := find(v, key)
	if at == nil {
		return otherwise
	}
	n, err := strconv.Atoi(at.Text)
	if err != nil {
		f, err := strconv.ParseFloat(at.Text, 64)
		if n = int(f); err != nil || float64(n) != f {
			c.problem(at.Pos, "%s is a whole number, not %q", key, tree.Shorten(at.Text))
			return otherwise
		}
	}
	if n < 0 {
		c.problem(at.Pos, "%s is not negative", key)
		return otherwise
	}
	return n
}

func (c *Compiler) arrays(s *Schema, v *tree.Value) {
	if !says(v, "minItems", "maxItems", "uniqueItems", "prefixItems", "items", "contains", "unevaluatedItems") {
		return
	}
	a := &arrays{min: c.count(v, "minItems", 0), max: c.count(v, "maxItems", -1), unique: isTrue(find(v, "uniqueItems"))}
	a.prefix, a.contains = c.list(v, "prefixItems"), c.sub(v, "contains")
	if items := find(v, "items"); items != nil && items.Kind == tree.List {
		a.prefix = c.list(v, "items") // as drafts before 2020-12 wrote it
		a.items = c.sub(v, "additionalItems")
	} else {
		a.items = c.sub(v, "items")
	}
	a.minContains, a.maxContains = c.count(v, "minContains", 1), c.count(v, "maxContains", -1)
	a.unevaluated = c.sub(v, "unevaluatedItems")
	s.array = a
}

func (c *Compiler) objects(s *Schema, v *tree.Value) {
	if !says(v, "minProperties", "maxProperties", "required", "properties", "patternProperties", "additionalProperties", "propertyNames",
		"dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties") {
		return
	}
	o := &objects{min: c.count(v, "minProperties", 0), max: c.count(v, "maxProperties", -1), members: make(map[string]member)}
	readOnly := make(map[string]bool)
	c.named(v, "properties", func(name string, at *tree.Value) {
		o.members[name] = member{schema: c.schema(at)}
		readOnly[name] = c.isReadOnly(at)
	})
	for _, name := range c.words(v, "required") {
		if readOnly[name] {
			continue // it is required in answers alone
		}
		o.required = append(o.required, name)
		m := o.members[name]
		m.required = len(o.required)
		o.members[name] = m
	}
	c.named(v, "patternProperties", func(name string, at *tree.Value) {
		if p := c.pattern(name, at.Pos); p != nil {
			o.patterns = append(o.patterns, patterned{p, patternCost(p), c.schema(at)})
		}
	})
	o.additional, o.names = c.sub(v, "additionalProperties"), c.sub(v, "propertyNames")
	o.unevaluated = c.sub(v, "unevaluatedProperties")
	c.dependents(o, v)
	s.object = o
}

// isReadOnly reports whether a property is the service's to say: a request need
// not have it.
func (c *Compiler) isReadOnly(v *tree.Value) bool {
	for range 16 {
		if isTrue(find(v, "readOnly")) {
			return true
		}
		ref := find(v, "$ref")
		if ref == nil {
			return false
		}
		to, err := c.Resolve(ref.File, ref.Text)
		if err != nil {
			return false
		}
		v = to
	}
	return false
}

func (c *Compiler) dependents(o *objects, v *tree.Value) {
	for _, key := range []string{"dependentRequired", "dependentSchemas", "dependencies"} {
		c.named(v, key, func(name string, at *tree.Value) {
			d := dependent{name: name}
			if at.Kind == tree.List {
				for _, item := range at.Items {
					d.required = append(d.required, item.Text)
				}
			} else {
				d.schema = c.schema(at)
			}
			o.dependents = append(o.dependents, d)
		})
	}
}

// words returns a list of names.
func (c *Compiler) words(v *tree.Value, key string) (out []string) {
	at := find(v, key)
	if at == nil || c.Legacy && at.Kind == tree.Scalar { // required: true of a parameter, or of draft 3
		return nil
	}
	for _, item := range at.Items {
		if item.Kind == tree.Scalar && !slices.Contains(out, item.Text) {
			out = append(out, cloned(item.Text))
		}
	}
	return out
}

func (c *Compiler) logic(s *Schema, v *tree.Value) {
	if !says(v, "allOf", "anyOf", "oneOf", "not", "if") {
		return
	}
	l := &logic{all: c.list(v, "allOf"), any: c.list(v, "anyOf"), one: c.list(v, "oneOf"), not: c.sub(v, "not")}
	if l.cond = c.sub(v, "if"); l.cond != nil {
		l.then, l.or = c.sub(v, "then"), c.sub(v, "else")
	}
	l.discriminator = c.discriminator(v)
	s.logic = l
}

// discriminator reads by which member the schemas of oneOf and anyOf are told
// apart: by its mapping, and by the last part of their references.
func (c *Compiler) discriminator(v *tree.Value) *discriminator {
	at := find(v, "discriminator")
	name := find(at, "propertyName")
	if name == nil {
		return nil
	}
	d := &discriminator{name: cloned(name.Text), cases: make(map[string]*Schema)}
	for _, key := range []string{"oneOf", "anyOf"} {
		list := find(v, key)
		if list == nil {
			continue
		}
		for _, item := range list.Items {
			ref := find(item, "$ref")
			if ref == nil {
				return nil // there is no way to tell them apart
			}
			d.cases[lastPart(ref.Text)] = c.schema(item)
		}
	}
	if mapping := find(at, "mapping"); mapping != nil {
		for _, e := range mapping.Entries {
			if s, err := c.mapped(e.Value); err != nil {
				c.problem(e.Pos, "the mapping %q: %v", tree.Shorten(e.Key), err)
			} else {
				d.cases[e.Key] = s
			}
		}
	}
	if len(d.cases) == 0 {
		return nil
	}
	return d
}

// mapped returns the schema that a mapping names: a reference, or the name of a
// schema.
func (c *Compiler) mapped(v *tree.Value) (*Schema, error) {
	if v.Kind != tree.Scalar {
		return nil, errors.New("a reference or a name is wanted")
	}
	to, err := c.Resolve(v.File, v.Text)
	if err != nil {
		if byName, err := c.Resolve(v.File, "#/components/schemas/"+v.Text); err == nil {
			return c.schema(byName), nil
		}
		return nil, err
	}
	return c.schema(to), nil
}
