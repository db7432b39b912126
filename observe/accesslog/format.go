package accesslog

import (
	"encoding/json"
	"fmt"
	"strings"

	"gatehouse/observe/escape"
)

// JSON is the name of the default format.
const JSON = "json"

// Format makes lines. It is immutable and safe for concurrent use.
type Format struct {
	query  bool
	pieces []piece // none: the default JSON object
	esc    escape.Func
	plain  bool // no JSON
}

// piece is a part of a line: literal text, then a variable.
type piece struct {
	literal string
	field   *field
	quoted  bool // the variable stands within a JSON string, or in plain text
}

// Options are the choices that a format leaves open.
type Options struct {
	Query bool // the default format prints the query too, credentials redacted
}

// Unknown is the error of a variable that does not exist.
type Unknown struct{ Name string }

func (e *Unknown) Error() string { return "unknown variable $context." + e.Name }

// Compile makes a Format of "json" or of text with variables in the names of
// API Gateway's access logs, $context.requestId. Text that begins with "{" is a
// JSON object: variables print as JSON, within quotes as the inside of a
// string, elsewhere as a number, a string or null. In other text unknown values
// print as "-". Compile returns all that is wrong.
func Compile(format string, o Options) (*Format, []error) {
	f := &Format{query: o.Query, esc: escape.JSON}
	format = strings.TrimSpace(format)
	if format == JSON {
		return f, nil
	}
	object := strings.HasPrefix(format, "{")
	if !object {
		f.esc, f.plain = escape.Plain, true
	}
	errs := f.parse(format, object)
	if !strings.Contains(format, prefix) {
		errs = append(errs, fmt.Errorf("the format names no variable: write json, or text such as $context.requestId $context.status"))
	}
	if object && len(errs) == 0 {
		errs = f.checkObject()
	}
	if !object && strings.ContainsAny(format, "\n\r") {
		errs = append(errs, fmt.Errorf("the format has more than one line: a request is one line of the log"))
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return f, nil
}

const prefix = "$context."

// parse cuts the format into pieces.
func (f *Format) parse(format string, object bool) (errs []error) {
	var quotes quoting
	known := table()
	for rest := format; rest != ""; {
		at := strings.Index(rest, prefix)
		if at < 0 {
			at = len(rest)
		}
		errs = append(errs, strangers(rest[:at])...)
		p := piece{literal: quotes.literal(rest[:at], object)}
		p.quoted = !object || quotes.inside
		rest = rest[at:]
		if rest != "" {
			name := variable(rest[len(prefix):])
			rest = rest[len(prefix)+len(name):]
			if p.field = lookup(known, name); p.field == nil {
				errs = append(errs, &Unknown{name})
			}
		}
		f.pieces = append(f.pieces, p)
	}
	return errs
}

// strangers returns an error for each thing in literal text that was meant to be
// a variable: $contxt.status, ${status}.
func strangers(text string) (errs []error) {
	for {
		_, after, found := strings.Cut(text, "$")
		if !found {
			return errs
		}
		text = after
		name := variable(strings.TrimPrefix(after, "{"))
		if name != "" && (name[0] < '0' || name[0] > '9') {
			errs = append(errs, fmt.Errorf("unknown variable $%s: variables are written as $context.requestId", name))
		}
	}
}

// variable returns the name that s begins with: letters, digits, "_" and single
// dots between them.
func variable(s string) string {
	end := 0
	for end < len(s) && (isNameByte(s[end]) || s[end] == '.' && end+1 < len(s) && isNameByte(s[end+1])) {
		end++
	}
	return s[:end]
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// quoting follows JSON text to know what stands within a string.
type quoting struct{ inside, escaped bool }

// literal returns text with the line breaks between JSON's tokens taken out.
func (q *quoting) literal(text string, object bool) string {
	if !object {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case q.escaped:
			q.escaped = false
		case q.inside && c == '\\':
			q.escaped = true
		case c == '"':
			q.inside = !q.inside
		case !q.inside && (c == '\n' || c == '\r' || c == '\t'):
			c = ' '
		}
		out = append(out, c)
	}
	return string(out)
}

// checkObject finds out whether the line is JSON whatever the values are: with
// all of them known, and with none.
func (f *Format) checkObject() []error {
	for _, known := range []bool{true, false} {
		var line []byte
		for i := range f.pieces {
			line = append(line, f.pieces[i].literal...)
			line = append(line, f.pieces[i].example(known)...)
		}
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			return []error{fmt.Errorf("the format begins with { and is no JSON object: %w", err)}
		}
	}
	return nil
}

// example is what could stand for the variable. Within a string it is a letter
// that no backslash may precede.
func (p *piece) example(known bool) string {
	switch {
	case p.field == nil:
		return ""
	case p.quoted:
		return "x"
	case !known:
		return "null"
	case p.field.number:
		return "0"
	}
	return `"x"`
}

// Append appends the line of a request, with its line break.
func (f *Format) Append(b []byte, rec *Record) []byte {
	if f.pieces == nil {
		return f.appendJSON(b, rec)
	}
	for i := range f.pieces {
		p := &f.pieces[i]
		b = append(b, p.literal...)
		if p.field != nil {
			b = f.appendField(b, p, rec)
		}
	}
	return append(b, '\n')
}

func (f *Format) appendField(b []byte, p *piece, rec *Record) []byte {
	start := len(b)
	quotes := !p.quoted && !p.field.number || f.plain && p.field.quotes
	if quotes {
		b = append(b, '"')
	}
	before := len(b)
	switch {
	case p.field.text != nil:
		b = f.esc(b, clip(p.field.text(rec)))
	case p.field.safe != nil:
		b = p.field.safe(b, rec, f.esc)
	default:
		b = p.field.raw(b, rec)
	}
	switch {
	case len(b) == before && !p.quoted:
		return append(b[:start], "null"...)
	case len(b) == before:
		return append(b[:start], '-')
	case quotes:
		return append(b, '"')
	}
	return b
}
