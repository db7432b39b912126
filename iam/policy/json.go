package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"gatehouse/config"
)

// maxDepth is how deep values nest at most; a document needs six levels.
const maxDepth = 16

// reader reads JSON (RFC 8259) with the place of every value.
type reader struct {
	name   string
	data   []byte
	at     int
	report *config.Report
	failed bool
}

// parseJSON returns the one value that data is; nil where it is none, which it
// then reports. Names that an object says twice and what is not UTF-8 are errors.
func parseJSON(name string, data []byte, report *config.Report) *value {
	r := &reader{name: name, data: data, report: report}
	var whole json.RawMessage
	err := json.Unmarshal(data, &whole)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return r.fail(int(syntax.Offset)-1, "broken JSON: %v", err)
	}
	if at := invalid(data); at >= 0 {
		return r.fail(at, "broken JSON: this is not UTF-8")
	}
	v := r.read(0)
	if r.failed {
		return nil
	}
	return v
}

// invalid returns where data ceases to be UTF-8; -1 where it is.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// read reads the next value of text that is known to be JSON.
func (r *reader) read(depth int) *value {
	r.skip(" \t\r\n")
	v := &value{kind: config.Scalar, at: r.pos(r.at)}
	if depth > maxDepth {
		return r.fail(r.at, "lists and objects nest deeper than %d", maxDepth)
	}
	switch r.data[r.at] {
	case '{':
		v.kind = config.Map
		r.object(v, depth)
	case '[':
		v.kind = config.List
		r.array(v, depth)
	case '"':
		v.text = r.text()
	case 'n':
		v.kind = config.Null
		r.at += len("null")
	default:
		start := r.at
		for r.at < len(r.data) && strings.IndexByte(" \t\r\n,]}", r.data[r.at]) < 0 {
			r.at++
		}
		v.text = string(r.data[start:r.at])
	}
	return v
}

func (r *reader) object(v *value, depth int) {
	seen := make(map[string]bool)
	r.at++
	for r.skip(" \t\r\n,"); r.data[r.at] != '}'; r.skip(" \t\r\n,") {
		start := r.at
		key := r.text()
		if seen[key] {
			r.fail(start, "%s is said twice: keep one of the two", quoteShort(key))
		}
		seen[key] = true
		r.skip(" \t\r\n:")
		inner := r.read(depth + 1)
		if r.failed {
			return
		}
		v.entries = append(v.entries, entry{key, r.pos(start), inner})
	}
	r.at++
}

func (r *reader) array(v *value, depth int) {
	r.at++
	for r.skip(" \t\r\n,"); r.data[r.at] != ']'; r.skip(" \t\r\n,") {
		inner := r.read(depth + 1)
		if r.failed {
			return
		}
		v.items = append(v.items, inner)
	}
	r.at++
}

// text reads a string. An escape that stands for no character is an error: what
// is put in its place would be another policy.
func (r *reader) text() string {
	start := r.at
	for r.at++; r.data[r.at] != '"'; r.at++ {
		if r.data[r.at] == '\\' {
			r.at++
		}
	}
	r.at++
	raw := r.data[start:r.at]
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || strings.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) {
		r.fail(start, "broken JSON: an escape that stands for no character")
	}
	return s
}

func (r *reader) skip(bytes string) {
	for r.at < len(r.data) && strings.IndexByte(bytes, r.data[r.at]) >= 0 {
		r.at++
	}
}

// fail reports the first problem; nothing is read after it.
func (r *reader) fail(at int, format string, args ...any) *value {
	if !r.failed {
		r.report.Errorf(r.pos(at), format, args...)
	}
	r.failed = true
	return nil
}

// pos returns the place of a byte: lines and characters count from 1.
func (r *reader) pos(offset int) config.Pos {
	before := r.data[:min(max(offset, 0), len(r.data))]
	line := bytes.Count(before, []byte("\n"))
	start := bytes.LastIndexByte(before, '\n') + 1
	return config.Pos{File: r.name, Line: line + 1, Column: utf8.RuneCount(before[start:]) + 1}
}
