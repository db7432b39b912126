package jsondoc

import (
	"strconv"
	"strings"
)

// maxPointer is how long a pointer may become: members' names are the client's.
const maxPointer = 200

// Pointer returns the way from node root to node n as a JSON pointer (RFC 6901);
// "" for root itself. It is made for messages: long names are cut, and what could
// drive a terminal is left out.
func (d *Doc) Pointer(root, n uint32) string {
	var b strings.Builder
	for root != n && b.Len() < maxPointer {
		next := d.toward(&b, root, n)
		if next == root {
			break
		}
		root = next
	}
	return b.String()
}

// toward writes the step from a node towards one that is in it.
func (d *Doc) toward(b *strings.Builder, from, n uint32) uint32 {
	node := &d.Nodes[from]
	i := 0
	for at := from + 1; at < node.Next; i++ {
		value := at
		if node.Kind == Object {
			value = at + 1
		}
		if next := d.Nodes[value].Next; n < next {
			b.WriteByte('/')
			if node.Kind == Object {
				b.WriteString(step(d.Text(at)))
			} else {
				b.WriteString(strconv.Itoa(i))
			}
			return value
		} else {
			at = next
		}
	}
	return from
}

// step writes a member's name as part of a pointer.
func step(name []byte) string {
	const most = 40
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, strings.NewReplacer("~", "~0", "/", "~1").Replace(string(name)))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
