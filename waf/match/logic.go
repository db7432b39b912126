package match

import "gatehouse/config"

// All matches where every statement does, in their order, until one does not.
type All []*Statement

// Any matches where some statement does: the first.
type Any []*Statement

// Not matches where the statement does not.
type Not struct{ Statement *Statement }

type (
	allOf []Matcher
	anyOf []Matcher
	not   struct{ Matcher }
)

func (n All) compile(c *Compiler, _ config.Pos) Matcher {
	if len(n) == 1 {
		return c.Compile(n[0])
	}
	m := make(allOf, len(n))
	for i, s := range n {
		m[i] = c.Compile(s)
	}
	return m
}

func (n Any) compile(c *Compiler, _ config.Pos) Matcher {
	if len(n) == 1 {
		return c.Compile(n[0])
	}
	m := make(anyOf, len(n))
	for i, s := range n {
		m[i] = c.Compile(s)
	}
	return m
}

func (n Not) compile(c *Compiler, _ config.Pos) Matcher { return not{c.Compile(n.Statement)} }

func (m allOf) Match(r *Request) bool {
	var first Finding // the trail tells of one
	for i, each := range m {
		if !each.Match(r) || r.Err() != nil {
			return false
		}
		if i == 0 {
			first = r.Found
		}
	}
	if first.What != "" {
		r.Found = first
	}
	return true
}

func (m anyOf) Match(r *Request) bool {
	for _, each := range m {
		if each.Match(r) || r.Err() != nil {
			return true
		}
	}
	return false
}

func (m not) Match(r *Request) bool {
	found := r.Found
	matched := m.Matcher.Match(r)
	r.Found = found // what is absent was found nowhere
	return !matched
}
