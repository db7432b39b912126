package exchange

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Oddity is a set of things in a path that servers read in different ways. A
// route must allow each by name; every other request with one is refused.
type Oddity uint8

const (
	EmptySegment     Oddity = 1 << iota // "//" within the path
	DotSegment                          // "." or "..", also encoded, also with a ";parameter"
	Backslash                           // "\", also encoded
	Semicolon                           // ";" as it stands: servlet containers cut it off with what follows
	EncodedSlash                        // %2F
	EncodedSemicolon                    // %3B
	EncodedPercent                      // %25
)

// OddityNames are the names of the oddities as configuration, errors and
// trails write them, in the order of their bits.
var oddityNames = [...]string{"empty-segment", "dot-segment", "backslash", "semicolon", "encoded-slash", "encoded-semicolon", "encoded-percent"}

// ParseOddity returns the oddity of a name.
func ParseOddity(name string) (Oddity, bool) {
	for i, n := range oddityNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// OddityNames returns every oddity's name.
func OddityNames() []string { return append([]string(nil), oddityNames[:]...) }

// String lists the names of the oddities in o, joined by commas.
func (o Oddity) String() string {
	var names []string
	for i, n := range oddityNames {
		if o&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// Path is a request's path, decoded once. Everybody who decides by path uses
// Segments: the router, the firewall rules, policies, cache keys, and the
// upstream's request line, which is encoded from them anew.
type Path struct {
	Raw      string   // as the client sent it, without the query
	Query    string   // as the client sent it, without "?"
	Segments []string // decoded; "/" has none
	Slash    bool     // the path ends in "/" (and is not "/" alone)
	Oddities Oddity   // what it holds that a route must allow

	decoded []byte
	asked   string // in place of Query, where other is set
	other   bool
}

// MaxSegments is the most segments that a path may have.
const MaxSegments = 128

// The errors of Path.Parse. No route can allow what they name.
var (
	ErrPathForm     = errors.New("the request target is not a path")
	ErrPathControl  = errors.New("the path holds a control byte or a space")
	ErrPathEncoding = errors.New("the path holds a broken percent encoding")
	ErrPathUTF8     = errors.New("the path is not UTF-8")
	ErrPathSegments = errors.New("the path has too many segments")
)

// Parse reads an origin-form request target (RFC 9112 section 3.2.1). A path
// without anything encoded costs no allocation once the Exchange has been used
// before. On an error the Path holds Raw and Query alone.
func (p *Path) Parse(target string) error {
	p.Raw, p.Query, _ = strings.Cut(target, "?")
	p.Segments, p.decoded = p.Segments[:0], p.decoded[:0]
	p.Slash, p.Oddities = false, 0
	p.asked, p.other = "", false
	if p.Raw == "" || p.Raw[0] != '/' {
		return ErrPathForm
	}
	if err := checkQuery(p.Query); err != nil {
		return err
	}
	rest := p.Raw[1:]
	for rest != "" {
		raw, after, more := strings.Cut(rest, "/")
		if err := p.add(raw); err != nil {
			p.Segments, p.Oddities = p.Segments[:0], 0
			return err
		}
		p.Slash = more && after == ""
		rest = after
	}
	return nil
}

func (p *Path) add(raw string) error {
	if len(p.Segments) == MaxSegments {
		return ErrPathSegments
	}
	segment, err := p.decode(raw)
	if err != nil {
		return err
	}
	if segment == "" {
		p.Oddities |= EmptySegment
	}
	if isDots(segment) || strings.IndexByte(segment, '%') >= 0 && isDots(undot(segment)) {
		p.Oddities |= DotSegment
	}
	p.Segments = append(p.Segments, segment)
	return nil
}

// isDots reports whether a server that cuts ";parameters" off, or takes "\"
// for "/", could take the segment for "." or "..".
func isDots(s string) bool {
	for s != "" {
		end := strings.IndexAny(s, "/\\")
		part, rest := s, ""
		if end >= 0 {
			part, rest = s[:end], s[end+1:]
		}
		part, _, _ = strings.Cut(part, ";")
		if part == "." || part == ".." {
			return true
		}
		s = rest
	}
	return false
}

// undot undoes what a server that decodes twice would undo, as far as dots are
// concerned.
func undot(s string) string {
	return strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "\\", "%5C", "\\", "%3b", ";", "%3B", ";").Replace(s)
}

// decode undoes the percent encoding of one segment and notes its oddities.
func (p *Path) decode(raw string) (string, error) {
	plain := true
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= 0x20 || c == 0x7f:
			return "", ErrPathControl
		case c == '#':
			return "", ErrPathForm
		case c == '%' || c >= 0x80:
			plain = false
		case c == '\\':
			p.Oddities |= Backslash
		case c == ';':
			p.Oddities |= Semicolon
		}
	}
	if plain {
		return raw, nil
	}
	return p.unescape(raw)
}

