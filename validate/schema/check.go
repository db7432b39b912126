package schema

import (
	"strconv"
	"unicode/utf8"

	"gatehouse/validate/jsondoc"
)

// Fault is the first thing that is wrong with a value. It tells where it is and
// what was wanted, and nothing of what the value holds.
type Fault struct {
	Node uint32 // of the Doc
	What string // "must be at most 100"
}

// Checker holds values against schemas, one after the other. It is not safe for
// concurrent use.
type Checker struct {
	Doc *jsondoc.Doc

	steps int
	depth int
	quiet int // above 0 only whether a value fits is wanted, not why it does not
	fault Fault
}

// What holding one value against a schema may cost.
const (
	maxSteps = 4_000_000 // each some nanoseconds
	maxInner = 1_000     // schemas within one another
)

// Check reports whether node n of the Doc fits s. Where it does not, Fault tells
// why.
func (c *Checker) Check(s *Schema, n uint32) bool {
	c.steps, c.depth, c.quiet, c.fault = maxSteps, 0, 0, Fault{}
	return c.check(s, n, nil) && c.steps >= 0
}

// Fault returns why the last Check reported false.
func (c *Checker) Fault() Fault {
	if c.steps < 0 {
		return Fault{c.fault.Node, "takes more steps to check than are spent on one request"}
	}
	return c.fault
}

// spend pays for some steps; false once all are spent.
func (c *Checker) spend(steps int) bool {
	c.steps -= steps
	return c.steps >= 0
}

// one pays for one step.
func (c *Checker) one() bool { return c.spend(1) }

// no notes what is wrong, and is false. What is made of parts is made only where
// somebody wants to know.
func (c *Checker) no(n uint32, what string, rest ...string) bool {
	if c.quiet > 0 {
		return false
	}
	for _, r := range rest {
		what += r
	}
	c.fault = Fault{n, what}
	return false
}

// check holds n against s. Seen gathers what of n was evaluated, where somebody
// asks; else it is nil.
func (c *Checker) check(s *Schema, n uint32, seen *evaluated) bool {
	if !c.one() {
		return false
	}
	if c.depth++; c.depth > maxInner {
		c.steps = -1
		return false
	}
	ok := c.all(s, n, seen)
	c.depth--
	return ok
}

func (c *Checker) all(s *Schema, n uint32, seen *evaluated) bool {
	if s.never {
		return c.no(n, "must not be there")
	}
	node := &c.Doc.Nodes[n]
	if s.nullable && node.Kind == jsondoc.Null {
		return true
	}
	outer := seen
	if s.wantsEvaluated() {
		seen = newEvaluated(node) // of what this schema applies, and no other
	}
	if s.ref != nil && !c.check(s.ref, n, seen) {
		return false
	}
	kind := node.Kind
	if s.types != anyType {
		if kind = c.fits(s.types, n); kind == mismatch {
			return c.no(n, "must be of the type ", s.types.String())
		}
	}
	if s.constant != nil && !c.constant(s.constant, n) {
		return false
	}
	if !c.content(s, n, kind, seen) || s.logic != nil && !c.logic(s.logic, n, seen) {
		return false
	}
	if seen == outer {
		return true
	}
	if !c.unevaluated(s, n, seen) {
		return false
	}
	outer.join(seen)
	return true
}

// wantsEvaluated reports whether s asks what nobody has had a look at.
func (s *Schema) wantsEvaluated() bool {
	return s.array != nil && s.array.unevaluated != nil || s.object != nil && s.object.unevaluated != nil
}

// content holds n against what s says of its kind.
func (c *Checker) content(s *Schema, n uint32, kind jsondoc.Kind, seen *evaluated) bool {
	switch kind {
	case jsondoc.Number:
		return s.number == nil || c.number(s.number, n)
	case jsondoc.String:
		return s.text == nil || c.text(s.text, n)
	case jsondoc.Loose:
		return c.loose(s, n)
	case jsondoc.Array:
		return s.array == nil || c.array(s.array, n, seen)
	case jsondoc.Object:
		return s.object == nil || c.object(s.object, n, seen)
	}
	return true
}

// mismatch is no kind of a node: it is none of the wanted types.
const mismatch jsondoc.Kind = 0xff

// fits returns as what n is to be looked at, as one of types.
func (c *Checker) fits(t types, n uint32) jsondoc.Kind {
	kind := c.Doc.Nodes[n].Kind
	ok := false
	switch kind {
	case jsondoc.Null:
		ok = t&typeNull != 0
	case jsondoc.True, jsondoc.False:
		ok = t&typeBoolean != 0
	case jsondoc.Number:
		ok = t&typeNumber != 0 || t&typeInteger != 0 && c.isWhole(n)
	case jsondoc.String:
		ok = t&typeString != 0
	case jsondoc.Array:
		ok = t&typeArray != 0
	case jsondoc.Object:
		ok = t&typeObject != 0
	case jsondoc.Loose:
		return c.looseFits(t, n)
	}
	if !ok {
		return mismatch
	}
	return kind
}

