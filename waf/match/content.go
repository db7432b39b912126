package match

import (
	"gatehouse/config"
	"gatehouse/waf/field"
	"gatehouse/waf/text"
)

// Content matches where one text of a field passes every test.
type Content struct {
	Field field.Spec
	Chain text.Chain
	Tests []Test
}

// Test is one thing that a text is held against, as it was written.
type Test interface {
	compile(c *Compiler, at config.Pos) tester
}

// tester holds texts against one thing.
type tester interface {
	// test reports whether the text passes, and which part of it does.
	test(s string) (at, n int, ok bool)
	what() string
}

type content struct {
	slot  int
	spec  *field.Spec
	tests []tester
}

func (n *Content) compile(c *Compiler, at config.Pos) Matcher {
	if len(n.Chain) > text.MaxChain {
		return c.errorf(at, "%d transformations are more than the %d that a statement may have", len(n.Chain), text.MaxChain)
	}
	m := &content{slot: c.Plan.Slot(&n.Field, n.Chain), spec: &n.Field}
	for _, t := range n.Tests {
		m.tests = append(m.tests, t.compile(c, at))
	}
	return m
}

func (m *content) Match(r *Request) bool {
	v := r.At(m.slot)
	if matched, decided := m.handled(v); decided {
		if matched {
			r.Found = Finding{Field: m.spec, What: "oversize"}
			if v.Invalid {
				r.Found.What = "invalid"
			}
		}
		return matched
	}
	for i := range v.Parts {
		p := &v.Parts[i]
		if at, n, what, ok := m.passes(p.Text); ok {
			r.Found = Finding{Field: m.spec, Name: r.Where(m.slot, i), Text: p.Text, At: at, Len: n, What: what}
			return true
		}
	}
	return false
}

// handled returns what the statement says of a value that is not whole.
func (m *content) handled(v *field.Value) (matched, decided bool) {
	switch {
	case v.Over && m.spec.Over == field.Match:
		return true, true
	case v.Over && m.spec.Over == field.NoMatch:
		return false, true
	case v.Invalid && m.spec.Invalid == field.InvalidMatch:
		return true, true
	case v.Invalid && m.spec.Invalid == field.InvalidNoMatch:
		return false, true
	case v.Absent:
		return m.spec.Missing == field.Match, true
	}
	return false, false
}

func (m *content) passes(s string) (at, n int, what string, ok bool) {
	for _, t := range m.tests {
		a, length, passed := t.test(s)
		if !passed {
			return 0, 0, "", false
		}
		if what == "" {
			at, n, what = a, length, t.what()
		}
	}
	return at, n, what, true
}
