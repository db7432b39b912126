package jsondoc

import (
	"bytes"
	"hash/maphash"
)

// Equal reports whether node a of d and node b of e are the same value: numbers
// by what they are, objects whatever the order of their members. A loose node
// is equal to the text, number, true or false that it could be read as. Cost is
// called for every pair of nodes that is compared, and ends it by false.
func (d *Doc) Equal(a uint32, e *Doc, b uint32, cost func() bool) bool {
	if !cost() {
		return false
	}
	x, y := &d.Nodes[a], &e.Nodes[b]
	if x.Kind == Loose {
		return looseEqual(d.Text(a), y.Kind, e.Text(b))
	}
	if x.Kind != y.Kind {
		return false
	}
	switch x.Kind {
	case String:
		return bytes.Equal(d.Text(a), e.Text(b))
	case Number:
		return sameNumber(d.Text(a), e.Text(b))
	case Array:
		return x.Count == y.Count && d.equalItems(a, e, b, cost)
	case Object:
		return x.Count == y.Count && d.equalMembers(a, e, b, cost)
	}
	return true
}

func looseEqual(text []byte, kind Kind, other []byte) bool {
	switch kind {
	case String, Loose:
		return bytes.Equal(text, other)
	case Number:
		return sameNumber(text, other)
	case True:
		return string(text) == "true"
	case False:
		return string(text) == "false"
	}
	return false
}

func sameNumber(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y [64]byte
	m, ok := ParseDecimal(a, x[:0])
	n, fine := ParseDecimal(b, y[:0])
	return ok && fine && m.Compare(n) == 0
}

func (d *Doc) equalItems(a uint32, e *Doc, b uint32, cost func() bool) bool {
	end := d.Nodes[a].Next
	for i, j := a+1, b+1; i < end; i, j = d.Nodes[i].Next, e.Nodes[j].Next {
		if !d.Equal(i, e, j, cost) {
			return false
		}
	}
	return true
}

func (d *Doc) equalMembers(a uint32, e *Doc, b uint32, cost func() bool) bool {
	end := d.Nodes[a].Next
	for i := a + 1; i < end; i = d.Nodes[i+1].Next {
		j, found := e.Member(b, d.Text(i), cost)
		if !found || !d.Equal(i+1, e, j, cost) {
			return false
		}
	}
	return true
}

// Member returns the value of an object's member.
func (d *Doc) Member(object uint32, name []byte, cost func() bool) (uint32, bool) {
	end := d.Nodes[object].Next
	for i := object + 1; i < end; i = d.Nodes[i+1].Next {
		if !cost() {
			return 0, false
		}
		if bytes.Equal(d.Text(i), name) {
			return i + 1, true
		}
	}
	return 0, false
}

// Hash returns the same for values that are Equal, within one Doc.
func (d *Doc) Hash(n uint32) uint64 {
	node := &d.Nodes[n]
	h := uint64(node.Kind) * 0x9e3779b97f4a7c15
	switch node.Kind {
	case String, Loose:
		return h ^ maphash.Bytes(d.seed, d.Text(n))
	case Number:
		var buf [64]byte
		v, _ := ParseDecimal(d.Text(n), buf[:0])
		return h ^ maphash.Bytes(d.seed, v.digits) + uint64(v.exponent)*31
	case Array:
		for i := n + 1; i < node.Next; i = d.Nodes[i].Next {
			h = h*31 + d.Hash(i)
		}
	case Object:
		for i := n + 1; i < node.Next; i = d.Nodes[i+1].Next {
			h += mix(maphash.Bytes(d.seed, d.Text(i)) ^ mix(d.Hash(i+1)))
		}
	}
	return h
}

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}
