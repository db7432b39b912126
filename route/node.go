package route

import (
	"strings"

	"gatehouse/exchange"
)

// node is a place in a stage's tree of paths. Its children are the segments
// that can follow.
type node[T any] struct {
	name     string              // the first literal's, for most nodes have but one
	first    *node[T]            // what it leads to
	literals map[string]*node[T] // the others
	param    *node[T]
	here     *leaf[T] // the path ends here
	plus     *leaf[T] // {name+} follows
	star     *leaf[T] // {name*} follows
}

// leaf is what a path leads to: one entry for each route with that path, those
// with the most conditions first.
type leaf[T any] struct {
	entries []entry[T]
	plain   Methods // of the entries without conditions
	narrow  bool    // some entries have conditions
}

type entry[T any] struct {
	methods    Methods
	conditions []condition
	params     []param
	value      T
}

// param is a parameter of an entry: the index of its segment below the stage.
type param struct {
	name   string
	index  int
	greedy bool
}

// search is one lookup in one tree. It goes depth first, the literal before the
// parameter before the rest, so that the first hit is the most specific path,
// compared from left to right. Each node of the tree is visited at most once.
type search[T any] struct {
	q        *Request
	segments []string
	wanted   [3]Methods
	found    *entry[T]
	allow    Methods // of the paths that matched without the method
}

func (s *search[T]) walk(n *node[T], depth int) bool {
	if depth == len(s.segments) {
		return s.try(n.here) || s.try(n.star)
	}
	if child := n.literal(s.segments[depth]); child != nil && s.walk(child, depth+1) {
		return true
	}
	if n.param != nil && s.walk(n.param, depth+1) {
		return true
	}
	return s.try(n.plus) || s.try(n.star)
}

func (n *node[T]) literal(segment string) *node[T] {
	if n.name == segment {
		return n.first
	}
	return n.literals[segment]
}

// try looks for the method among the routes of one path: the method itself
// before the one that stands in for it before ANY.
func (s *search[T]) try(l *leaf[T]) bool {
	if l == nil {
		return false
	}
	for _, wanted := range s.wanted {
		for i := range l.entries {
			if e := &l.entries[i]; e.methods&wanted != 0 && e.met(s.q) {
				s.found = e
				return true
			}
		}
	}
	s.allow |= l.allowed(s.q)
	return false
}

// allowed returns the methods that the path takes from a request such as q.
func (l *leaf[T]) allowed(q *Request) Methods {
	if !l.narrow {
		return l.plain
	}
	all := l.plain
	for i := range l.entries {
		if e := &l.entries[i]; e.met(q) {
			all |= e.methods
		}
	}
	return all
}

func (e *entry[T]) met(q *Request) bool {
	for i := range e.conditions {
		if !e.conditions[i].met(q) {
			return false
		}
	}
	return true
}

func (e *entry[T]) appendParams(params []exchange.Param, path *exchange.Path, skip int) []exchange.Param {
	for _, p := range e.params {
		at := skip + p.index
		if p.greedy {
			params = append(params, exchange.Param{Name: p.name, Value: rest(path, at), First: at, Count: len(path.Segments) - at})
			continue
		}
		params = append(params, exchange.Param{Name: p.name, Value: path.Segments[at], First: at, Count: 1})
	}
	return params
}

// rest returns the segments from at on, with "/" between them. Where nothing in
// the path was encoded this is a part of the path itself and costs nothing.
func rest(path *exchange.Path, at int) string {
	segments := path.Segments[at:]
	switch len(segments) {
	case 0:
		return ""
	case 1:
		return segments[0]
	}
	start, length := 0, 0
	for i, s := range path.Segments {
		if i == at {
			start = length + 1
		}
		length += 1 + len(s)
	}
	raw := len(path.Raw)
	if path.Slash {
		raw--
	}
	if length == raw {
		return path.Raw[start:raw]
	}
	return strings.Join(segments, "/")
}
