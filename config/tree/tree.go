package tree

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// builder turns the AST of one file into Values: aliases resolved, merge keys
// merged, duplicate keys reported.
type builder struct {
	file    *File
	report  func(Problem)
	anchors map[string]*Value // nil while the anchor's own value is being built
	merged  int
}

func (b *builder) pos(t *token.Token) Pos {
	if t == nil || t.Position == nil {
		return Pos{b.file.Name, 1, 1}
	}
	return b.file.clamp(t.Position.Line, t.Position.Column)
}

func (b *builder) errorf(at Pos, hint, format string, args ...any) {
	b.report(Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// build returns the value of n; never nil.
func (b *builder) build(n ast.Node) *Value {
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(n.Start, n.Values)
	case *ast.MappingValueNode:
		return b.mapping(n.Start, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		return b.sequence(n)
	case *ast.AnchorNode:
		return b.anchor(n)
	case *ast.AliasNode:
		return b.alias(n)
	case *ast.TagNode:
		return b.tag(n)
	case *ast.LiteralNode:
		v := &Value{Kind: Scalar, Pos: b.pos(n.Start), last: n.Start, File: b.file}
		if n.Value != nil {
			v.Text, v.last = n.Value.Value, n.Value.Token
		}
		return v
	}
	return b.scalar(n)
}

// scalar keeps the text as it was written, because what it means depends on
// where it is decoded: 012 is a fine account and a poor number.
func (b *builder) scalar(n ast.Node) *Value {
	if n == nil || n.GetToken() == nil {
		return &Value{Kind: Null, Pos: b.pos(nil), File: b.file}
	}
	t := n.GetToken()
	v := &Value{Kind: Scalar, Text: t.Value, Pos: b.pos(t), last: t, File: b.file}
	switch t.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
	case token.ImplicitNullType:
		v.Kind, v.Text = Null, ""
	case token.NullType:
		v.Kind = Null
	default:
		v.Plain = true
	}
	return v
}

func (b *builder) sequence(n *ast.SequenceNode) *Value {
	v := &Value{Kind: List, Pos: b.pos(n.Start), last: n.Start, File: b.file}
	for _, item := range n.Values {
		v.Items = append(v.Items, b.build(item))
	}
	return v
}

// mapping builds a map. Keys that merge keys bring in come last and only where
// the map does not say them itself.
func (b *builder) mapping(start *token.Token, pairs []*ast.MappingValueNode) *Value {
	v := &Value{Kind: Map, Pos: b.pos(start), last: start, File: b.file}
	places := make(map[string]Pos, len(pairs))
	var merges []*Value
	for i, pair := range pairs {
		if i == 0 && start != nil && start.Type == token.MappingValueType {
			v.Pos = b.pos(pair.Key.GetToken())
		}
		if pair.Key.IsMergeKey() {
			merges = append(merges, b.build(pair.Value))
			continue
		}
		key, at, ok := b.key(pair.Key)
		child := b.build(pair.Value)
		if !ok {
			continue
		}
		if first, again := places[key]; again {
			b.file.Unseen(at, child)
			b.errorf(at, "keep one of the two", "duplicate key %q: first said at line %d", Shorten(key), first.Line)
			continue
		}
		places[key] = at
		v.Entries = append(v.Entries, Entry{key, at, child})
	}
	for _, m := range merges {
		b.merge(v, places, m)
	}
	return v
}

// key returns the text and the place of a map's key.
func (b *builder) key(n ast.MapKeyNode) (string, Pos, bool) {
	var node ast.Node = n
	if k, ok := n.(*ast.MappingKeyNode); ok && k.Value != nil {
		node = k.Value
	}
	at := b.pos(node.GetToken())
	v := b.build(node)
	if v.Kind != Scalar {
		b.errorf(at, "", "a key must be plain text")
		return "", at, false
	}
	return v.Text, at, true
}

// merge adds the entries of m, the value of a merge key, to v.
func (b *builder) merge(v *Value, places map[string]Pos, m *Value) {
	if m.Kind == List {
		for _, item := range m.Items {
			if item.Kind == List {
				b.errorf(item.Pos, "", "a merge key takes a map or a list of maps")
				continue
			}
			b.merge(v, places, item)
		}
		return
	}
	if m.Kind != Map {
		b.errorf(m.Pos, "write <<: *name, where *name is an alias of a map", "a merge key takes a map or a list of maps")
		return
	}
	for _, e := range m.Entries {
		if b.merged++; b.merged > maxMerged {
			if b.merged == maxMerged+1 {
				b.errorf(m.Pos, "", "merge keys bring in more than %d keys", maxMerged)
			}
			return
		}
		if _, said := places[e.Key]; !said {
			places[e.Key] = e.Pos
			v.Entries = append(v.Entries, e)
		}
	}
}

func (b *builder) anchor(n *ast.AnchorNode) *Value {
	name := nodeText(n.Name)
	b.anchors[name] = nil
	v := b.build(n.Value)
	b.anchors[name] = v
	return v
}

func (b *builder) alias(n *ast.AliasNode) *Value {
	name := nodeText(n.Value)
	v, known := b.anchors[name]
	if v != nil {
		return v
	}
	at := b.pos(n.Start)
	if known {
		b.errorf(at, "", "the alias *%s stands inside what it names", Shorten(name))
	} else {
		b.errorf(at, b.anchorsHint(), "no anchor &%s stands before this alias", Shorten(name))
	}
	return &Value{Kind: Null, Pos: at, last: n.Start, File: b.file}
}

func (b *builder) anchorsHint() string {
	if len(b.anchors) == 0 || len(b.anchors) > 8 {
		return ""
	}
	return "anchors before it: " + strings.Join(slices.Sorted(maps.Keys(b.anchors)), ", ")
}

// tag obeys the tags of YAML's core schema: !!str makes text of anything, the
// others say what the field's type says anyway.
func (b *builder) tag(n *ast.TagNode) *Value {
	v := b.build(n.Value)
	switch token.ReservedTagKeyword(n.Start.Value) {
	case token.StringTag:
		if v.Kind == Scalar || v.Kind == Null {
			text := *v
			text.Kind, text.Plain = Scalar, false
			return &text
		}
	case token.IntegerTag, token.FloatTag, token.BooleanTag, token.NullTag, token.MappingTag, token.SequenceTag:
	default:
		b.errorf(b.pos(n.Start), "remove it", "the tag %s means nothing here", Shorten(n.Start.Value))
	}
	return v
}

func nodeText(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// Shorten keeps what is quoted in a message within a line.
func Shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
