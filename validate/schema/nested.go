package schema

import (
	"slices"
	"strconv"

	"gatehouse/validate/jsondoc"
)

// evaluated is what of an array or object schemas have had a look at.
type evaluated struct {
	parts []bool // by place
}

func newEvaluated(n *jsondoc.Node) *evaluated {
	if n.Kind != jsondoc.Array && n.Kind != jsondoc.Object {
		return nil
	}
	return &evaluated{make([]bool, n.Count)}
}

// branch returns one to try a schema with, which may fail.
func (e *evaluated) branch() *evaluated {
	if e == nil {
		return nil
	}
	return &evaluated{make([]bool, len(e.parts))}
}

// join adds what a branch that did not fail has evaluated.
func (e *evaluated) join(branch *evaluated) {
	if e == nil || branch == nil {
		return
	}
	for i, seen := range branch.parts {
		e.parts[i] = e.parts[i] || seen
	}
}

func (e *evaluated) see(i int) {
	if e != nil {
		e.parts[i] = true
	}
}

func (c *Checker) array(s *arrays, n uint32, seen *evaluated) bool {
	node := c.Doc.Nodes[n]
	count := int(node.Count)
	if count < s.min {
		return c.no(n, "must have at least ", strconv.Itoa(s.min), " items")
	}
	if s.max >= 0 && count > s.max {
		return c.no(n, "must have at most ", strconv.Itoa(s.max), " items")
	}
	contained, i := 0, 0
	for at := n + 1; at < node.Next; at = c.Doc.Nodes[at].Next {
		if !c.item(s, at, i, seen) {
			return false
		}
		if s.contains != nil && c.try(s.contains, at) {
			contained++
			seen.see(i)
		}
		i++
	}
	if s.contains != nil {
		if contained < s.minContains {
			return c.no(n, "must contain at least ", strconv.Itoa(s.minContains), " items of a kind")
		}
		if s.maxContains >= 0 && contained > s.maxContains {
			return c.no(n, "must contain at most ", strconv.Itoa(s.maxContains), " items of a kind")
		}
	}
	return !s.unique || c.unique(n, count)
}

func (c *Checker) item(s *arrays, at uint32, i int, seen *evaluated) bool {
	switch {
	case i < len(s.prefix):
		seen.see(i)
		return c.check(s.prefix[i], at, nil)
	case s.items != nil:
		seen.see(i)
		return c.check(s.items, at, nil)
	}
	return true
}

// try reports whether a value fits, without a word of why it does not.
func (c *Checker) try(s *Schema, n uint32) bool {
	c.quiet++
	ok := c.check(s, n, nil)
	c.quiet--
	return ok
}

