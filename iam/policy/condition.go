package policy

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"time"
)

// condition is one key under one operator, compiled.
type condition struct {
	operator
	key      Key
	patterns []pattern
	arns     []arnPattern
	numbers  []decimal
	dates    []time.Time
	nets     []netip.Prefix
	texts    []string // what Binary wants, decoded
	truths   [2]bool  // of Bool and Null: whether false and true are wanted
}

// compileCondition compiles a condition that has been checked.
func compileCondition(c *Condition, version string) condition {
	op, _ := parseOperator(c.Operator)
	out := condition{operator: op, key: parseKey(c.Key)}
	for _, text := range c.Values {
		out.add(text, version == Version2012)
	}
	return out
}

func (c *condition) add(text string, variables bool) {
	switch c.compare {
	case compareString, compareFold:
		c.patterns = append(c.patterns, newPattern(parsePattern(text, dialect{variables: variables})))
	case compareLike:
		c.patterns = append(c.patterns, newPattern(parsePattern(text, dialect{wildcards: true, variables: variables})))
	case compareARN:
		c.arns = append(c.arns, compileARN(text, dialect{wildcards: true, variables: variables}))
	case compareNumber:
		n, _ := parseDecimal(text)
		c.numbers = append(c.numbers, n)
	case compareDate:
		t, _ := parseDate(text)
		c.dates = append(c.dates, t)
	case compareIP:
		n, _ := parseNet(text)
		c.nets = append(c.nets, n)
	case compareBinary:
		b, _ := base64.StdEncoding.DecodeString(text)
		c.texts = append(c.texts, string(b))
	case compareBool, compareNull:
		if truth, _ := parseTruth(text); truth {
			c.truths[1] = true
		} else {
			c.truths[0] = true
		}
	}
}

// holds reports whether the request meets the condition. A key that the request
// does not have meets no operator but a negated one, one with IfExists, and
// ForAllValues.
func (c *condition) holds(r *Request) bool {
	v := r.get(&c.key)
	if c.compare == compareNull {
		return c.truths[truth(v.n == 0)]
	}
	switch {
	case v.n == 0:
		return c.ifExists || c.quantifier == forAll || c.negated && c.quantifier == forOne
	case c.quantifier == forAll:
		for i := range v.n {
			if c.accepts(&v, i, r) == c.negated {
				return false
			}
		}
		return true
	case c.quantifier == forAny:
		for i := range v.n {
			if c.accepts(&v, i, r) != c.negated {
				return true
			}
		}
		return false
	}
	for i := range v.n {
		if c.accepts(&v, i, r) {
			return !c.negated
		}
	}
	return c.negated
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// accepts reports whether one value of the request is among those of the
// policy, whatever the operator makes of that.
func (c *condition) accepts(v *values, i int, r *Request) bool {
	switch c.compare {
	case compareNumber:
		return c.acceptsNumber(v.text(i))
	case compareDate:
		return c.acceptsDate(v, i)
	case compareIP:
		return c.acceptsAddr(v, i)
	case compareARN:
		a, ok := parseARN(v.text(i))
		if !ok {
			return false
		}
		for j := range c.arns {
			if c.arns[j].matches(&a, r) {
				return true
			}
		}
		return false
	case compareBool:
		value, ok := parseTruth(v.text(i))
		return ok && c.truths[truth(value)]
	}
	return c.acceptsText(v.text(i), r)
}

func (c *condition) acceptsText(text string, r *Request) bool {
	switch c.compare {
	case compareBinary:
		decoded, err := base64.StdEncoding.DecodeString(text)
		for _, want := range c.texts {
			if err == nil && want == string(decoded) {
				return true
			}
		}
		return false
	case compareFold:
		for j := range c.patterns {
			if want, ok := c.patterns[j].expand(r); ok && strings.EqualFold(want, text) {
				return true
			}
		}
		return false
	}
	for j := range c.patterns {
		if c.patterns[j].matches(text, r) {
			return true
		}
	}
	return false
}

func (c *condition) acceptsNumber(text string) bool {
	n, ok := parseDecimal(text)
	for _, want := range c.numbers {
		if ok && c.order.holds(n.compare(want)) {
			return true
		}
	}
	return false
}

func (c *condition) acceptsDate(v *values, i int) bool {
	t, ok := v.time, v.kind == isTime || v.kind == isEpoch
	if !ok {
		t, ok = parseDate(v.text(i))
	}
	for _, want := range c.dates {
		if ok && c.order.holds(t.Compare(want)) {
			return true
		}
	}
	return false
}

func (c *condition) acceptsAddr(v *values, i int) bool {
	a, ok := v.addr, v.kind == isAddr
	if !ok {
		a, ok = parseAddr(v.text(i))
	}
	for _, want := range c.nets {
		if ok && want.Contains(a) {
			return true
		}
	}
	return false
}
