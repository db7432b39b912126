package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"gatehouse/config/tree"
)

// list decodes a list, or the one item that may stand for it.
func (d *decoder) list(n *Node, v reflect.Value, r rules) {
	t := v.Type()
	if t.Elem().Kind() == reflect.Uint8 {
		panic(fmt.Sprintf("config: cannot decode into %v: a File or a string holds bytes", t))
	}
	switch {
	case n.v.Kind == List:
	case n.v.Kind == Null:
		return
	case r.single:
		out := reflect.MakeSlice(t, 1, 1)
		r.single = false
		d.decode(n, out.Index(0), r)
		v.Set(out)
		return
	default:
		n.problem("write it as a list: [ ... ]", "wanted a list, got "+n.got())
		return
	}
	r.single = false
	out := reflect.MakeSlice(t, 0, min(len(n.v.Items), 1024))
	for i := range n.v.Items {
		item := reflect.New(t.Elem()).Elem()
		d.decode(n.item(i), item, r)
		out = reflect.Append(out, item)
	}
	v.Set(out)
}

// mapping decodes a map whose keys are names that the operator chooses.
func (d *decoder) mapping(n *Node, v reflect.Value, r rules) {
	t := v.Type()
	switch n.v.Kind {
	case Map:
	case Null:
		return
	default:
		n.problem("", "wanted a map, got "+n.got())
		return
	}
	out := reflect.MakeMapWithSize(t, min(len(n.v.Entries), 1024))
	for _, e := range n.v.Entries {
		key := reflect.New(t.Key()).Elem()
		if !d.mapKey(n, e, key) {
			e.Value.File.Unseen(e.Pos, e.Value)
			continue
		}
		item := n.entry(e)
		item.key = e.Key
		content := reflect.New(t.Elem()).Elem()
		d.decode(item, content, r)
		if out.MapIndex(key).IsValid() {
			d.report.Add(Problem{Pos: e.Pos, Path: item.path.String(), Message: fmt.Sprintf("%q names an entry that another key names too", tree.Shorten(e.Key))})
			continue
		}
		out.SetMapIndex(key, content)
	}
	v.Set(out)
}

// mapKey decodes the key of a map's entry.
func (d *decoder) mapKey(n *Node, e tree.Entry, key reflect.Value) bool {
	if key.Kind() == reflect.String && !isText(key.Type()) {
		if !isName(e.Key) {
			d.report.Add(Problem{
				Pos: e.Pos, Path: n.step(e.Key, -1).String(),
				Message: fmt.Sprintf("%q is not a name", tree.Shorten(e.Key)),
				Hint:    "names begin with a letter or a digit, and go on with letters, digits, _ . and -, up to 128",
			})
			return false
		}
		key.SetString(e.Key)
		return true
	}
	as := &Node{d: d, v: &tree.Value{Kind: Scalar, Text: e.Key, Plain: true, Pos: e.Pos, File: e.Value.File}, at: e.Pos, path: n.step(e.Key, -1)}
	as.expanded = &expansion{text: e.Key, literal: true}
	return d.decode(as, key, rules{})
}

// isName reports whether s is [A-Za-z0-9][A-Za-z0-9_.-]{0,127}.
func isName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// plainData returns n as YAML's core schema reads it: nil, bool, int64,
// float64, string, []any or map[string]any.
func (d *decoder) plainData(n *Node) any {
	switch n.v.Kind {
	case Null:
		return nil
	case Scalar:
		text, ok := n.Text()
		if !ok || !n.v.Plain || n.isExpanded() {
			return text
		}
		return plainScalar(text)
	case List:
		out := make([]any, 0, min(len(n.v.Items), 1024))
		for i := range n.v.Items {
			item := n.item(i)
			if d.spend(item) {
				out = append(out, d.plainData(item))
			}
		}
		return out
	}
	out := make(map[string]any, min(len(n.v.Entries), 1024))
	for _, e := range n.v.Entries {
		item := n.entry(e)
		if d.spend(item) {
			out[e.Key] = d.plainData(item)
		}
	}
	return out
}

// plainScalar reads an unquoted scalar.
func plainScalar(text string) any {
	if b, ok := parseBool(text); ok {
		return b
	}
	if digits, base, ok := wholeNumber(text); ok {
		if i, err := strconv.ParseInt(digits, base, 64); err == nil {
			return i
		}
	}
	if f, ok := parseFloat(text); ok && !math.IsInf(f, 0) {
		return f
	}
	return text
}
