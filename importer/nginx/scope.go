package nginx

import "slices"

// scope is a block with those around it: most directives hold in the blocks
// within, unless these say something of the same kind.
type scope struct {
	parent *scope
	all    []*Directive
}

func (s *scope) within(block []*Directive) *scope { return &scope{s, block} }

// own returns the directives of this block itself with one of the names.
func (s *scope) own(names ...string) (found []*Directive) {
	for _, d := range s.all {
		if slices.Contains(names, d.Name) {
			found = append(found, d)
		}
	}
	return found
}

// nearest returns the directives with one of the names of the nearest block that
// has any, which is how nginx inherits lists, and that block.
func (s *scope) nearest(names ...string) ([]*Directive, *scope) {
	for ; s != nil; s = s.parent {
		if found := s.own(names...); len(found) > 0 {
			return found, s
		}
	}
	return nil, nil
}

// last returns the directive that holds, where only one can; nil for none.
func (s *scope) last(name string) *Directive {
	found, _ := s.nearest(name)
	if len(found) == 0 {
		return nil
	}
	return found[len(found)-1]
}

// arg returns the first argument of the directive that holds; "" for none.
func (s *scope) arg(name string) string {
	if d := s.last(name); d != nil && len(d.Args) > 0 {
		return d.Args[0]
	}
	return ""
}

// variable returns what a variable was set to, where that is plain text.
func (s *scope) variable(name string) (string, bool) {
	for ; s != nil; s = s.parent {
		for _, d := range s.own("set") {
			if len(d.Args) == 2 && d.Args[0] == "$"+name {
				return d.Args[1], len(variablesOf(d.Args[1])) == 0
			}
		}
	}
	return "", false
}

// walk calls f for every directive, blocks included.
func walk(all []*Directive, f func(*Directive)) {
	for _, d := range all {
		f(d)
		walk(d.Block, f)
	}
}
