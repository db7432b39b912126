package jsondoc

import (
	"bytes"
	"hash/maphash"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits are what a text may cost.
type Limits struct {
	Depth int // of arrays and objects within one another
	Nodes int // values and keys
}

// Error is why a text is no JSON, or more than is taken. It tells nothing of
// what the text holds.
type Error struct {
	Offset int // in bytes
	What   string
}

func (e *Error) Error() string { return e.What }

// Parse reads a text of at most 2 GiB. The Doc refers to text until it is used
// again.
func (d *Doc) Parse(text []byte, l Limits) *Error {
	d.Reset()
	d.text = text
	p := parser{Doc: d, limits: l}
	p.space()
	if !p.value(0) {
		return p.err
	}
	p.space()
	if p.at < len(text) {
		p.fail("something follows the value")
	}
	return p.err
}

type parser struct {
	*Doc
	limits Limits
	at     int
	err    *Error
}

// fail notes what is wrong, and is false.
func (p *parser) fail(what string) bool {
	p.err = &Error{p.at, what}
	return false
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) accept(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// node adds a node of the text up to the parser's place.
func (p *parser) node(kind Kind, from, to int) bool {
	if len(p.Nodes) >= p.limits.Nodes {
		return p.fail("more values than are taken")
	}
	p.Nodes = append(p.Nodes, Node{Kind: kind, from: uint32(from), to: uint32(to), Next: uint32(len(p.Nodes)) + 1})
	return true
}

func (p *parser) value(depth int) bool {
	if p.at == len(p.text) {
		return p.fail("the text ends before its value")
	}
	switch c := p.text[p.at]; c {
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case '"':
		return p.str()
	case 't':
		return p.word("true", True)
	case 'f':
		return p.word("false", False)
	case 'n':
		return p.word("null", Null)
	}
	return p.number()
}

func (p *parser) word(word string, kind Kind) bool {
	if !bytes.HasPrefix(p.text[p.at:], []byte(word)) {
		return p.fail("this is no JSON value")
	}
	from := p.at
	p.at += len(word)
	return p.node(kind, from, p.at)
}

func (p *parser) object(depth int) bool {
	self := len(p.Nodes)
	if depth > p.limits.Depth {
		return p.fail("arrays and objects nest deeper than is taken")
	}
	if !p.node(Object, p.at, p.at) {
		return false
	}
	p.at++
	count := 0
	if p.space(); !p.accept('}') {
		for {
			if p.space(); p.at == len(p.text) || p.text[p.at] != '"' {
				return p.fail("a member's name is missing")
			}
			if !p.str() {
				return false
			}
			if p.space(); !p.accept(':') {
				return p.fail("a colon is missing")
			}
			if p.space(); !p.value(depth) {
				return false
			}
			count++
			if p.space(); p.accept('}') {
				break
			}
			if !p.accept(',') {
				return p.fail("a comma or } is missing")
			}
		}
	}
	p.End(uint32(self), count)
	return p.unique(uint32(self), count)
}

func (p *parser) array(depth int) bool {
	self := len(p.Nodes)
	if depth > p.limits.Depth {
		return p.fail("arrays and objects nest deeper than is taken")
	}
	if !p.node(Array, p.at, p.at) {
		return false
	}
	p.at++
	count := 0
	if p.space(); !p.accept(']') {
		for {
			if p.space(); !p.value(depth) {
				return false
			}
			count++
			if p.space(); p.accept(']') {
				break
			}
			if !p.accept(',') {
				return p.fail("a comma or ] is missing")
			}
		}
	}
	p.End(uint32(self), count)
	return true
}

// number reads a number as JSON writes it (RFC 8259 section 6).
func (p *parser) number() bool {
	from := p.at
	p.accept('-')
	whole := p.digits()
	if whole == 0 || whole > 1 && p.text[p.at-whole] == '0' {
		p.at = from
		return p.fail("this is no JSON value")
	}
	if p.accept('.') && p.digits() == 0 {
		return p.fail("a number without digits behind its point")
	}
	if p.accept('e') || p.accept('E') {
		if !p.accept('+') {
			p.accept('-')
		}
		if p.digits() == 0 {
			return p.fail("a number without digits in its exponent")
		}
	}
	return p.node(Number, from, p.at)
}

func (p *parser) digits() int {
	from := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at - from
}

// str reads a string in quotes.
func (p *parser) str() bool {
	p.at++
	from := p.at
	ascii := true
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			if !ascii && !utf8.Valid(p.text[from:p.at]) {
				return p.fail("a text that is not UTF-8")
			}
			p.at++
			return p.node(String, from, p.at-1)
		case c == '\\':
			return p.escaped(from)
		case c < ' ':
			return p.fail("a control character in a text")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		p.at++
	}
	return p.fail("a text without its closing quote")
}

// escaped reads a string with something escaped in it, into the side buffer.
func (p *parser) escaped(from int) bool {
	start := len(p.side)
	p.side = append(p.side, p.text[from:p.at]...)
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			if !utf8.Valid(p.side[start:]) {
				return p.fail("a text that is not UTF-8")
			}
			p.at++
			if !p.node(String, start, len(p.side)) {
				return false
			}
			p.Nodes[len(p.Nodes)-1].side = true
			return true
		case c < ' ':
			return p.fail("a control character in a text")
		case c != '\\':
			p.side = append(p.side, c)
			p.at++
		default:
			if !p.escape() {
				return false
			}
		}
	}
	return p.fail("a text without its closing quote")
}

