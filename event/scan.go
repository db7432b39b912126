package event

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) where it lies. It takes what encoding/json takes,
// but for texts that are no UTF-8.
type scanner struct {
	b []byte
	i int
}

var errJSON = errors.New("the answer is no JSON")

// maxDepth is how deep objects and lists may nest.
const maxDepth = 512

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space; 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// take takes the byte c, after spaces.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// end reports whether nothing follows.
func (s *scanner) end() bool { return s.peek() == 0 && s.i == len(s.b) }

// object calls member for every member, which must take its value.
func (s *scanner) object(member func(name []byte) error) error {
	if !s.take('{') {
		return errJSON
	}
	if s.take('}') {
		return nil
	}
	for {
		if s.peek() != '"' {
			return errJSON
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return errJSON
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// list calls item for every item, which must take it.
func (s *scanner) list(item func() error) error {
	if !s.take('[') {
		return errJSON
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// skip takes a value of any kind.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return errJSON
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case c == '[':
		return s.list(func() error { return s.skip(depth + 1) })
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if s.word(word) {
			return nil
		}
	}
	return errJSON
}

func (s *scanner) word(w string) bool {
	s.space()
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

func (s *scanner) has(c ...byte) bool {
	for _, c := range c {
		if s.i < len(s.b) && s.b[s.i] == c {
			s.i++
			return true
		}
	}
	return false
}

// number takes a number; what it says is between its begin and s.i.
func (s *scanner) number() error {
	s.space()
	s.has('-')
	if !s.has('0') && !s.digits() {
		return errJSON
	}
	if s.has('.') && !s.digits() {
		return errJSON
	}
	if s.has('e', 'E') {
		s.has('+', '-')
		if !s.digits() {
			return errJSON
		}
	}
	return nil
}

// text takes a string. What it returns lies in the scanner's bytes where nothing
// in it is escaped.
func (s *scanner) text() ([]byte, error) {
	if !s.take('"') {
		return nil, errJSON
	}
	from, ascii := s.i, true
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			out := s.b[from:s.i]
			s.i++
			if !ascii && !utf8.Valid(out) {
				return nil, errJSON
			}
			return out, nil
		case c == '\\':
			return s.escaped(from)
		case c < ' ':
			return nil, errJSON
		case c >= utf8.RuneSelf:
			ascii = false
		}
		s.i++
	}
	return nil, errJSON
}

// escaped takes the rest of a string that begins at from and holds escapes from
// here on.
func (s *scanner) escaped(from int) ([]byte, error) {
	out := make([]byte, s.i-from, 2*(s.i-from)+64)
	copy(out, s.b[from:s.i])
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, errJSON
			}
			return out, nil
		case c < ' ':
			return nil, errJSON
		case c != '\\':
			out = append(out, c)
			continue
		}
		var ok bool
		if out, ok = s.escape(out); !ok {
			return nil, errJSON
		}
	}
	return nil, errJSON
}

func (s *scanner) escape(out []byte) ([]byte, bool) {
	if s.i == len(s.b) {
		return out, false
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c), true
	case 'b':
		return append(out, '\b'), true
	case 'f':
		return append(out, '\f'), true
	case 'n':
		return append(out, '\n'), true
	case 'r':
		return append(out, '\r'), true
	case 't':
		return append(out, '\t'), true
	case 'u':
		r, ok := s.hex()
		if !ok {
			return out, false
		}
		return utf8.AppendRune(out, s.surrogate(r)), true
	}
	return out, false
}

// surrogate returns the character that r begins, half of which may follow; of a
// half alone it is U+FFFD.
func (s *scanner) surrogate(r rune) rune {
	if !utf16.IsSurrogate(r) {
		return r
	}
	at := s.i
	if s.has('\\') && s.has('u') {
		if low, ok := s.hex(); ok {
			if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
				return whole
			}
		}
	}
	s.i = at
	return utf8.RuneError
}

func (s *scanner) hex() (r rune, ok bool) {
	if len(s.b)-s.i < 4 {
		return 0, false
	}
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.i += 4
	return r, true
}
