package field

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a JSON body may nest: what is deeper is no JSON here.
const maxDepth = 128

// json takes names and values of a JSON body, decoded as the service will.
// Members of one name are all taken. What stands before a mistake is there all the
// same.
func (v *View) json(s *Spec, value *Value) {
	body, over := v.Body()
	value.Over = over
	v.decide(s, over)
	if body == "" {
		return // no body is no broken one
	}
	p := parser{in: body, spec: s, value: value}
	if p.document() {
		return
	}
	if over && p.at >= len(p.in) {
		return // cut off where inspection ends
	}
	value.Invalid = true
	if s.Invalid == InvalidText {
		value.Parts = append(value.Parts[:0], Part{Text: body})
	}
}

// parser reads one JSON document (RFC 8259) in one pass.
type parser struct {
	in      string
	at      int
	spec    *Spec
	value   *Value
	pointer []byte // of what is read
	depth   int
	named   bool // parts get their names
}

// document reports whether the input is one JSON document and nothing else.
func (p *parser) document() bool {
	p.in = strings.TrimPrefix(p.in, "\ufeff") // some services do
	p.blank()
	if !p.any() {
		return false
	}
	p.blank()
	return p.at == len(p.in)
}

func (p *parser) blank() {
	for p.at < len(p.in) {
		switch p.in[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// next takes c where it is what follows.
func (p *parser) next(c byte) bool {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) any() bool {
	if p.at == len(p.in) {
		return false
	}
	switch p.in[p.at] {
	case '{':
		return p.nested(p.object)
	case '[':
		return p.nested(p.array)
	case '"':
		text, ok := p.text()
		p.found(text)
		return ok
	}
	return p.scalar()
}

func (p *parser) nested(read func() bool) bool {
	if p.depth == maxDepth {
		return false
	}
	p.depth++
	p.at++
	ok := read()
	p.depth--
	return ok
}

func (p *parser) object() bool {
	p.blank()
	if p.next('}') {
		return true
	}
	base := len(p.pointer)
	for {
		p.blank()
		if p.at == len(p.in) || p.in[p.at] != '"' {
			return false
		}
		name, ok := p.text()
		if p.points() {
			p.pointer = appendToken(p.pointer[:base], name)
		}
		p.member(name)
		p.blank()
		if !ok || !p.next(':') {
			return false
		}
		p.blank()
		if !p.any() {
			return false
		}
		p.pointer = p.pointer[:base]
		p.blank()
		if p.next('}') {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
}

func (p *parser) array() bool {
	p.blank()
	if p.next(']') {
		return true
	}
	base := len(p.pointer)
	for i := 0; ; i++ {
		if p.points() {
			p.pointer = strconv.AppendInt(append(p.pointer[:base], '/'), int64(i), 10)
		}
		p.blank()
		if !p.any() {
			return false
		}
		p.pointer = p.pointer[:base]
		p.blank()
		if p.next(']') {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
}

// scalar reads a number, true, false or null, as it is written.
func (p *parser) scalar() bool {
	from := p.at
	for p.at < len(p.in) && strings.IndexByte("+-.0123456789eEtrufalsn", p.in[p.at]) >= 0 {
		p.at++
	}
	word := p.in[from:p.at]
	p.found(word)
	switch word {
	case "true", "false", "null":
		return true
	}
	return isNumber(word)
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, rest := digits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	if after, ok := strings.CutPrefix(rest, "."); ok {
		var part string
		if part, rest = digits(after); part == "" {
			return false
		}
	}
	if rest == "" {
		return true
	}
	if rest[0]|0x20 != 'e' {
		return false
	}
	rest = rest[1:]
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	part, rest := digits(rest)
	return part != "" && rest == ""
}

func digits(s string) (string, string) {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}

// text reads a string, its escapes undone. What was read of one that is broken is
// returned too.
func (p *parser) text() (string, bool) {
	p.at++
	from := p.at
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '"':
			p.at++
			return p.in[from : p.at-1], true
		case c == '\\':
			return p.escaped(from)
		case c < 0x20:
			return p.in[from:p.at], false
		}
		p.at++
	}
	return p.in[from:p.at], false
}

func (p *parser) escaped(from int) (string, bool) {
	b := []byte(p.in[from:p.at])
	for p.at < len(p.in) {
		c := p.in[p.at]
		switch {
		case c == '"':
			p.at++
			return string(b), true
		case c < 0x20:
			return string(b), false
		case c != '\\':
			b = append(b, c)
			p.at++
			continue
		}
		var ok bool
		if b, ok = p.escape(b); !ok {
			return string(b), false
		}
	}
	return string(b), false
}

func (p *parser) escape(b []byte) ([]byte, bool) {
	if p.at+1 >= len(p.in) {
		p.at = len(p.in)
		return b, false
	}
	c := p.in[p.at+1]
	if c == 'u' {
		return p.unicode(b)
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return b, false
	}
	p.at += 2
	return append(b, "\"\\/\b\f\n\r\t"[i]), true
}

func (p *parser) unicode(b []byte) ([]byte, bool) {
	r, ok := p.unit(p.at)
	if !ok {
		if p.at+6 > len(p.in) {
			p.at = len(p.in)
		}
		return b, false
	}
	p.at += 6
	if utf16.IsSurrogate(r) {
		if low, ok := p.unit(p.at); ok {
			if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
				r = whole
				p.at += 6
			}
		}
	}
	return utf8.AppendRune(b, r), true
}

func (p *parser) unit(at int) (rune, bool) {
	if at+6 > len(p.in) || p.in[at] != '\\' || p.in[at+1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(p.in[at+2:at+6], 16, 16)
	return rune(v), err == nil
}

// member notes a member's name, found a value.
func (p *parser) member(name string) {
	if p.spec.Scope != Values && p.wanted() {
		p.add(Part{Text: name, Key: true})
	}
}

func (p *parser) found(text string) {
	if p.spec.Scope != Keys && p.wanted() {
		p.add(Part{Text: text})
	}
}

// add adds a part: without its name, which hardly anybody asks for.
func (p *parser) add(part Part) {
	if p.named {
		part.Name = string(p.pointer)
	}
	p.value.add(part)
}

// Where returns the name of a part of a value: of JSON its pointer, which is found
// by reading the document once more.
func (v *View) Where(at, part int) string {
	s := v.plan.slots[at].spec
	value := v.At(at)
	if s.Kind != JSON || value.Invalid && s.Invalid == InvalidText {
		return value.Parts[part].Name
	}
	body, _ := v.Body()
	var again Value
	(&parser{in: body, spec: s, value: &again, named: true}).document()
	return again.Parts[part].Name
}

// points reports whether somebody asks where what is read stands.
func (p *parser) points() bool { return p.named || len(p.spec.Include) > 0 }

// wanted reports whether what is read stands at, or below, a pointer that is
// inspected.
func (p *parser) wanted() bool {
	if len(p.spec.Include) == 0 {
		return true
	}
	for _, at := range p.spec.Include {
		n := len(at)
		if len(p.pointer) >= n && string(p.pointer[:n]) == at && (len(p.pointer) == n || p.pointer[n] == '/') {
			return true
		}
	}
	return false
}

func appendToken(b []byte, name string) []byte {
	b = append(b, '/')
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '~':
			b = append(b, '~', '0')
		case '/':
			b = append(b, '~', '1')
		default:
			b = append(b, name[i])
		}
	}
	return b
}
