package tree

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// File is the text of one file.
type File struct {
	Name string // as positions print it

	lines  []string // without line ends
	widths []int    // of the lines, in runes
	masks  []span   // literal secrets, hidden when a line is echoed
	blinds []span   // what was never decoded, so that secrets there are known by their keys alone
	broken bool     // nothing was

	echoed int // the line whose runes these are
	runes  []rune
}

// span is a part of a file, to before its end.
type span struct {
	line, column       int
	endLine, endColumn int
}

// NewFile returns the file with this content. Carriage returns end lines as
// line feeds do, and a byte order mark is no part of the text.
func NewFile(name string, content []byte) *File {
	text := strings.TrimPrefix(string(content), "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	f := &File{Name: name, lines: strings.Split(text, "\n")}
	f.widths = make([]int, len(f.lines))
	for i, line := range f.lines {
		f.widths[i] = utf8.RuneCountInString(line)
	}
	return f
}

// Size returns how many bytes the file's text has, line ends apart.
func (f *File) Size() int {
	size := 0
	for _, line := range f.lines {
		size += len(line)
	}
	return size
}

// clamp returns the place nearest to line and column that the file has. The
// parser's own places can lie beyond the end of the text.
func (f *File) clamp(line, column int) Pos {
	line = min(max(line, 1), len(f.lines))
	column = min(max(column, 1), f.widths[line-1]+1)
	return Pos{f.Name, line, column}
}

// Mask hides a literal secret when its line is echoed.
func (f *File) Mask(v *Value) {
	if v.Pos.IsValid() && v.Kind != Null {
		f.masks = append(f.masks, f.span(v.Pos, v))
	}
}

// Unseen notes a value that will not be decoded.
func (f *File) Unseen(at Pos, v *Value) {
	if at.IsValid() && v.Kind != Null {
		f.blinds = append(f.blinds, f.span(at, v))
	}
}

// span returns where v stands, from at to the token that follows it. It takes
// rather too much than too little.
func (f *File) span(at Pos, v *Value) span {
	for len(v.Items) > 0 || len(v.Entries) > 0 {
		if n := len(v.Items); n > 0 {
			v = v.Items[n-1]
		} else {
			v = v.Entries[len(v.Entries)-1].Value
		}
	}
	end := Pos{f.Name, len(f.lines) + 1, 1}
	if next := following(v.last); next != nil {
		end = f.clamp(next.Position.Line, next.Position.Column)
	}
	if end.Line < at.Line || end.Line == at.Line && end.Column <= at.Column {
		end = Pos{f.Name, at.Line + 1, 1}
	}
	return span{at.Line, at.Column, end.Line, end.Column}
}

// following returns the token after t, past those that the parser made up.
func following(t *token.Token) *token.Token {
	if t == nil {
		return nil
	}
	for t = t.Next; t != nil && (t.Position == nil || t.Type == token.ImplicitNullType); t = t.Next {
	}
	return t
}

// Echo returns the line at p with its secrets hidden, cut to a length that a
// terminal shows, and the column of p in what is returned, counted from 0.
func (f *File) Echo(p Pos, secretKeys []string) (line string, caret int) {
	if p.Line < 1 || p.Line > len(f.lines) {
		return "", 0
	}
	if f.echoed != p.Line {
		f.echoed, f.runes = p.Line, []rune(f.lines[p.Line-1])
	}
	caret = min(max(p.Column-1, 0), len(f.runes))
	// What secrets take may shrink, so that more of the line comes into view.
	view := part{max(0, caret-1000), min(len(f.runes), caret+1000)}
	runes, caret := cover(f.runes[view.from:view.to], view.clip(f.hidden(p.Line, secretKeys)), caret-view.from)
	return window(runes, caret, view.from > 0, view.to < len(f.runes))
}

// part is a run of runes of one line.
type part struct{ from, to int }

// clip returns what of parts lies in p, counted from where p begins.
func (p part) clip(parts []part) []part {
	var in []part
	for _, q := range parts {
		if q.from < p.to && q.to > p.from {
			in = append(in, part{max(q.from, p.from) - p.from, min(q.to, p.to) - p.from})
		}
	}
	return in
}

// on returns the part of a line that the span takes.
func (s span) on(line, length int) (part, bool) {
	if line < s.line || line > s.endLine {
		return part{}, false
	}
	p := part{0, length}
	if line == s.line {
		p.from = min(s.column-1, length)
	}
	if line == s.endLine {
		p.to = min(s.endColumn-1, length)
	}
	return p, true
}

// hidden returns the parts of a line, the one whose runes f holds, that must
// not be told.
func (f *File) hidden(line int, secretKeys []string) []part {
	var parts []part
	whole := part{0, len(f.runes)}
	for _, m := range f.masks {
		if p, ok := m.on(line, len(f.runes)); ok {
			parts = append(parts, p)
		}
	}
	for _, blind := range f.blinds {
		if within, ok := blind.on(line, len(f.runes)); ok {
			parts = append(parts, secretParts(f.runes, within, secretKeys)...)
		}
	}
	switch {
	case !f.broken:
	case f.continues(line, secretKeys):
		parts = append(parts, whole)
	default:
		parts = append(parts, secretParts(f.runes, whole, secretKeys)...)
	}
	return parts
}

// continues reports whether a line without a key of its own may go on with the
// secret of a line before it.
func (f *File) continues(line int, keys []string) bool {
	for ; line > 1 && !strings.Contains(f.lines[line-1], ":"); line-- {
		above := []rune(f.lines[line-2])
		if len(secretParts(above, part{0, len(above)}, keys)) > 0 {
			return true
		}
	}
	return false
}

// secretParts finds what stands after the keys of secrets, up to the end of
// what is looked at, since nothing is known of it but its text.
func secretParts(line []rune, within part, keys []string) []part {
	text := string(line[within.from:within.to])
	folded := lower(text)
	var parts []part
	for _, key := range keys {
		for at := 0; ; {
			i := strings.Index(folded[at:], key)
			if i < 0 {
				break
			}
			at += i + len(key)
			rest := strings.TrimLeft(text[at:], `"' `)
			if value, ok := strings.CutPrefix(rest, ":"); ok && !isReference(value) {
				parts = append(parts, part{within.to - utf8.RuneCountInString(value), within.to})
			}
		}
	}
	return parts
}

// lower returns s with its ASCII letters in lower case: every byte stays in its
// place.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// isReference reports whether value is a reference, which may be shown.
func isReference(value string) bool {
	value = strings.TrimSpace(value)
	bare := strings.TrimLeft(value, `"'`)
	if !strings.HasPrefix(bare, "${env:") && !strings.HasPrefix(bare, "${file:") {
		return false
	}
	_, after, ok := strings.Cut(bare, "}")
	if quote := value[:len(value)-len(bare)]; quote != "" {
		return ok && strings.HasPrefix(after, quote)
	}
	return ok && after == ""
}

// Hidden stands in the place of a secret.
const Hidden = "(secret)"

// cover replaces the parts of runes and moves the caret along.
func cover(runes []rune, parts []part, caret int) ([]rune, int) {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.from, b.from) })
	var out []rune
	at, moved := 0, caret
	for _, p := range parts {
		p.from = max(p.from, at)
		for p.from < p.to && runes[p.from] == ' ' {
			p.from++
		}
		for p.to > p.from && runes[p.to-1] == ' ' {
			p.to--
		}
		if p.from >= p.to {
			continue
		}
		out = append(append(out, runes[at:p.from]...), []rune(Hidden)...)
		at = p.to
		switch {
		case caret >= p.to:
			moved += len(Hidden) - (p.to - p.from)
		case caret > p.from:
			moved -= caret - p.from
		}
	}
	return append(out, runes[at:]...), moved
}

// window cuts a long line around the caret and makes what a terminal would
// obey visible. Less and more say that there is text on either side of runes.
func window(runes []rune, caret int, less, more bool) (string, int) {
	const before, after = 80, 80
	from, to := max(0, caret-before), min(len(runes), caret+after)
	text, caret := Visible(string(runes[from:to])), caret-from
	if from > 0 || less {
		text, caret = "..."+text, caret+3
	}
	if to < len(runes) || more {
		text += "..."
	}
	return text, caret
}

// Visible returns s with U+FFFD for what a terminal would obey.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
}

// isControl reports whether r is a character that YAML forbids in a text or
// that could deceive who reads it on a terminal: controls, and those that
// turn the direction of writing.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