func (p *Path) unescape(raw string) (string, error) {
	out := p.decoded[:0]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '%' {
			out = append(out, c)
			continue
		}
		if i+2 >= len(raw) {
			return "", ErrPathEncoding
		}
		c, ok := Unhex(raw[i+1], raw[i+2])
		if !ok {
			return "", ErrPathEncoding
		}
		if c < 0x20 || c == 0x7f {
			return "", ErrPathControl
		}
		p.noteEncoded(c)
		out = append(out, c)
		i += 2
	}
	p.decoded = out
	if !utf8.Valid(out) {
		return "", ErrPathUTF8
	}
	return string(out), nil
}

func (p *Path) noteEncoded(c byte) {
	switch c {
	case '/':
		p.Oddities |= EncodedSlash
	case ';':
		p.Oddities |= EncodedSemicolon
	case '%':
		p.Oddities |= EncodedPercent
	case '\\':
		p.Oddities |= Backslash
	}
}

// Ask makes query what the target is asked for, without "?". What the client
// sent stays in the record.
func (p *Path) Ask(query string) { p.asked, p.other = query, true }

// Asked returns the query that the target gets.
func (p *Path) Asked() string {
	if p.other {
		return p.asked
	}
	return p.Query
}

// checkQuery refuses what no query may hold: control bytes and spaces would
// let a request line be read in two ways.
func checkQuery(q string) error {
	for i := 0; i < len(q); i++ {
		if q[i] <= 0x20 || q[i] == 0x7f {
			return ErrPathControl
		}
		if q[i] == '#' {
			return ErrPathForm
		}
	}
	return nil
}

// Canonical returns the one text form of the path: "/" and the segments,
// encoded, with a final slash where the client sent one.
func (p *Path) Canonical() string {
	if len(p.Segments) == 0 {
		return "/"
	}
	return string(p.AppendCanonical(nil))
}

// AppendCanonical appends the canonical form to b.
func (p *Path) AppendCanonical(b []byte) []byte { return p.AppendFrom(b, 0) }

// AppendFrom appends the canonical form of the path without its first skip
// segments: what is left of it below a stage. It is "/" where nothing is left.
func (p *Path) AppendFrom(b []byte, skip int) []byte {
	if skip >= len(p.Segments) {
		return append(b, '/')
	}
	b = append(b, '/')
	b = p.AppendSegments(b, skip, len(p.Segments))
	if p.Slash {
		b = append(b, '/')
	}
	return b
}

// AppendSegments appends the segments from to before to, encoded and with "/"
// between them, none before the first and none after the last.
func (p *Path) AppendSegments(b []byte, from, to int) []byte {
	semicolons := p.literalSemicolons()
	for i, s := range p.Segments[from:to] {
		if i > 0 {
			b = append(b, '/')
		}
		b = appendSegment(b, s, semicolons)
	}
	return b
}

const upperHex = "0123456789ABCDEF"

// literalSemicolons reports whether a ";" in a segment is one that the client
// sent as such, for a route that allows them. Where it sent both forms they
// can no longer be told apart, and the safe one is used.
func (p *Path) literalSemicolons() bool {
	return p.Oddities&(Semicolon|EncodedSemicolon) == Semicolon
}

// AppendSegment appends one decoded segment in percent encoding (RFC 3986
// section 3.3). All but unreserved characters and the harmless ones of pchar
// are encoded; so are ";", "/", "%" and "\", so that no server cuts there.
func AppendSegment(b []byte, s string) []byte { return appendSegment(b, s, false) }

func appendSegment(b []byte, s string, semicolons bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isPathByte(c) || semicolons && c == ';' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
	return b
}

func isPathByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+,=:@", c) >= 0
}
