package tree

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON is Parse for a file of JSON (RFC 8259), read strictly: no comments,
// no final commas. Its texts are parts of the file's text where nothing is
// escaped: whoever keeps one for long clones it. The keys of maps are strings of
// their own, one for all places that have the same.
func (f *File) ParseJSON(report func(Problem)) *Value {
	p := &jsonParser{file: f, text: strings.Join(f.lines, "\n"), line: 1, column: 1, report: report, keys: make(map[string]string)}
	v, err := p.document()
	if err != nil {
		f.broken = true
		report(Problem{Pos: p.pos(), Message: "broken JSON: " + err.Error()})
		return nil
	}
	return v
}

// IsJSON reports whether the file looks like JSON: it begins with a brace.
func (f *File) IsJSON() bool {
	for _, line := range f.lines {
		if line = strings.TrimLeft(line, " \t"); line != "" {
			return line[0] == '{'
		}
	}
	return false
}

type jsonParser struct {
	file   *File
	text   string
	at     int
	report func(Problem)
	keys   map[string]string
	depth  int

	line, column int // of counted
	counted      int
}

// pos returns the place of the parser, which never goes back.
func (p *jsonParser) pos() Pos {
	for ; p.counted < p.at; p.counted++ {
		switch c := p.text[p.counted]; {
		case c == '\n':
			p.line, p.column = p.line+1, 1
		case c&0xc0 != 0x80: // a continuation byte is no character of its own
			p.column++
		}
	}
	return Pos{p.file.Name, p.line, p.column}
}

func (p *jsonParser) document() (*Value, error) {
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(p.text) {
		return nil, errors.New("something follows the end of the document")
	}
	return v, nil
}

func (p *jsonParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) value() (*Value, error) {
	p.space()
	if p.at == len(p.text) {
		return nil, errors.New("a value is missing")
	}
	v := &Value{Pos: p.pos(), File: p.file}
	switch c := p.text[p.at]; {
	case c == '{':
		return v, p.nested(v, p.object)
	case c == '[':
		return v, p.nested(v, p.array)
	case c == '"':
		text, err := p.string()
		v.Kind, v.Text = Scalar, text
		return v, err
	}
	return v, p.plain(v)
}

func (p *jsonParser) nested(v *Value, read func(*Value) error) error {
	if p.depth++; p.depth > MaxDepth {
		return fmt.Errorf("lists and maps nest deeper than %d", MaxDepth)
	}
	p.at++
	err := read(v)
	p.depth--
	return err
}

func (p *jsonParser) object(v *Value) error {
	v.Kind = Map
	if p.space(); p.accept('}') {
		return nil
	}
	var places map[string]Pos
	for {
		p.space()
		e, err := p.entry()
		if err != nil {
			return err
		}
		if said, again := p.said(v, &places, e); again {
			p.report(Problem{Pos: e.Pos, Message: fmt.Sprintf("duplicate key %q: first said at line %d", Shorten(e.Key), said.Line), Hint: "keep one of the two"})
		} else {
			v.Entries = append(v.Entries, e)
		}
		if done, err := p.more('}'); done || err != nil {
			return err
		}
	}
}

// more reads what stands behind an entry or an item: a comma, or the end.
func (p *jsonParser) more(end byte) (done bool, err error) {
	switch p.space(); {
	case p.accept(','):
		return false, nil
	case p.accept(end):
		return true, nil
	}
	return false, fmt.Errorf("a comma or %c is missing", rune(end))
}

// said returns where v has the key of e already. Places is made once v has
// become so large that looking through it would cost its square.
func (p *jsonParser) said(v *Value, places *map[string]Pos, e Entry) (Pos, bool) {
	const few = 16
	if len(v.Entries) < few {
		if found := v.Find(e.Key); found != nil {
			return found.Pos, true
		}
		return Pos{}, false
	}
	if *places == nil {
		*places = make(map[string]Pos)
		for _, have := range v.Entries {
			(*places)[have.Key] = have.Pos
		}
	}
	at, again := (*places)[e.Key]
	if !again {
		(*places)[e.Key] = e.Pos
	}
	return at, again
}

