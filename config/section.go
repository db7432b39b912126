package config

import (
	"fmt"
	"reflect"
	"strings"

	"gatehouse/config/tree"
)

// section decodes a map, key by key, into a struct. Nothing stands for a
// section that says nothing.
func (d *decoder) section(n *Node, v reflect.Value) {
	p := d.plan(v.Type())
	at := p.place(n, v)
	if n.v.Kind == Scalar || n.v.Kind == List {
		n.problem(knownKeys(p.names), "wanted a map, got "+n.got())
		at.harm(anyKey)
		d.defaults(n, v, p, nil)
		return
	}
	written := make(map[*field]bool, len(n.v.Entries))
	for _, e := range n.v.Entries {
		f := p.byName[e.Key]
		if f == nil {
			d.unknownKey(n, e, p, at)
			continue
		}
		written[f] = true
		if !d.decode(n.entry(e), v.FieldByIndex(f.index), f.rules) {
			at.harm(f.name)
		}
	}
	d.missing(n, p, written, at)
	d.defaults(n, v, p, written)
}

func knownKeys(names []string) string {
	if len(names) == 0 || len(names) > 8 {
		return ""
	}
	return "its keys: " + strings.Join(names, ", ")
}

// place fills in where the section stands and which key it has in its map.
func (p *plan) place(n *Node, v reflect.Value) At {
	at := At{Pos: n.at, keys: make(map[string]keyState, len(n.v.Entries))}
	for _, e := range n.v.Entries {
		at.keys[e.Key] = keyState{pos: e.Pos}
	}
	for _, index := range p.places {
		v.FieldByIndex(index).Set(reflect.ValueOf(at))
	}
	if p.key != nil && n.key != "" {
		v.FieldByIndex(p.key).SetString(n.key)
	}
	return at
}

func (d *decoder) unknownKey(n *Node, e tree.Entry, p *plan, at At) {
	if d.report.found > maxProblems {
		return
	}
	e.Value.File.Unseen(e.Pos, e.Value)
	path := n.step(e.Key, -1)
	if what := d.options.planned(path); what != "" {
		d.report.Add(notYet(e.Pos, path, what))
		return
	}
	near := Nearest(e.Key, p.names)
	at.harm(near) // anyKey where none is near
	if f := p.byName[near]; f != nil && indirect(f.typ) == reflect.TypeFor[Secret]() {
		e.Value.File.Mask(e.Value)
	}
	d.report.Add(Problem{
		Pos: e.Pos, Path: path.String(),
		Message: fmt.Sprintf("unknown key %q", tree.Shorten(e.Key)), Hint: suggestion(e.Key, p.names),
	})
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func (d *decoder) missing(n *Node, p *plan, written map[*field]bool, at At) {
	for _, f := range p.fields {
		if f.required && !written[f] {
			at.harm(f.name)
			n.problem(f.doc, fmt.Sprintf("the key %q is missing", f.name))
		}
	}
}

// defaults sets what was not written to its default, sections within included:
// the keys of a section have their defaults even where no file says the
// section.
func (d *decoder) defaults(n *Node, v reflect.Value, p *plan, written map[*field]bool) {
	for _, f := range p.fields {
		if written[f] {
			continue
		}
		v := v.FieldByIndex(f.index)
		switch {
		case f.hasDefault:
			d.decode(n.fallback(f), v, f.rules)
		case v.Kind() == reflect.Struct && !isBuiltin(v.Type()) && !isText(v.Type()):
			inner := &Node{d: d, v: &tree.Value{File: n.v.File}, at: n.at, path: n.step(f.name, -1)}
			d.defaults(inner, v, d.plan(v.Type()), nil)
		}
	}
}

// fallback returns a field's default as if it were written, but nowhere.
func (n *Node) fallback(f *field) *Node {
	scalar := func(text string) *tree.Value {
		return &tree.Value{Kind: Scalar, Text: text, Plain: true, File: n.v.File}
	}
	v := scalar(f.def)
	if indirect(f.typ).Kind() == reflect.Slice && !isText(f.typ) && !implements[Unmarshaler](f.typ) {
		v = &tree.Value{Kind: List, File: n.v.File}
		for item := range strings.SplitSeq(f.def, ",") {
			if item = strings.TrimSpace(item); item != "" {
				v.Items = append(v.Items, scalar(item))
			}
		}
	}
	return &Node{d: n.d, v: v, at: n.at, path: n.step(f.name, -1)}
}
