package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Raw is a value that is written as it is: a number, a duration, true, or text
// with a reference in it.
type Raw string

// Map is a mapping in the order of its making. Its values are string, Raw, int,
// bool, *Map, *List and []string.
type Map struct {
	entries []entry
	rest    []string // comments after the last entry
	flow    bool
}

type entry struct {
	above []string
	key   string
	value any
}

// List is a sequence, with comments before its items.
type List struct {
	entries []entry // without keys
	rest    []string
	flow    bool
}

// NewMap returns an empty mapping.
func NewMap() *Map { return &Map{} }

// Flow returns a mapping that is written on one line.
func Flow() *Map { return &Map{flow: true} }

// Put adds a key. A value that is empty (nil, "", an empty list) is left out.
func (m *Map) Put(key string, value any) *Map {
	if isEmpty(value) {
		return m
	}
	m.entries = append(m.entries, entry{m.rest, key, value})
	m.rest = nil
	return m
}

// Note writes comments before the next key.
func (m *Map) Note(lines ...string) *Map {
	m.rest = append(m.rest, lines...)
	return m
}

// Has reports whether a key is there.
func (m *Map) Has(key string) bool { return m.Get(key) != nil }

// Get returns a key's value; nil for none.
func (m *Map) Get(key string) any {
	for _, e := range m.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// Sub returns the mapping under a key, which is made where it is not there.
func (m *Map) Sub(key string) *Map {
	if sub, ok := m.Get(key).(*Map); ok {
		return sub
	}
	sub := &Map{flow: m.flow}
	m.entries = append(m.entries, entry{m.rest, key, sub})
	m.rest = nil
	return sub
}

// Empty reports whether nothing was put.
func (m *Map) Empty() bool { return m == nil || len(m.entries) == 0 }

// NewList returns an empty sequence of which each item has its own lines.
func NewList() *List { return &List{} }

// Add adds an item.
func (l *List) Add(value any) *List {
	l.entries = append(l.entries, entry{above: l.rest, value: value})
	l.rest = nil
	return l
}

// Note writes comments before the next item.
func (l *List) Note(lines ...string) *List {
	l.rest = append(l.rest, lines...)
	return l
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case Raw:
		return v == ""
	case []string:
		return len(v) == 0
	case *Map:
		return v == nil || len(v.entries) == 0 && len(v.rest) == 0
	case *List:
		return v == nil || len(v.entries) == 0 && len(v.rest) == 0
	}
	return false
}

// width is how long a line may be before a comment is broken, or a mapping is
// written in several lines.
const width = 100

// writer writes block style.
type writer struct{ b strings.Builder }

func (w *writer) comments(indent int, lines []string) {
	pad := strings.Repeat(" ", indent)
	for _, text := range lines {
		if text == "" {
			continue
		}
		for _, line := range wrap(printable(text), width-indent-2) {
			w.b.WriteString(strings.TrimRight(pad+"# "+line, " ") + "\n")
		}
	}
}

func (w *writer) mapping(m *Map, indent int) {
	pad := strings.Repeat(" ", indent)
	for _, e := range m.entries {
		w.comments(indent, e.above)
		w.b.WriteString(pad + scalar(e.key, false) + ":")
		w.value(e.value, indent)
	}
	w.comments(indent, m.rest)
}

// value writes what stands behind "key:" or "-".
func (w *writer) value(v any, indent int) {
	if line, ok := inline(v, indent); ok {
		w.b.WriteString(" " + line + "\n")
		return
	}
	w.b.WriteString("\n")
	switch v := v.(type) {
	case *Map:
		w.mapping(v, indent+2)
	case *List:
		w.list(v, indent+2)
	case []string:
		l := NewList()
		for _, s := range v {
			l.Add(s)
		}
		w.list(l, indent+2)
	}
}

