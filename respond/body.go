package respond

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// values gives a piece's value, unescaped, and says whether it is a number; it
// is empty where it is not known.
type values func(b []byte, p *piece) (value []byte, number bool)

// writer writes the body of one media type.
type writer interface {
	write(v values) ([]byte, error)
}

// maxBody is how large a body may be as written.
const maxBody = 64 << 10

// check reports what is wrong with a body.
func (b Body) check() error {
	_, _, _, err := b.compile()
	return err
}

// compile returns the body's media type, what Content-Type says, and how it is
// written.
func (b Body) compile() (media, string, writer, error) {
	m, field, err := parseMedia(b.Media)
	if err != nil {
		return m, "", nil, err
	}
	if len(b.Value) > maxBody {
		return m, "", nil, fmt.Errorf("the body is longer than 64 KiB")
	}
	pieces, err := parse(b.Value)
	if err != nil {
		return m, "", nil, err
	}
	w, err := newWriter(m.family(), pieces)
	return m, field, w, err
}

func newWriter(f family, pieces []piece) (writer, error) {
	switch f {
	case jsonText:
		return newJSON(pieces)
	case htmlText:
		return newHTML(pieces)
	case xmlText:
		return newXML(pieces)
	case plainText:
		return flat{pieces, appendPlain}, nil
	}
	if hasVariables(pieces) {
		return nil, errors.New("only bodies in JSON, HTML, XML and text/plain may hold variables: elsewhere nobody knows how to escape what they bring")
	}
	return flat{pieces, nil}, nil
}

func hasVariables(pieces []piece) bool {
	for i := range pieces {
		if pieces[i].source != literal {
			return true
		}
	}
	return false
}

// flat writes pieces one after the other, values by escape.
type flat struct {
	pieces []piece
	escape func(b, value []byte) []byte
}

func (f flat) write(v values) ([]byte, error) {
	out := make([]byte, 0, 256)
	var space [128]byte
	for i := range f.pieces {
		p := &f.pieces[i]
		if p.source == literal {
			out = append(out, p.text...)
			continue
		}
		value, _ := v(space[:0], p)
		out = f.escape(out, quoted(p, value))
	}
	return out, nil
}

// quoted puts what API Gateway gives with quotes into quotes.
func quoted(p *piece, value []byte) []byte {
	if p.source == context && p.text == "error.messageString" {
		return append(append([]byte{'"'}, value...), '"')
	}
	return value
}

// appendPlain leaves out what drives terminals or ends lines.
func appendPlain(b, value []byte) []byte {
	for len(value) > 0 {
		r, size := utf8.DecodeRune(value)
		if unicode.IsPrint(r) {
			b = append(b, value[:size]...)
		} else {
			b = append(b, "\ufffd"...)
		}
		value = value[size:]
	}
	return b
}

// appendXML escapes for text and attributes, and leaves out what no document
// may hold (XML 1.0 section 2.2).
func appendXML(b, value []byte) []byte {
	for len(value) > 0 {
		r, size := utf8.DecodeRune(value)
		switch {
		case r == '<' || r == '>' || r == '&' || r == '"' || r == '\'':
			b = fmt.Appendf(b, "&#%d;", r)
		case r == utf8.RuneError || r < ' ' || r == 0xfffe || r == 0xffff:
			b = append(b, "\ufffd"...)
		default:
			b = append(b, value[:size]...)
		}
		value = value[size:]
	}
	return b
}

func newXML(pieces []piece) (writer, error) {
	for i := range pieces {
		if hasVariables(pieces) && strings.Contains(strings.ToLower(pieces[i].text), "script") && pieces[i].source == literal {
			return nil, errors.New("a document with a script may hold no variables: XML's escapes do not hold within one")
		}
	}
	return flat{pieces, appendXML}, nil
}

// object writes JSON: a variable within a string prints as its inside,
// elsewhere as a number, a string or null.
type object struct {
	pieces []piece
	inside []bool // of a string, for each piece
}

func newJSON(pieces []piece) (writer, error) {
	o := object{pieces: pieces, inside: make([]bool, len(pieces))}
	in, escaped := false, false
	for i, p := range pieces {
		o.inside[i] = in
		if p.source != literal {
			escaped = false
			continue
		}
		for _, c := range []byte(p.text) {
			switch {
			case escaped:
				escaped = false
			case in && c == '\\':
				escaped = true
			case c == '"':
				in = !in
			}
		}
	}
	for _, sample := range [...]values{
		func(b []byte, _ *piece) ([]byte, bool) { return b, false },
		func(b []byte, _ *piece) ([]byte, bool) { return append(b, 'x'), false }, // which no backslash may precede
	} {
		body, _ := o.write(sample)
		if !json.Valid(body) {
			var into any
			return nil, fmt.Errorf("the body is no JSON, once its variables have values: %w", json.Unmarshal(body, &into))
		}
	}
	return o, nil
}

func (o object) write(v values) ([]byte, error) {
	out := make([]byte, 0, 256)
	var space [128]byte
	for i := range o.pieces {
		p := &o.pieces[i]
		if p.source == literal {
			out = append(out, p.text...)
			continue
		}
		value, number := v(space[:0], p)
		switch {
		case o.inside[i]:
			out = appendJSON(out, value)
		case len(value) == 0:
			out = append(out, "null"...)
		case number:
			out = append(out, value...)
		default:
			out = append(appendJSON(append(out, '"'), value), '"')
		}
	}
	return out, nil
}

// appendJSON appends the inside of a string, fit for a script in a page too.
func appendJSON(b, value []byte) []byte {
	text, err := json.Marshal(string(value))
	if err != nil {
		return b
	}
	return append(b, text[1:len(text)-1]...)
}

// page writes HTML, every variable escaped for where it stands: text,
// attribute, URL, script or style.
type page struct {
	pieces []piece
	text   *template.Template
}

// What stands around a variable in a page's template. A page that holds it
// itself is refused.
const (
	before = "\u2045gatehouse"
	after  = "gatehouse\u2046"
)

func newHTML(pieces []piece) (writer, error) {
	var text strings.Builder
	p := page{}
	for _, piece := range pieces {
		if piece.source != literal {
			fmt.Fprintf(&text, "%s index . %d %s", before, len(p.pieces), after)
			p.pieces = append(p.pieces, piece)
			continue
		}
		if strings.Contains(piece.text, before) {
			return nil, fmt.Errorf("the page holds %q, which stands for something else here", before)
		}
		text.WriteString(piece.text)
	}
	var err error
	if p.text, err = template.New("").Delims(before, after).Parse(text.String()); err != nil {
		return nil, errors.New("the page cannot be read")
	}
	if _, err := p.write(func(b []byte, _ *piece) ([]byte, bool) { return append(b, 'x'), false }); err != nil {
		return nil, errors.New("a variable stands where it cannot be escaped: beside unbalanced quotes, tags or scripts")
	}
	return p, nil
}

func (p page) write(v values) ([]byte, error) {
	list := make([]string, len(p.pieces))
	for i := range p.pieces {
		value, _ := v(nil, &p.pieces[i])
		list[i] = string(quoted(&p.pieces[i], value))
	}
	var out strings.Builder
	if err := p.text.Execute(&out, list); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}
