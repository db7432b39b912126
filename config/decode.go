package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"gatehouse/config/tree"
)

// What one configuration may cost.
const (
	maxConfig   = 2 << 20   // bytes of one file of YAML
	maxFile     = 16 << 20  // bytes of a file that a value names
	maxExpanded = 1 << 20   // bytes that one ${file:...} stands for
	maxNodes    = 1_000_000 // values decoded, aliases counted each time
)

// decoder turns the values of one configuration into Go values and collects
// what is wrong with them.
type decoder struct {
	report  Report
	options Options
	sources *Sources
	byFile  map[*tree.File]*source
	plans   map[reflect.Type]*plan
	nodes   int
	stopped bool
}

func newDecoder(options Options) *decoder {
	return &decoder{
		options: options, sources: new(Sources),
		byFile: make(map[*tree.File]*source), plans: make(map[reflect.Type]*plan),
	}
}

// tooMuch reports once that the configuration is larger than any that makes
// sense, and stops the decoding.
func (d *decoder) tooMuch(at Pos) {
	if !d.stopped {
		d.report.Add(Problem{Pos: at, Message: fmt.Sprintf("more than %d values, aliases counted each time", maxNodes)})
	}
	d.stopped = true
}

// spend pays for decoding one node.
func (d *decoder) spend(n *Node) bool {
	d.nodes++
	switch {
	case d.stopped:
	case d.nodes > maxNodes:
		d.tooMuch(n.v.Pos)
	case d.report.found > maxProblems:
		d.stopped = true
	case n.path != nil && n.path.depth > tree.MaxDepth:
		n.problem("", fmt.Sprintf("lists and maps nest deeper than %d", tree.MaxDepth))
		return false
	}
	return !d.stopped
}

// decode sets v from n and reports whether it did so without an error.
func (d *decoder) decode(n *Node, v reflect.Value, r rules) bool {
	before := d.report.found
	if !d.spend(n) {
		return false
	}
	d.dispatch(n, v, r)
	if d.report.found == before {
		d.check(n, v)
	}
	return d.report.found == before && !n.isBroken()
}

// check lets a section check itself, unless no file says it.
func (d *decoder) check(n *Node, v reflect.Value) {
	if v.Kind() == reflect.Pointer || !v.CanAddr() || !n.v.Pos.IsValid() {
		return
	}
	if isSection(v.Type()) {
		for _, index := range d.plan(v.Type()).checks {
			d.checkOne(n, v.FieldByIndex(index))
		}
	}
	d.checkOne(n, v)
}

func (d *decoder) checkOne(n *Node, v reflect.Value) {
	c, ok := v.Addr().Interface().(Checker)
	if !ok {
		return
	}
	before := len(d.report.problems)
	c.Check(&d.report)
	for i := before; i < len(d.report.problems); i++ {
		p := &d.report.problems[i]
		if p.Path == "" {
			p.Path = n.path.String()
		}
		if !p.Pos.IsValid() {
			p.Pos = n.v.Pos
		}
	}
}

func (d *decoder) dispatch(n *Node, v reflect.Value, r rules) {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		target := reflect.New(t.Elem())
		v.Set(target) // also a part of it: At.Broken tells
		d.decode(n, target.Elem(), r)
	case isBuiltin(t):
		d.builtin(n, v, r)
	case implements[Unmarshaler](t):
		d.unmarshal(n, v)
	case isText(t):
		d.text(n, v, r)
	default:
		d.kind(n, v, r)
	}
}

func (d *decoder) kind(n *Node, v reflect.Value, r rules) {
	switch v.Kind() {
	case reflect.Struct:
		d.section(n, v)
	case reflect.Map:
		d.mapping(n, v, r)
	case reflect.Slice:
		d.list(n, v, r)
	case reflect.Interface:
		if v.NumMethod() > 0 {
			panic(fmt.Sprintf("config: cannot decode into %v", v.Type()))
		}
		if data := d.plainData(n); data != nil {
			v.Set(reflect.ValueOf(data))
		}
	default:
		d.scalar(n, v, r)
	}
}

// unmarshal lets a value read itself, from where its defaults leave off.
func (d *decoder) unmarshal(n *Node, v reflect.Value) {
	if v.Kind() == reflect.Struct {
		p := d.plan(v.Type())
		p.place(n, v)
		d.defaults(n, v, p, nil)
	}
	v.Addr().Interface().(Unmarshaler).UnmarshalConfig(n)
}

// text decodes a scalar with a form of its own.
func (d *decoder) text(n *Node, v reflect.Value, r rules) {
	want := textForms(v.Type())
	text, ok := d.scalarText(n, cmp.Or(want, "text"))
	if !ok {
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		n.refuse(v.Type(), want, err)
		return
	}
	d.enforce(n, v, text, r)
}

// refuse says why a text type did not take n's text: "is no rate: ..." goes on
// behind the text itself. The type's own words may tell the text, which is
// right only where the file says it.
func (n *Node) refuse(t reflect.Type, want string, err error) {
	words := err.Error()
	switch hint, isHint := errors.AsType[hintError](err); {
	case want != "" && isHint && !n.isExpanded():
		n.problem(string(hint), fmt.Sprintf("wanted %s, got %s", want, n.got()))
	case want != "":
		n.problem("", fmt.Sprintf("wanted %s, got %s", want, n.got()))
	case n.isExpanded():
		n.problem("", fmt.Sprintf("%s is no valid %s", n.got(), strings.ToLower(t.Name())))
	case strings.HasPrefix(words, "is "):
		n.problem("", fmt.Sprintf("%q %s", tree.Shorten(n.v.Text), words))
	default:
		n.problem("", fmt.Sprintf("%q: %s", tree.Shorten(n.v.Text), words))
	}
}

// hintError is an error of this package's own text types that says the cure.
type hintError string

func (e hintError) Error() string { return string(e) }

// textForms describes the text types of the standard library that
// configurations use, whose own errors name Go functions.
func textForms(t reflect.Type) string {
	switch t.String() {
	case "netip.Prefix":
		return "an address range such as 10.0.0.0/8"
	case "netip.Addr":
		return "an IP address"
	case "netip.AddrPort":
		return "an IP address and a port"
	case "config.Duration":
		return "a duration such as 250ms, 1m30s or 2d"
	case "config.Size":
		return "a size such as 512, 64KiB or 10MB"
	}
	return ""
}