func (p *jsonParser) entry() (Entry, error) {
	e := Entry{Pos: p.pos()}
	if p.at == len(p.text) || p.text[p.at] != '"' {
		return e, errors.New("a key is missing: keys stand in double quotes")
	}
	key, err := p.string()
	if err != nil {
		return e, err
	}
	e.Key = p.intern(key)
	p.space()
	if !p.accept(':') {
		return e, errors.New("a colon is missing behind the key")
	}
	e.Value, err = p.value()
	return e, err
}

// intern returns one string for all equal keys, which keeps nothing of the file.
func (p *jsonParser) intern(key string) string {
	if known, ok := p.keys[key]; ok {
		return known
	}
	key = strings.Clone(key)
	p.keys[key] = key
	return key
}

func (p *jsonParser) array(v *Value) error {
	v.Kind = List
	if p.space(); p.accept(']') {
		return nil
	}
	for {
		item, err := p.value()
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
		if done, err := p.more(']'); done || err != nil {
			return err
		}
	}
}

func (p *jsonParser) accept(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// plain reads a number, true, false or null.
func (p *jsonParser) plain(v *Value) error {
	from := p.at
	for p.at < len(p.text) && !strings.ContainsRune(" \t\n,]}:\"", rune(p.text[p.at])) {
		p.at++
	}
	v.Kind, v.Text, v.Plain = Scalar, p.text[from:p.at], true
	switch v.Text {
	case "true", "false":
		return nil
	case "null":
		v.Kind, v.Text, v.Plain = Null, "", false
		return nil
	}
	if !isJSONNumber(v.Text) {
		p.at = from
		return fmt.Errorf("%q is no value: texts stand in double quotes", Shorten(v.Text))
	}
	return nil
}

func isJSONNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if rest, point := strings.CutPrefix(s, "."); point {
		n := digits(rest)
		if n == 0 {
			return false
		}
		s = rest[n:]
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// string reads a text in quotes.
func (p *jsonParser) string() (string, error) {
	p.at++
	from := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			text := p.text[from:p.at]
			if !utf8.ValidString(text) {
				return "", errors.New("a text that is not UTF-8")
			}
			p.at++
			return text, nil
		case c == '\\':
			return p.escaped(from)
		case c < ' ':
			return "", errors.New("a line break or control character in a text")
		}
		p.at++
	}
	return "", errors.New("a text without its closing quote")
}

// escaped reads a text with something escaped in it.
func (p *jsonParser) escaped(from int) (string, error) {
	b := append([]byte(nil), p.text[from:p.at]...)
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			if !utf8.Valid(b) {
				return "", errors.New("a text that is not UTF-8")
			}
			p.at++
			return string(b), nil
		case c < ' ':
			return "", errors.New("a line break or control character in a text")
		case c != '\\':
			b = append(b, c)
			p.at++
		default:
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
		}
	}
	return "", errors.New("a text without its closing quote")
}

func (p *jsonParser) escape(b []byte) ([]byte, error) {
	p.at++
	if p.at == len(p.text) {
		return nil, errors.New("a text without its closing quote")
	}
	c := p.text[p.at]
	p.at++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return append(b, "\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return nil, fmt.Errorf("an escape that JSON does not have: \\%c", rune(c))
	}
	r, err := p.hex()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		low := rune(0)
		if strings.HasPrefix(p.text[p.at:], `\u`) {
			p.at += 2
			if low, err = p.hex(); err != nil {
				return nil, err
			}
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, errors.New("half a character: a surrogate without its other half")
		}
	}
	return utf8.AppendRune(b, r), nil
}

func (p *jsonParser) hex() (rune, error) {
	if len(p.text)-p.at < 4 {
		return 0, errors.New("a \\u without four digits")
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	if err != nil {
		return 0, errors.New("a \\u without four digits")
	}
	p.at += 4
	return rune(n), nil
}
