package kong

import (
	"math"
	"strconv"
	"strings"

	"gatehouse/config/tree"
)

// node is a value of the file; a nil one is one that is not there.
type node struct{ v *tree.Value }

func (n node) get(key string) node {
	if n.v == nil || n.v.Kind != tree.Map {
		return node{}
	}
	if e := n.v.Find(key); e != nil && e.Value.Kind != tree.Null {
		return node{e.Value}
	}
	return node{}
}

// path is get for one key after the other.
func (n node) path(keys ...string) node {
	for _, key := range keys {
		n = n.get(key)
	}
	return n
}

func (n node) there() bool { return n.v != nil }

func (n node) line() int {
	if n.v == nil {
		return 0
	}
	return n.v.Pos.Line
}

// text is a scalar's; "" for anything else.
func (n node) text() string {
	if n.v == nil || n.v.Kind != tree.Scalar {
		return ""
	}
	return n.v.Text
}

// items are a list's, and a scalar's alone.
func (n node) items() []node {
	if n.v == nil {
		return nil
	}
	switch n.v.Kind {
	case tree.List:
		out := make([]node, 0, len(n.v.Items))
		for _, item := range n.v.Items {
			out = append(out, node{item})
		}
		return out
	case tree.Scalar:
		return []node{n}
	}
	return nil
}

func (n node) texts() (out []string) {
	for _, item := range n.items() {
		if text := item.text(); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// number is a scalar's value; false for what is none that can be used.
func (n node) number() (float64, bool) {
	f, err := strconv.ParseFloat(n.text(), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 || f > 1e12 {
		return 0, false
	}
	return f, true
}

func (n node) integer(otherwise int) int {
	if f, ok := n.number(); ok && f <= 1<<30 {
		return int(f)
	}
	return otherwise
}

func (n node) isTrue() bool  { return n.v != nil && n.v.Plain && strings.EqualFold(n.v.Text, "true") }
func (n node) isFalse() bool { return n.v != nil && n.v.Plain && strings.EqualFold(n.v.Text, "false") }

// keys are a map's.
func (n node) keys() (out []string) {
	if n.v == nil {
		return nil
	}
	for _, e := range n.v.Entries {
		out = append(out, e.Key)
	}
	return out
}

// name is what a reference names: text, or {name: text} or {id: text}.
func (n node) name() string {
	if text := n.text(); text != "" {
		return text
	}
	if name := n.get("name").text(); name != "" {
		return name
	}
	return n.get("id").text()
}
