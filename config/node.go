package config

import (
	"fmt"
	"io"
	"reflect"
	"strconv"

	"gatehouse/config/tree"
)

// Checker is a section that checks itself. Check is called once the section
// and everything below it has been decoded without an error; what it finds it
// adds to r, naming places by the section's At. A section that no file says is
// not checked.
type Checker interface {
	Check(r *Report)
}

// Unmarshaler is a value with forms of its own, such as a scalar that stands
// for a whole section. A value that is always one scalar implements
// encoding.TextUnmarshaler instead.
//
// Before the call the receiver has the defaults of its tags, its At and, in a
// map, its key.
type Unmarshaler interface {
	// UnmarshalConfig sets the receiver from n. What is wrong is added to
	// the Report by n's own methods.
	UnmarshalConfig(n *Node)
}

// Schemer is a type whose JSON Schema cannot be read off its Go type: every
// Unmarshaler, and text types with a pattern.
type Schemer interface {
	ConfigSchema() *Schema
}

// Kind is the shape of a Node.
type Kind = tree.Kind

// The shapes.
const (
	Null   = tree.Null
	Scalar = tree.Scalar
	List   = tree.List
	Map    = tree.Map
)

// Node is one value as it stands in a file, for Unmarshalers. It is valid only
// during the call that it is given to.
type Node struct {
	d        *decoder
	v        *tree.Value
	at       Pos    // the place of its key or, in a list, its own
	key      string // the map key, for the field that takes it
	path     *step
	expanded *expansion
	template bool // ${ may begin a name that the reader knows
}

// step is the last part of the way to a node.
type step struct {
	up    *step
	key   string
	index int // of an item; -1 for a key
	depth int
	shown bool // key is shown as it stands, whatever it holds
}

func (s *step) String() string {
	switch {
	case s == nil:
		return ""
	case s.shown:
		return s.key
	case s.index >= 0:
		return s.up.String() + "[" + strconv.Itoa(s.index) + "]"
	case !isName(s.key):
		return s.up.String() + "[" + strconv.Quote(tree.Shorten(s.key)) + "]"
	case s.up == nil:
		return s.key
	}
	return s.up.String() + "." + s.key
}

func (n *Node) step(key string, index int) *step {
	s := &step{up: n.path, key: key, index: index, depth: 1}
	if n.path != nil {
		s.depth = n.path.depth + 1
	}
	return s
}

// entry returns the node of a map's entry.
func (n *Node) entry(e tree.Entry) *Node {
	return &Node{d: n.d, v: e.Value, at: e.Pos, path: n.step(e.Key, -1)}
}

// item returns the node of a list's item.
func (n *Node) item(i int) *Node {
	return &Node{d: n.d, v: n.v.Items[i], at: n.v.Items[i].Pos, path: n.step("", i)}
}

// Kind returns the node's shape.
func (n *Node) Kind() Kind { return n.v.Kind }

// Pos returns where the node stands.
func (n *Node) Pos() Pos { return n.v.Pos }

// Text returns a scalar's text, references expanded; false where the node is
// no scalar, or where a reference could not be expanded, which has then been
// reported.
func (n *Node) Text() (string, bool) {
	if n.v.Kind != Scalar {
		return "", false
	}
	x := n.expand()
	return x.text, !x.broken
}

// Template is Text for a template, whose reader knows further names in ${}: they
// stay as they are, and so does $${, which stands for ${. What comes from the
// environment or from a file is text, its ${ escaped so.
func (n *Node) Template() (string, bool) {
	n.template = true
	return n.Text()
}

// Hide keeps the node's text out of every message and of every line that is
// echoed, as that of a Secret is.
func (n *Node) Hide() {
	n.v.File.Mask(n.v)
	if n.v.Kind == Scalar && n.expand().literal {
		n.d.sources.hide(n.expand().text, redacted, n.v.Pos)
	}
}

// Decode decodes the node into the value that into points to, by the rules of
// the package, and reports whether it did so without an error. To decode the
// long form from within its own UnmarshalConfig, convert the receiver to a
// type without that method.
func (n *Node) Decode(into any) bool {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("config: Decode wants a pointer, not %T", into))
	}
	return n.d.decode(n, v.Elem(), rules{})
}

// Each calls f for every entry of a map (key set) or item of a list (key
// empty), in the order of the file.
func (n *Node) Each(f func(key string, keyPos Pos, value *Node)) {
	for _, e := range n.v.Entries {
		f(e.Key, e.Pos, n.entry(e))
	}
	for i, item := range n.v.Items {
		f("", item.Pos, n.item(i))
	}
}

// Errorf adds a problem at the node. Where the node's text comes from the
// environment or from a file, the arguments are left out of the message, since
// they may tell it.
func (n *Node) Errorf(format string, args ...any) {
	if !n.isExpanded() {
		n.problem("", fmt.Sprintf(format, args...))
		return
	}
	for i := range args {
		args[i] = hidden{}
	}
	n.problem("", n.got()+": "+fmt.Sprintf(format, args...))
}

// Unknown adds a problem for a node that should have been one of known, as
// Report.Unknown does.
func (n *Node) Unknown(what, name string, known []string) {
	if n.isExpanded() {
		n.problem(suggestion("", known), n.got()+" is an unknown "+what)
		return
	}
	n.problem(suggestion(name, known), fmt.Sprintf("unknown %s %q", what, tree.Shorten(name)))
}

// problem adds a problem at the node, or at the section around it where no
// file says the node. One is enough for a node whose references stand for
// nothing: whoever reads it would complain of an absent text.
func (n *Node) problem(hint, message string) {
	if n.isBroken() {
		return
	}
	at := n.v.Pos
	if !at.IsValid() {
		at = n.at
	}
	n.d.report.Add(Problem{Pos: at, Path: n.path.String(), Message: message, Hint: hint})
}

// isBroken reports whether a reference of the node could not be expanded,
// which has been reported.
func (n *Node) isBroken() bool { return n.expanded != nil && n.expanded.broken }

func (n *Node) isExpanded() bool { return n.expanded != nil && n.expanded.foreign }

// hidden prints in the place of an argument that must not be told.
type hidden struct{}

func (hidden) Format(f fmt.State, _ rune) { io.WriteString(f, "...") }
