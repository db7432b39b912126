package policy

import (
	"strings"
	"unicode/utf8"
)

// dialect is what a text may hold beside itself.
type dialect struct {
	wildcards bool // * and ?
	variables bool // ${...}
}

// atom is one part of a pattern.
type atom struct {
	kind     atomKind
	text     string    // of a literal
	variable *variable // of a variable
}

type atomKind uint8

const (
	literal    atomKind = iota
	anyRune             // ?
	anyText             // *
	substitute          // ${KEY}
)

// variable is ${KEY} or ${KEY, 'default'}.
type variable struct {
	key        Key
	fallback   string
	hasDefault bool
}

// value returns what stands for the variable; false where the request has no
// such key, or several values of it.
func (v *variable) value(r *Request) (string, bool) {
	found := r.get(&v.key)
	if found.n == 1 {
		return found.text(0), true
	}
	return v.fallback, v.hasDefault && found.n == 0
}

// parsePattern reads a text that checkPattern has nothing against.
func parsePattern(text string, d dialect) []atom {
	atoms, _ := scanPattern(text, d)
	return atoms
}

// checkPattern says what is wrong with a text; "" where nothing is.
func checkPattern(text string, d dialect) string {
	_, problem := scanPattern(text, d)
	return problem
}

func scanPattern(text string, d dialect) (atoms []atom, problem string) {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			atoms = append(atoms, atom{kind: literal, text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case d.wildcards && (c == '*' || c == '?'):
			flush()
			kind := anyText
			if c == '?' {
				kind = anyRune
			}
			atoms = append(atoms, atom{kind: kind})
		case d.variables && strings.HasPrefix(text[i:], "${"):
			body, _, closed := strings.Cut(text[i+2:], "}")
			if !closed {
				return atoms, "a ${ without its }"
			}
			if body == "*" || body == "?" || body == "$" {
				plain.WriteString(body)
			} else {
				v, problem := parseVariable(body)
				if problem != "" {
					return atoms, problem
				}
				flush()
				atoms = append(atoms, atom{kind: substitute, variable: v})
			}
			i += len(body) + 2
		default:
			plain.WriteByte(c)
		}
	}
	flush()
	return atoms, ""
}

// parseVariable reads what stands between ${ and }.
func parseVariable(body string) (*variable, string) {
	name, rest, defaulted := strings.Cut(body, ",")
	name = strings.TrimSpace(name)
	prefix, after, ok := strings.Cut(name, ":")
	if !ok || prefix == "" || after == "" || strings.ContainsAny(name, " ${'\"") {
		return nil, "${" + body + "} names no condition key: write ${aws:username}, ${aws:username, 'default'}, or ${$} for $"
	}
	v := &variable{key: parseKey(name), hasDefault: defaulted}
	if known := namesOf(prefix); known != nil && !isKnown(name) {
		return nil, "${" + body + "} names a condition key that there is not"
	}
	if !defaulted {
		return v, ""
	}
	rest = strings.TrimSpace(rest)
	if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' {
		return nil, "the default in ${" + body + "} stands in single quotes: ${aws:username, 'nobody'}"
	}
	v.fallback = rest[1 : len(rest)-1]
	return v, ""
}

// pattern is a sequence of atoms, cut at every "*" into chunks.
type pattern struct {
	chunks []chunk // one more than it has "*"; none for the empty pattern
}

// chunk matches without a choice of how much: a literal, or atoms.
type chunk struct {
	text  string
	atoms []atom // nil where text is all of it
}

func newPattern(atoms []atom) pattern {
	if len(atoms) == 0 {
		return pattern{}
	}
	var p pattern
	start := 0
	for i := range atoms {
		if atoms[i].kind == anyText {
			p.chunks = append(p.chunks, newChunk(atoms[start:i]))
			start = i + 1
		}
	}
	p.chunks = append(p.chunks, newChunk(atoms[start:]))
	return p
}

func newChunk(atoms []atom) chunk {
	switch {
	case len(atoms) == 0:
		return chunk{}
	case len(atoms) == 1 && atoms[0].kind == literal:
		return chunk{text: atoms[0].text}
	}
	return chunk{atoms: atoms}
}