// unique reports whether no two items are equal: few are compared with one
// another, many by their hashes first.
func (c *Checker) unique(n uint32, count int) bool {
	type hashed struct {
		hash uint64
		at   uint32
	}
	if !c.spend(count + int(c.Doc.Nodes[n].Next-n)) {
		return false
	}
	items := make([]hashed, 0, count)
	for at := n + 1; at < c.Doc.Nodes[n].Next; at = c.Doc.Nodes[at].Next {
		items = append(items, hashed{c.Doc.Hash(at), at})
	}
	slices.SortFunc(items, func(a, b hashed) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	for i := 1; i < len(items); i++ {
		for j := i - 1; j >= 0 && items[j].hash == items[i].hash; j-- {
			if c.Doc.Equal(items[i].at, c.Doc, items[j].at, c.one) {
				return c.no(n, "must not have an item twice")
			}
		}
	}
	return true
}

func (c *Checker) object(s *objects, n uint32, seen *evaluated) bool {
	node := c.Doc.Nodes[n]
	count := int(node.Count)
	if count < s.min {
		return c.no(n, "must have at least ", strconv.Itoa(s.min), " members")
	}
	if s.max >= 0 && count > s.max {
		return c.no(n, "must have at most ", strconv.Itoa(s.max), " members")
	}
	var few uint64 // which of the required ones are there; of many by a list
	var many []bool
	if len(s.required) > 64 {
		many = make([]bool, len(s.required)+1)
	}
	i := 0
	for at := n + 1; at < node.Next; at = c.Doc.Nodes[at+1].Next {
		place, ok := c.member(s, at, i, seen)
		if !ok {
			return false
		}
		if many != nil {
			many[place] = true
		} else if place > 0 {
			few |= 1 << (place - 1)
		}
		i++
	}
	for i, name := range s.required {
		if many != nil && !many[i+1] || many == nil && few&(1<<i) == 0 {
			return c.no(n, "must have the member ", strconv.Quote(clip(name)))
		}
	}
	return c.dependents(s, n, seen)
}

// member checks one member, whose key stands at at, and returns its place among
// the required ones; 0 for none.
func (c *Checker) member(s *objects, at uint32, i int, seen *evaluated) (int, bool) {
	name := c.Doc.Text(at)
	if s.names != nil && !c.check(s.names, at, nil) {
		return 0, false
	}
	m := s.members[string(name)]
	known := m.schema != nil
	if known && !c.check(m.schema, at+1, nil) {
		return 0, false
	}
	for j := range s.patterns {
		p := &s.patterns[j]
		if !c.spend(p.cost * (1 + len(name)/32)) {
			return 0, false
		}
		if p.pattern.Match(name) {
			known = true
			if !c.check(p.schema, at+1, nil) {
				return 0, false
			}
		}
	}
	if known {
		seen.see(i)
		return m.required, true
	}
	if s.additional != nil {
		seen.see(i)
		if s.additional.never {
			return 0, c.no(at+1, "is no member that is known")
		}
		return m.required, c.check(s.additional, at+1, nil)
	}
	return m.required, true
}

func (c *Checker) dependents(s *objects, n uint32, seen *evaluated) bool {
	for i := range s.dependents {
		d := &s.dependents[i]
		if _, there := c.Doc.Member(n, []byte(d.name), c.one); !there {
			continue
		}
		for _, name := range d.required {
			if _, there := c.Doc.Member(n, []byte(name), c.one); !there {
				return c.no(n, "must have the member ", strconv.Quote(clip(name)), " beside ", strconv.Quote(clip(d.name)))
			}
		}
		if d.schema != nil && !c.check(d.schema, n, seen) {
			return false
		}
	}
	return true
}

// unevaluated holds what nobody has had a look at against the schema for that.
func (c *Checker) unevaluated(s *Schema, n uint32, seen *evaluated) bool {
	if seen == nil {
		return true
	}
	node := c.Doc.Nodes[n]
	switch {
	case node.Kind == jsondoc.Array && s.array != nil && s.array.unevaluated != nil:
		i := 0
		for at := n + 1; at < node.Next; at = c.Doc.Nodes[at].Next {
			if !seen.parts[i] && !c.check(s.array.unevaluated, at, nil) {
				return false
			}
			seen.see(i)
			i++
		}
	case node.Kind == jsondoc.Object && s.object != nil && s.object.unevaluated != nil:
		i := 0
		for at := n + 1; at < node.Next; at = c.Doc.Nodes[at+1].Next {
			if !seen.parts[i] && !c.check(s.object.unevaluated, at+1, nil) {
				return false
			}
			seen.see(i)
			i++
		}
	}
	return true
}

func (c *Checker) logic(l *logic, n uint32, seen *evaluated) bool {
	for _, s := range l.all {
		if !c.check(s, n, seen) {
			return false
		}
	}
	if l.discriminator != nil {
		return c.discriminate(l, n, seen) && c.conditions(l, n, seen)
	}
	if len(l.any) > 0 && !c.anyOf(l.any, n, seen) {
		return false
	}
	if len(l.one) > 0 && !c.oneOf(l.one, n, seen) {
		return false
	}
	return c.conditions(l, n, seen)
}

func (c *Checker) conditions(l *logic, n uint32, seen *evaluated) bool {
	if l.not != nil && c.try(l.not, n) {
		return c.no(n, "must not be of a kind that is excluded")
	}
	if l.cond == nil {
		return true
	}
	branch := seen.branch()
	c.quiet++
	met := c.check(l.cond, n, branch)
	c.quiet--
	next := l.or
	if met {
		seen.join(branch)
		next = l.then
	}
	return next == nil || c.check(next, n, seen)
}

// discriminate lets the value's own word say which schema it must fit.
func (c *Checker) discriminate(l *logic, n uint32, seen *evaluated) bool {
	d := l.discriminator
	if c.Doc.Nodes[n].Kind != jsondoc.Object {
		return c.no(n, "must be of the type object")
	}
	at, there := c.Doc.Member(n, []byte(d.name), c.one)
	if !there || c.Doc.Nodes[at].Kind != jsondoc.String {
		return c.no(n, "must have the member ", strconv.Quote(clip(d.name)), ", which tells of what kind it is")
	}
	s := d.cases[string(c.Doc.Text(at))]
	if s == nil {
		return c.no(at, "must be the name of a kind that is known")
	}
	return c.check(s, n, seen)
}

func (c *Checker) anyOf(list []*Schema, n uint32, seen *evaluated) bool {
	if len(list) == 1 {
		return c.check(list[0], n, seen)
	}
	found := false
	c.quiet++
	for _, s := range list {
		branch := seen.branch()
		if c.check(s, n, branch) {
			found = true
			seen.join(branch)
			if seen == nil {
				break
			}
		}
	}
	c.quiet--
	return found || c.no(n, "fits none of the ", strconv.Itoa(len(list)), " kinds that it may be of")
}

func (c *Checker) oneOf(list []*Schema, n uint32, seen *evaluated) bool {
	if len(list) == 1 {
		return c.check(list[0], n, seen)
	}
	found := 0
	c.quiet++
	for _, s := range list {
		branch := seen.branch()
		if c.check(s, n, branch) {
			if found++; found > 1 {
				break
			}
			seen.join(branch)
		}
	}
	c.quiet--
	switch found {
	case 1:
		return true
	case 0:
		return c.no(n, "fits none of the ", strconv.Itoa(len(list)), " kinds that it may be of")
	}
	return c.no(n, "fits more than one of the kinds of which it may be one")
}
