package schema

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"gatehouse/config"
	"gatehouse/config/tree"
	"gatehouse/validate/jsondoc"
)

// find returns what v says under key; nil for nothing.
func find(v *tree.Value, key string) *tree.Value {
	if v == nil || v.Kind != tree.Map {
		return nil
	}
	if e := v.Find(key); e != nil {
		return e.Value
	}
	return nil
}

// says reports whether v has one of keys.
func says(v *tree.Value, keys ...string) bool {
	return slices.ContainsFunc(v.Entries, func(e tree.Entry) bool { return slices.Contains(keys, e.Key) })
}

func isTrue(v *tree.Value) bool { return v != nil && v.Kind == tree.Scalar && v.Text == "true" }

// cloned keeps nothing of the file that a text stands in.
func cloned(s string) string { return strings.Clone(s) }

func lastPart(ref string) string { return cloned(ref[strings.LastIndexByte(ref, '/')+1:]) }

// constants reads enum and const into one Doc, which is compared with.
func (c *Compiler) constants(s *Schema, v *tree.Value) {
	var values []*tree.Value
	k := &constants{doc: jsondoc.New()}
	if e := find(v, "enum"); e != nil {
		if e.Kind != tree.List {
			c.problem(e.Pos, "enum is a list, not %v", e.Kind)
			return
		}
		values = e.Items
	}
	if e := find(v, "const"); e != nil && !c.Legacy {
		values, k.only = []*tree.Value{e}, true
	} else if find(v, "enum") == nil {
		return
	}
	words := make(map[string]bool)
	for _, value := range values {
		if value.Kind == tree.Scalar && kindOf(value) == jsondoc.String {
			words[cloned(value.Text)] = true
		}
		k.nodes = append(k.nodes, add(k.doc, value))
	}
	if len(words) == len(values) {
		k.words = words
	}
	s.constant = k
}

// kindOf returns what a scalar is to JSON. What a definition writes without
// quotes is read as YAML's core schema says.
func kindOf(v *tree.Value) jsondoc.Kind {
	switch {
	case v.Kind == tree.Null:
		return jsondoc.Null
	case !v.Plain:
		return jsondoc.String
	case v.Text == "true" || v.Text == "True" || v.Text == "TRUE":
		return jsondoc.True
	case v.Text == "false" || v.Text == "False" || v.Text == "FALSE":
		return jsondoc.False
	}
	if _, ok := jsondoc.ParseDecimal([]byte(v.Text), nil); ok {
		return jsondoc.Number
	}
	return jsondoc.String
}

// add adds a value to a Doc.
func add(d *jsondoc.Doc, v *tree.Value) uint32 {
	switch v.Kind {
	case tree.List:
		n := d.Add(jsondoc.Array, "", len(v.Items))
		for _, item := range v.Items {
			add(d, item)
		}
		d.End(n, len(v.Items))
		return n
	case tree.Map:
		n := d.Add(jsondoc.Object, "", len(v.Entries))
		for _, e := range v.Entries {
			d.Add(jsondoc.String, e.Key, 0)
			add(d, e.Value)
		}
		d.End(n, len(v.Entries))
		return n
	}
	return d.Add(kindOf(v), v.Text, 0)
}

func (c *Compiler) numbers(s *Schema, v *tree.Value) {
	n := &numbers{}
	n.min, n.minExclusive = c.bound(v, "minimum", "exclusiveMinimum", 1)
	n.max, n.maxExclusive = c.bound(v, "maximum", "exclusiveMaximum", -1)
	if at := find(v, "multipleOf"); at != nil {
		if b := c.decimal(at, "multipleOf"); b != nil && b.value.Compare(jsondoc.Decimal{}) > 0 {
			n.multiple, n.multipleText = &b.value, b.text
		} else if b != nil {
			c.problem(at.Pos, "multipleOf is above 0")
		}
	}
	if f := find(v, "format"); f != nil {
		n.bits = map[string]int{"int32": 32, "int64": 64}[f.Text]
	}
	if *n != (numbers{}) {
		s.number = n
	}
}

// bound reads one side of a range: what OpenAPI 3.0 writes as exclusiveMinimum:
// true beside minimum, and JSON Schema as exclusiveMinimum: 5. Of two the narrower
// one counts; side is 1 for lower bounds.
func (c *Compiler) bound(v *tree.Value, key, exclusive string, side int) (*bound, bool) {
	var b *bound
	if at := find(v, key); at != nil {
		b = c.decimal(at, key)
	}
	at := find(v, exclusive)
	if at == nil {
		return b, false
	}
	if at.Text == "true" || at.Text == "false" {
		return b, at.Text == "true"
	}
	other := c.decimal(at, exclusive)
	if other == nil || b != nil && side*b.value.Compare(other.value) > 0 {
		return b, false
	}
	return other, true
}

func (c *Compiler) decimal(v *tree.Value, key string) *bound {
	d, ok := jsondoc.ParseDecimal([]byte(v.Text), nil)
	if !ok || v.Kind != tree.Scalar {
		c.problem(v.Pos, "%s is a number, not %q", key, tree.Shorten(v.Text))
		return nil
	}
	return &bound{d, cloned(v.Text)}
}

func (c *Compiler) texts(s *Schema, v *tree.Value) {
	t := &texts{min: c.count(v, "minLength", 0), max: c.count(v, "maxLength", -1)}
	if p := find(v, "pattern"); p != nil {
		if t.pattern = c.pattern(p.Text, p.Pos); t.pattern != nil {
			t.patternCost = patternCost(t.pattern)
		}
	}
	if f := find(v, "format"); f != nil {
		t.format, t.formatName = formatOf(f.Text), cloned(f.Text)
	}
	if t.min > 0 || t.max >= 0 || t.pattern != nil || t.format != nil {
		s.text = t
	}
}

// pattern compiles a regular expression of ECMA-262, as far as RE2 can express
// it.
func (c *Compiler) pattern(text string, at config.Pos) *regexp.Regexp {
	if p, known := c.patterns[text]; known {
		return p
	}
	p, err := regexp.Compile(translated(text))
	if err != nil {
		reason := err.Error()
		if e, ok := err.(*syntax.Error); ok {
			reason = e.Code.String()
		}
		c.problem(at, "the pattern %s cannot be matched in time that grows with the text alone (RE2): %s. Write it otherwise, or switch validate off there", strconv.Quote(tree.Shorten(text)), reason)
	}
	c.patterns[cloned(text)] = p
	return p
}

// patternCost returns what matching 32 bytes may cost, in steps.
func patternCost(p *regexp.Regexp) int {
	parsed, err := syntax.Parse(p.String(), syntax.Perl)
	if err != nil {
		return 1
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 1
	}
	return 1 + len(prog.Inst)/4
}

// translated writes in RE2's words what ECMA-262 says in others: \uXXXX, \cX,
// and repetitions beyond a thousand.
func translated(pattern string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+5 < len(pattern) && pattern[i+1] == 'u' && isHex(pattern[i+2:i+6]):
			b.WriteString(`\x{` + pattern[i+2:i+6] + `}`)
			i += 5
		case c == '\\' && i+1 < len(pattern) && pattern[i+1] == '/':
			b.WriteByte('/')
			i++
		case c == '\\' && i+1 < len(pattern):
			b.WriteString(pattern[i : i+2])
			i++
		case c == '[' && class:
			b.WriteString(`\[`) // which opens nothing within a class
		default:
			class = c == '[' || class && c != ']'
			b.WriteByte(c)
		}
	}
	return longRepeats(b.String())
}

func isHex(s string) bool {
	_, err := strconv.ParseUint(s, 16, 32)
	return err == nil
}