func (p *parser) escape() bool {
	p.at++
	if p.at == len(p.text) {
		return p.fail("a text without its closing quote")
	}
	c := p.text[p.at]
	p.at++
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
		p.side = append(p.side, "\"\\/\b\f\n\r\t"[i])
		return true
	}
	if c != 'u' {
		return p.fail("an escape that JSON does not have")
	}
	r, ok := p.hex()
	if !ok {
		return p.fail(`a \u without four digits`)
	}
	if utf16.IsSurrogate(r) {
		low := rune(-1)
		if bytes.HasPrefix(p.text[p.at:], []byte(`\u`)) {
			p.at += 2
			low, _ = p.hex()
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return p.fail("half a character")
		}
	}
	p.side = utf8.AppendRune(p.side, r)
	return true
}

func (p *parser) hex() (rune, bool) {
	if len(p.text)-p.at < 4 {
		return -1, false
	}
	var r rune
	for _, c := range p.text[p.at : p.at+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1, false
		}
		r = r<<4 | rune(c)
	}
	p.at += 4
	return r, true
}

// unique refuses an object in which a name stands twice: readers differ in
// which of the two counts.
func (p *parser) unique(object uint32, count int) bool {
	const few = 8
	if count > few {
		return p.uniqueOf(object, count)
	}
	last := p.Nodes[object].Next
	for a := object + 1; a < last; a = p.Nodes[a+1].Next {
		for b := object + 1; b < a; b = p.Nodes[b+1].Next {
			if bytes.Equal(p.Text(a), p.Text(b)) {
				return p.fail("a member's name stands there twice")
			}
		}
	}
	return true
}

// uniqueOf is unique for many members, by a table of hashes with a seed of its
// own.
func (p *parser) uniqueOf(object uint32, count int) bool {
	size := 1
	for size < 2*count {
		size *= 2
	}
	if cap(p.table) < size {
		p.table = make([]uint32, size)
	}
	table := p.table[:size]
	clear(table)
	last := p.Nodes[object].Next
	for a := object + 1; a < last; a = p.Nodes[a+1].Next {
		name := p.Text(a)
		at := int(maphash.Bytes(p.seed, name)) & (size - 1)
		for ; table[at] != 0; at = (at + 1) & (size - 1) {
			if bytes.Equal(p.Text(table[at]), name) {
				return p.fail("a member's name stands there twice")
			}
		}
		table[at] = a
	}
	if cap(p.table) > keepNodes {
		p.table = nil
	}
	return true
}
