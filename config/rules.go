package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// rules bound the scalars of a field, wherever they stand in it: in a list or
// a map too.
type rules struct {
	enum   []string
	limits *limits
	single bool // one item may stand for a list of one
}

// limits are the two sides of a range tag; an empty side is open.
type limits struct{ low, high string }

func (l *limits) String() string {
	switch {
	case l.low == "":
		return "at most " + l.high
	case l.high == "":
		return "at least " + l.low
	}
	return l.low + " to " + l.high
}

// enforce holds a scalar, decoded from text, to its enum and its range.
func (d *decoder) enforce(n *Node, v reflect.Value, text string, r rules) {
	if len(r.enum) > 0 && !slices.Contains(r.enum, text) {
		hint := ""
		if near := Nearest(text, r.enum); near != "" && !n.isExpanded() {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		n.problem(hint, fmt.Sprintf("wanted %s, got %s", oneOf(r.enum), n.got()))
	}
	if l := r.limits; l != nil && (l.low != "" && compareBound(v, l.low) < 0 || l.high != "" && compareBound(v, l.high) > 0) {
		n.problem("", fmt.Sprintf("wanted %v, got %s", l, n.got()))
	}
}

// oneOf lists names to choose from.
func oneOf(names []string) string {
	last := len(names) - 1
	if last <= 0 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// isBound reports whether text, unless it is empty, bounds a t.
func isBound(t reflect.Type, text string) bool {
	v := reflect.New(t).Elem()
	return (v.CanInt() || v.CanUint() || v.CanFloat()) && (text == "" || setBound(v, text))
}

// setBound sets b, of a type with a range, from a bound of that range, which
// is written as a value itself is.
func setBound(b reflect.Value, text string) bool {
	if t, ok := b.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(text)) == nil
	}
	_, set := scalarForms(b)
	_, err := set(text)
	return err == nil
}

// compareBound compares a number with a bound of its range.
func compareBound(v reflect.Value, bound string) int {
	b := reflect.New(v.Type()).Elem()
	setBound(b, bound)
	switch {
	case v.CanInt():
		return cmp.Compare(v.Int(), b.Int())
	case v.CanUint():
		return cmp.Compare(v.Uint(), b.Uint())
	}
	return cmp.Compare(v.Float(), b.Float())
}