// splitPattern cuts atoms at the first five colons of their literals.
func splitPattern(atoms []atom) (parts [6]pattern, ok bool) {
	var part []atom
	n := 0
	for _, a := range atoms {
		for a.kind == literal && n < 5 {
			before, after, found := strings.Cut(a.text, ":")
			if !found {
				break
			}
			if before != "" {
				part = append(part, atom{kind: literal, text: before})
			}
			parts[n] = newPattern(part)
			n, part, a.text = n+1, nil, after
		}
		if a.kind != literal || a.text != "" {
			part = append(part, a)
		}
	}
	if n < 5 {
		return parts, false
	}
	parts[5] = newPattern(part)
	return parts, true
}

// plain reports whether the pattern stands for one text, whatever the request.
func (p *pattern) plain() bool {
	return len(p.chunks) == 0 || len(p.chunks) == 1 && p.chunks[0].atoms == nil
}

// literal returns the one text that a plain pattern stands for.
func (p *pattern) literal() string {
	if len(p.chunks) == 0 {
		return ""
	}
	return p.chunks[0].text
}

// star reports whether the pattern is "*".
func (p *pattern) star() bool {
	return len(p.chunks) == 2 && p.chunks[0].empty() && p.chunks[1].empty()
}

func (c *chunk) empty() bool { return c.text == "" && c.atoms == nil }

// lead returns how every text begins that the pattern stands for.
func (p *pattern) lead() string {
	switch {
	case len(p.chunks) == 0:
		return ""
	case p.chunks[0].atoms == nil:
		return p.chunks[0].text
	}
	return p.chunks[0].atoms[0].text // none where it is no literal
}

func (p *pattern) is(text string) bool { return p.plain() && p.literal() == text }

// matches reports whether the pattern stands for all of s. A variable without a
// value stands for no text at all.
func (p *pattern) matches(s string, r *Request) bool {
	if p.plain() {
		return p.literal() == s
	}
	last := len(p.chunks) - 1
	at, ok := p.chunks[0].match(s, 0, r)
	if !ok {
		return false
	}
	if last == 0 {
		return at == len(s)
	}
	for i := 1; i < last; i++ {
		if at, ok = p.chunks[i].find(s, at, r); !ok {
			return false
		}
	}
	return p.chunks[last].ends(s, at, r)
}

// match reports where the chunk ends that begins at a place of s.
func (c *chunk) match(s string, at int, r *Request) (end int, ok bool) {
	if c.atoms == nil {
		return at + len(c.text), strings.HasPrefix(s[at:], c.text)
	}
	for i := range c.atoms {
		a := &c.atoms[i]
		if a.kind == anyRune {
			if at == len(s) {
				return at, false
			}
			_, size := utf8.DecodeRuneInString(s[at:])
			at += size
			continue
		}
		text := a.text
		if a.kind == substitute {
			if text, ok = a.variable.value(r); !ok {
				return at, false
			}
		}
		if !strings.HasPrefix(s[at:], text) {
			return at, false
		}
		at += len(text)
	}
	return at, true
}

// find returns the end of the first chunk from a place of s on.
func (c *chunk) find(s string, at int, r *Request) (end int, ok bool) {
	if c.atoms == nil {
		i := strings.Index(s[at:], c.text)
		return at + i + len(c.text), i >= 0
	}
	for ; at <= len(s); at++ {
		if end, ok := c.match(s, at, r); ok {
			return end, true
		}
	}
	return at, false
}

// ends reports whether s ends in the chunk, from a place on.
func (c *chunk) ends(s string, at int, r *Request) bool {
	if c.atoms == nil {
		return len(s)-at >= len(c.text) && strings.HasSuffix(s, c.text)
	}
	for ; at <= len(s); at++ {
		if end, ok := c.match(s, at, r); ok && end == len(s) {
			return true
		}
	}
	return false
}

// expand returns the text of a pattern without wildcards.
func (p *pattern) expand(r *Request) (string, bool) {
	if p.plain() {
		return p.literal(), true
	}
	var b strings.Builder
	for i := range p.chunks[0].atoms {
		a := &p.chunks[0].atoms[i]
		text, ok := a.text, true
		if a.kind == substitute {
			text, ok = a.variable.value(r)
		}
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}