// looseFits reads a text as the narrowest of the types that it can be read as.
func (c *Checker) looseFits(t types, n uint32) jsondoc.Kind {
	text := c.Doc.Text(n)
	if t&(typeInteger|typeNumber) != 0 {
		var buf [64]byte
		if d, ok := jsondoc.ParseDecimal(text, buf[:0]); ok && (t&typeNumber != 0 || d.IsWhole()) {
			return jsondoc.Number
		}
	}
	switch {
	case t&typeBoolean != 0 && string(text) == "true":
		return jsondoc.True
	case t&typeBoolean != 0 && string(text) == "false":
		return jsondoc.False
	case t&typeString != 0:
		return jsondoc.String
	case t&typeNull != 0 && (len(text) == 0 || string(text) == "null"):
		return jsondoc.Null
	}
	return mismatch
}

// loose holds a text without a type against what is said of numbers, where it
// is one, and else of strings.
func (c *Checker) loose(s *Schema, n uint32) bool {
	if s.number != nil {
		if _, ok := c.decimal(n); ok && s.text == nil {
			return c.number(s.number, n)
		}
	}
	return s.text == nil || c.text(s.text, n)
}

func (c *Checker) decimal(n uint32) (jsondoc.Decimal, bool) {
	return jsondoc.ParseDecimal(c.Doc.Text(n), nil)
}

func (c *Checker) isWhole(n uint32) bool {
	text := c.Doc.Text(n)
	for i, b := range text {
		if (b < '0' || b > '9') && (i > 0 || b != '-') {
			var buf [64]byte
			d, ok := jsondoc.ParseDecimal(text, buf[:0])
			return ok && d.IsWhole()
		}
	}
	return true
}

func (c *Checker) constant(k *constants, n uint32) bool {
	node := &c.Doc.Nodes[n]
	if k.words != nil && (node.Kind == jsondoc.String || node.Kind == jsondoc.Loose) {
		if k.words[string(c.Doc.Text(n))] {
			return true
		}
	} else {
		for _, other := range k.nodes {
			if c.Doc.Equal(n, k.doc, other, c.one) {
				return true
			}
		}
	}
	if k.only {
		return c.no(n, "must be the one value that is allowed")
	}
	return c.no(n, "must be one of the ", strconv.Itoa(len(k.nodes)), " values that are allowed")
}

func (c *Checker) number(s *numbers, n uint32) bool {
	text := c.Doc.Text(n)
	if !c.spend(len(text) / 32) {
		return false
	}
	var buf [64]byte
	d, ok := jsondoc.ParseDecimal(text, buf[:0])
	if !ok {
		return c.no(n, "must be a number")
	}
	if s.min != nil {
		switch sign := d.Compare(s.min.value); {
		case sign < 0 && !s.minExclusive:
			return c.no(n, "must be at least ", s.min.text)
		case sign <= 0 && s.minExclusive:
			return c.no(n, "must be more than ", s.min.text)
		}
	}
	if s.max != nil {
		switch sign := d.Compare(s.max.value); {
		case sign > 0 && !s.maxExclusive:
			return c.no(n, "must be at most ", s.max.text)
		case sign >= 0 && s.maxExclusive:
			return c.no(n, "must be less than ", s.max.text)
		}
	}
	if s.bits != 0 {
		if _, err := strconv.ParseInt(string(text), 10, s.bits); err != nil && !inBits(d, s.bits) {
			return c.no(n, "must fit into ", strconv.Itoa(s.bits), " bits")
		}
	}
	return s.multiple == nil || c.multiple(s, n, d)
}

// inBits reports whether a number that is not written as an integer is one, and
// of so many bits. What is no integer is for type to refuse.
func inBits(d jsondoc.Decimal, bits int) bool {
	low, high := "-2147483648", "2147483647"
	if bits == 64 {
		low, high = "-9223372036854775808", "9223372036854775807"
	}
	l, _ := jsondoc.ParseDecimal([]byte(low), nil)
	h, _ := jsondoc.ParseDecimal([]byte(high), nil)
	return d.Compare(l) >= 0 && d.Compare(h) <= 0
}

func (c *Checker) multiple(s *numbers, n uint32, d jsondoc.Decimal) bool {
	if !c.spend(64) {
		return false
	}
	multiple, known := d.IsMultiple(*s.multiple)
	switch {
	case !known:
		return c.no(n, "has too many digits to be divided")
	case !multiple:
		return c.no(n, "must be a multiple of ", s.multipleText)
	}
	return true
}

func (c *Checker) text(s *texts, n uint32) bool {
	text := c.Doc.Text(n)
	if s.min > 0 || s.max >= 0 {
		length := utf8.RuneCount(text)
		if length < s.min {
			return c.no(n, "must have at least ", strconv.Itoa(s.min), " characters")
		}
		if s.max >= 0 && length > s.max {
			return c.no(n, "must have at most ", strconv.Itoa(s.max), " characters")
		}
	}
	if s.pattern != nil {
		if !c.spend(s.patternCost * (1 + len(text)/32)) {
			return false
		}
		if !s.pattern.Match(text) {
			return c.no(n, "must match the pattern ", clip(s.pattern.String()))
		}
	}
	if s.format != nil && !s.format(text) {
		return c.no(n, "must be of the format ", s.formatName)
	}
	return true
}

// clip keeps a message short.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
