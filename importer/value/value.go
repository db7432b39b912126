// Package value reads values of a YAML or JSON file whose shape others decide: what
// is not there, or has another shape, is empty.
package value

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gatehouse/config/tree"
)

// Node is a value of the file; the zero Node is one that is not there.
type Node struct{ Value *tree.Value }

// Read reads a file of at most 64 MiB; the error names the place of what is wrong.
func Read(name string, text []byte) (Node, error) {
	var problems []string
	root := tree.NewFile(filepath.Base(name), text).Parse(func(p tree.Problem) {
		problems = append(problems, fmt.Sprintf("%s: %s", p.Pos, p.Message))
	})
	if len(problems) > 0 {
		return Node{}, errors.New(strings.Join(problems[:min(len(problems), 10)], "\n"))
	}
	return Node{root}, nil
}

const maxFile = 64 << 20

// ReadFile is Read for a file on the disk.
func ReadFile(name string) (Node, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Node{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return Node{}, fmt.Errorf("%s is no file of at most %d bytes", name, maxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return Node{}, err
	}
	return Read(name, text)
}

// Get returns what a map holds under a key.
func (n Node) Get(key string) Node {
	if n.Value == nil || n.Value.Kind != tree.Map {
		return Node{}
	}
	if e := n.Value.Find(key); e != nil && e.Value.Kind != tree.Null {
		return Node{e.Value}
	}
	return Node{}
}

// Path is Get for one key after the other.
func (n Node) Path(keys ...string) Node {
	for _, key := range keys {
		n = n.Get(key)
	}
	return n
}

// There reports whether there is anything.
func (n Node) There() bool { return n.Value != nil }

// Line is the line that it stands in; 0 for nothing.
func (n Node) Line() int {
	if n.Value == nil {
		return 0
	}
	return n.Value.Pos.Line
}

// Text is a scalar's; "" for anything else.
func (n Node) Text() string {
	if n.Value == nil || n.Value.Kind != tree.Scalar {
		return ""
	}
	return n.Value.Text
}

// Items are a list's, and a scalar's alone.
func (n Node) Items() []Node {
	if n.Value == nil {
		return nil
	}
	switch n.Value.Kind {
	case tree.List:
		out := make([]Node, 0, len(n.Value.Items))
		for _, item := range n.Value.Items {
			out = append(out, Node{item})
		}
		return out
	case tree.Scalar:
		return []Node{n}
	}
	return nil
}

// Texts are the scalars among the items.
func (n Node) Texts() (out []string) {
	for _, item := range n.Items() {
		if text := item.Text(); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// Number is a scalar's value; false for what is none that can be used.
func (n Node) Number() (float64, bool) {
	f, err := strconv.ParseFloat(n.Text(), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 || f > 1e12 {
		return 0, false
	}
	return f, true
}

// Integer is Number without a fraction, up to 2^30.
func (n Node) Integer(otherwise int) int {
	if f, ok := n.Number(); ok && f <= 1<<30 {
		return int(f)
	}
	return otherwise
}

// IsTrue reports whether it is true, and no text.
func (n Node) IsTrue() bool {
	return n.Value != nil && n.Value.Plain && strings.EqualFold(n.Value.Text, "true")
}

// IsFalse reports whether it is false, and no text.
func (n Node) IsFalse() bool {
	return n.Value != nil && n.Value.Plain && strings.EqualFold(n.Value.Text, "false")
}

// Keys are a map's.
func (n Node) Keys() (out []string) {
	if n.Value == nil {
		return nil
	}
	for _, e := range n.Value.Entries {
		out = append(out, e.Key)
	}
	return out
}

// Name is what a reference names: text, or {name: text} or {id: text}.
func (n Node) Name() string {
	if text := n.Text(); text != "" {
		return text
	}
	if name := n.Get("name").Text(); name != "" {
		return name
	}
	return n.Get("id").Text()
}
