package policy

import (
	"bytes"
	"strings"

	"gatehouse/config"
	"gatehouse/config/tree"
)

// value is one value of a document, whatever it was written in. What a text,
// number or bool means depends on the element that it stands under, so all
// three are texts here.
type value struct {
	kind    config.Kind
	text    string
	at      config.Pos
	items   []*value
	entries []entry
	yaml    bool // it stands in YAML
}

type entry struct {
	key   string
	at    config.Pos
	value *value
}

// size is about how long the value is as JSON without white space: what limits
// of policies count.
func (v *value) size() int {
	n := len(v.text) + 2
	for _, item := range v.items {
		n += item.size() + 1
	}
	for _, e := range v.entries {
		n += len(e.key) + 4 + e.value.size()
	}
	return n
}

// fromNode reads a value that stands in a configuration. ${ belongs to the
// policy there, unless it begins ${env: or ${file:, which bring text.
func fromNode(n *config.Node) *value {
	v := &value{kind: n.Kind(), at: n.Pos(), yaml: true}
	if v.kind == config.Scalar {
		text, _ := n.Template()
		v.text = strings.ReplaceAll(text, "$${", "${$}{") // how a policy writes ${ itself
		return v
	}
	n.Each(func(key string, at config.Pos, inner *config.Node) {
		if v.kind == config.Map {
			v.entries = append(v.entries, entry{key, at, fromNode(inner)})
			return
		}
		v.items = append(v.items, fromNode(inner))
	})
	return v
}

// joined returns the text that a map of one key is meant for: within brackets
// the YAML library takes sts:AssumeRole for a map.
func (v *value) joined() (*value, bool) {
	if !v.yaml || v.kind != config.Map || len(v.entries) != 1 {
		return v, false
	}
	inner := v.entries[0].value
	if joined, ok := inner.joined(); ok {
		inner = joined
	}
	return &value{kind: config.Scalar, text: v.entries[0].key + ":" + inner.text, at: v.entries[0].at}, inner.kind == config.Scalar
}

// parseFile reads a document's file: YAML where it is called so, JSON where it
// is called that or begins with a brace, else YAML. It returns nil where there is none, which it then reports.
func parseFile(name string, data []byte, r *config.Report) *value {
	isYAML := strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
	if strings.HasSuffix(name, ".json") || !isYAML && bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJSON(name, data, r)
	}
	broken := false
	root := tree.NewFile(name, data).Parse(func(p tree.Problem) {
		broken = true
		r.Add(config.Problem{Pos: p.Pos, Message: p.Message, Hint: p.Hint})
	})
	if root == nil || broken {
		return nil
	}
	return fromTree(root)
}

func fromTree(t *tree.Value) *value {
	v := &value{kind: t.Kind, text: t.Text, at: t.Pos, yaml: true}
	for _, item := range t.Items {
		v.items = append(v.items, fromTree(item))
	}
	for _, e := range t.Entries {
		v.entries = append(v.entries, entry{e.Key, e.Pos, fromTree(e.Value)})
	}
	return v
}