func (w *writer) list(l *List, indent int) {
	pad := strings.Repeat(" ", indent)
	for _, e := range l.entries {
		w.comments(indent, e.above)
		if line, ok := inline(e.value, indent); ok {
			w.b.WriteString(pad + "- " + line + "\n")
			continue
		}
		var inner writer
		switch v := e.value.(type) {
		case *Map:
			inner.mapping(v, indent+2)
		case *List:
			inner.list(v, indent+2)
		}
		w.b.WriteString(dashed(inner.b.String(), indent))
	}
	w.comments(indent, l.rest)
}

// dashed puts "- " before the first line that is no comment.
func dashed(text string, indent int) string {
	pad := strings.Repeat(" ", indent)
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		rest, ok := strings.CutPrefix(line, pad+"  ")
		if ok && !strings.HasPrefix(rest, "#") {
			lines[i] = pad + "- " + rest
			break
		}
		if ok {
			lines[i] = pad + rest
		}
	}
	return strings.Join(lines, "")
}

// inline returns a value on one line, where it fits.
func inline(v any, indent int) (string, bool) {
	switch v := v.(type) {
	case *Map:
		if !v.flow || commented(v) {
			return "", false
		}
	case *List:
		if !v.flow {
			return "", false
		}
	case string, Raw, int, bool, []string:
	default:
		return "", false
	}
	line := flow(v, false)
	_, isList := v.([]string)
	if isMap, ok := v.(*Map); (ok && !isMap.Empty() || isList) && indent+len(line) > width {
		return "", false
	}
	return line, true
}

func commented(m *Map) bool {
	if len(m.rest) > 0 {
		return true
	}
	for _, e := range m.entries {
		if sub, ok := e.value.(*Map); len(e.above) > 0 || ok && commented(sub) {
			return true
		}
	}
	return false
}

func flow(v any, inside bool) string {
	switch v := v.(type) {
	case string:
		return scalar(v, inside)
	case Raw:
		return string(v)
	case []string:
		parts := make([]string, len(v))
		for i, s := range v {
			parts[i] = scalar(s, true)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *Map:
		parts := make([]string, len(v.entries))
		for i, e := range v.entries {
			parts[i] = scalar(e.key, true) + ": " + flow(e.value, true)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case *List:
		parts := make([]string, len(v.entries))
		for i, e := range v.entries {
			parts[i] = flow(e.value, true)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// plain is text that needs no quotes where a value stands alone, and in flow
// style.
var (
	plain     = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./ {}+*,$-]*(:[A-Za-z0-9_./-]+)*$`)
	plainFlow = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$`)
	word      = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|null|y|n|\.inf|\.nan)$`)
)

// scalar writes text so that it is read as that text, with no reference in it.
func scalar(s string, inFlow bool) string {
	form := plain
	if inFlow {
		form = plainFlow
	}
	s = strings.ReplaceAll(s, "${", "$${")
	if form.MatchString(s) && !word.MatchString(s) && strings.TrimSpace(s) == s && !strings.Contains(s, "${") && !strings.Contains(s, " #") {
		return s
	}
	return quote(s)
}

// Template writes text in which ${...} are references.
func Template(s string) Raw { return Raw(quote(s)) }

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == utf8.RuneError || !unicode.IsPrint(r) && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04X`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable makes text fit for a comment on one line: nothing in it ends the
// line, or drives a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}

// wrap breaks text between words. What begins with a space is left as it is: an
// example, or a line of the source.
func wrap(text string, width int) []string {
	if len(text) <= width || strings.HasPrefix(text, " ") {
		return []string{text}
	}
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}

// Itoa writes a number.
func Itoa(n int) Raw { return Raw(strconv.Itoa(n)) }

// Items returns the list's values.
func (l *List) Items() []any {
	out := make([]any, len(l.entries))
	for i, e := range l.entries {
		out[i] = e.value
	}
	return out
}

// Set puts a key, or another value of one that is there.
func (m *Map) Set(key string, value any) {
	for i := range m.entries {
		if m.entries[i].key == key {
			m.entries[i].value = value
			return
		}
	}
	m.Put(key, value)
}
