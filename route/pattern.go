package route

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/exchange"
)

// Kind says what a Part of a pattern matches.
type Kind uint8

const (
	Literal Kind = iota // one segment with this text
	Param               // {name}: one segment, whatever it holds
	Plus                // {name+}: one or more segments up to the end
	Star                // {name*}: no, one or more segments up to the end
)

// Part is one segment of a Pattern.
type Part struct {
	Kind Kind
	Text string // a literal's decoded text; a parameter's name
}

// Pattern is a path with parameters, such as /orders/{id} or /files/{proxy+}.
type Pattern struct {
	Text  string // as written
	Parts []Part // "/" has none
}

// maxPattern is the longest pattern in bytes.
const maxPattern = 8 << 10

// ParsePattern reads a pattern: "/" and segments with "/" between them. A
// segment is a literal, in which percent-encoded bytes stand for themselves, or
// a parameter: {name} for one segment; as the last one {name+} for one or more,
// {name*} for none or more. Names consist of ASCII letters, digits, "_", "-" and
// "." and differ from one another. A "/" at the end says nothing: /orders and
// /orders/ are one pattern. What makes servers read a path in different ways
// (see exchange.Oddity) cannot stand in a literal; {name} matches it where the
// route allows it.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{Text: text}
	switch {
	case text == "":
		return Pattern{}, errors.New("the path is missing")
	case text[0] != '/':
		return Pattern{}, fmt.Errorf("a path begins with /: write %q", "/"+text)
	case len(text) > maxPattern:
		return Pattern{}, fmt.Errorf("a path of more than %d bytes", maxPattern)
	}
	rest := strings.TrimSuffix(text[1:], "/")
	if rest == "" && text != "/" {
		return Pattern{}, errors.New("the path holds an empty segment")
	}
	for rest != "" {
		raw, after, more := strings.Cut(rest, "/")
		part, err := parsePart(raw)
		if err == nil {
			err = p.fits(part, raw, more)
		}
		if err != nil {
			return Pattern{}, err
		}
		p.Parts = append(p.Parts, part)
		if rest = after; more && after == "" {
			return Pattern{}, errors.New("the path holds an empty segment")
		}
	}
	return p, nil
}

// fits reports what keeps part from following the parts so far.
func (p *Pattern) fits(part Part, raw string, more bool) error {
	if len(p.Parts) == exchange.MaxSegments {
		return fmt.Errorf("a path of more than %d segments", exchange.MaxSegments)
	}
	if part.Kind == Literal {
		return nil
	}
	for _, earlier := range p.Parts {
		if earlier.Kind != Literal && earlier.Text == part.Text {
			return fmt.Errorf("the parameter {%s} stands there twice", part.Text)
		}
	}
	if part.Kind != Param && more {
		return fmt.Errorf("%s takes the rest of the path, so it must stand at the end", raw)
	}
	return nil
}

func parsePart(raw string) (Part, error) {
	if strings.ContainsAny(raw, "{}") {
		return parseParam(raw)
	}
	return parseLiteral(raw)
}

func parseParam(raw string) (Part, error) {
	if raw[0] != '{' || strings.IndexByte(raw, '}') != len(raw)-1 || strings.Count(raw, "{") != 1 {
		return Part{}, fmt.Errorf("a parameter is a whole segment, /{name}/: %q is not", raw)
	}
	part := Part{Kind: Param, Text: raw[1 : len(raw)-1]}
	switch {
	case strings.HasSuffix(part.Text, "+"):
		part.Kind = Plus
	case strings.HasSuffix(part.Text, "*"):
		part.Kind = Star
	}
	if part.Kind != Param {
		part.Text = part.Text[:len(part.Text)-1]
	}
	if part.Text == "" {
		return Part{}, fmt.Errorf("%s has no name", raw)
	}
	for i := 0; i < len(part.Text); i++ {
		if !isNameByte(part.Text[i]) {
			return Part{}, fmt.Errorf("the parameter %s has a name with %q: letters, digits, _, - and . are possible", raw, part.Text[i:i+1])
		}
	}
	return part, nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

// parseLiteral reads a segment as exchange.Path will read it in requests.
func parseLiteral(raw string) (Part, error) {
	switch {
	case raw == "":
		return Part{}, errors.New("the path holds an empty segment")
	case strings.Contains(raw, "?"):
		return Part{}, errors.New("a path holds no ?: narrow the route by its query key")
	case raw == "*" || raw == "**" || raw[0] == ':':
		return Part{}, fmt.Errorf("%q is no wildcard here: write {name} for one segment, {name+} or {name*} for the rest", raw)
	}
	var path exchange.Path
	if err := path.Parse("/" + raw); err != nil {
		return Part{}, fmt.Errorf("%w: %q", err, raw)
	}
	if path.Oddities != 0 {
		return Part{}, fmt.Errorf("the segment %q can be read in different ways (%s): match it with {name}", raw, path.Oddities)
	}
	return Part{Kind: Literal, Text: path.Segments[0]}, nil
}

// String returns the pattern as written.
func (p Pattern) String() string { return p.Text }

// Params returns the names of the parameters, in order.
func (p Pattern) Params() []string {
	var names []string
	for _, part := range p.Parts {
		if part.Kind != Literal {
			names = append(names, part.Text)
		}
	}
	return names
}

// Greedy returns the name of the parameter that takes the rest of the path; ""
// where there is none.
func (p Pattern) Greedy() string {
	if n := len(p.Parts); n > 0 && p.Parts[n-1].Kind >= Plus {
		return p.Parts[n-1].Text
	}
	return ""
}

// Shape returns the path with its parameters' names taken out: patterns of one
// shape match the same paths.
func (p Pattern) Shape() string {
	var b strings.Builder
	for _, part := range p.Parts {
		b.WriteByte('/')
		switch part.Kind {
		case Literal:
			b.Write(exchange.AppendSegment(nil, part.Text))
		case Param:
			b.WriteString("{}")
		case Plus:
			b.WriteString("{+}")
		case Star:
			b.WriteString("{*}")
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// Match is what a route's match says: methods and a path.
type Match struct {
	Methods Methods
	Pattern Pattern
}

// ParseMatch reads METHOD PATH: "GET /orders/{id}", "GET,POST /orders",
// "ANY /{proxy+}".
func ParseMatch(text string) (Match, error) {
	methods, path, both := strings.Cut(strings.TrimSpace(text), " ")
	if !both {
		return Match{}, fmt.Errorf("%q is no METHOD PATH: write GET /orders/{id}, or ANY /{proxy+}", text)
	}
	m, err := ParseMethods(methods)
	if err != nil {
		return Match{}, err
	}
	p, err := ParsePattern(strings.TrimSpace(path))
	if err != nil {
		return Match{}, err
	}
	return Match{Methods: m, Pattern: p}, nil
}

// String returns the match as METHOD PATH.
func (m Match) String() string { return m.Methods.String() + " " + m.Pattern.Text }
