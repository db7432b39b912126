// Package jsondoc reads JSON texts into a flat list of nodes, strictly and within
// bounds: no value is converted, so numbers stay exact, and a Doc that is used
// again costs no allocation.
package jsondoc

import (
	"hash/maphash"
)

// Kind is what a node is.
type Kind uint8

// The kinds. Loose is text that comes from no JSON, such as a parameter of a
// query: what it is depends on what is wanted.
const (
	Null Kind = iota
	False
	True
	Number
	String
	Array
	Object
	Loose
)

// Node is one value, or one key of an object. The nodes of an object are, by
// turns, its keys and its values; those of an array its items. A value's own
// nodes follow it.
type Node struct {
	Kind  Kind
	side  bool   // the text was escaped, and stands in Doc.side
	from  uint32 // of the text
	to    uint32
	Next  uint32 // the node after this one and all that is in it
	Count uint32 // items of an array, members of an object
}

// Doc is one JSON text. It is not safe for concurrent use.
type Doc struct {
	Nodes []Node

	text  []byte
	side  []byte
	table []uint32
	seed  maphash.Seed
}

// New returns a Doc for any number of texts, one after the other.
func New() *Doc { return &Doc{seed: maphash.MakeSeed()} }

// Text returns the text of a string, key, number or loose node, with nothing
// escaped. It is valid until the Doc is used again.
func (d *Doc) Text(n uint32) []byte {
	node := &d.Nodes[n]
	if node.side {
		return d.side[node.from:node.to]
	}
	return d.text[node.from:node.to]
}

// Reset makes the Doc empty, to be built by Add.
func (d *Doc) Reset() {
	d.Nodes, d.side, d.text = d.Nodes[:0], d.side[:0], nil
	if cap(d.Nodes) > keepNodes {
		d.Nodes = nil
	}
	if cap(d.side) > keepSide {
		d.side = nil
	}
}

// What a Doc keeps for its next text.
const (
	keepNodes = 64 << 10
	keepSide  = 64 << 10
)

// Add adds a node whose text is text, and returns its place. An array or an
// object is added with its count, and ended by End once all in it was added.
func (d *Doc) Add(kind Kind, text string, count int) uint32 {
	from := len(d.side)
	d.side = append(d.side, text...)
	n := uint32(len(d.Nodes))
	d.Nodes = append(d.Nodes, Node{Kind: kind, side: true, from: uint32(from), to: uint32(len(d.side)), Next: n + 1, Count: uint32(count)})
	return n
}

// End says that all that is in an array or object was added.
func (d *Doc) End(n uint32, count int) {
	d.Nodes[n].Next, d.Nodes[n].Count = uint32(len(d.Nodes)), uint32(count)
}
