package crs

import (
	"bytes"
	"mime"
	"strings"

	"gatehouse/exchange"
	"gatehouse/waf/crs/inspect"
)

// The limits of a multipart body. What is beyond them is not taken apart, and
// the body counts as one that can be read in several ways.
const (
	maxParts       = 1000
	maxPartHeaders = 16
	maxBoundary    = 70 // RFC 2046 section 5.1.1
)

// splitter takes a multipart body apart (RFC 2046, RFC 7578), as strictly as its
// readers differ: what one of them could take in another way is noted, and all
// that any of them could take for a name or a file is kept.
type splitter struct {
	boundary []byte // with "--" before it
	body     *inspect.Body
}

func (s *splitter) strict(why string) {
	if s.body.Strict == "" {
		s.body.Strict = why
	}
}

// split fills in the parts of a body with this Content-Type.
func split(b *inspect.Body, contentType string) {
	s := splitter{body: b}
	_, params, err := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	switch {
	case err != nil:
		s.strict("the Content-Type is malformed")
	case boundary == "" || len(boundary) > maxBoundary || strings.ContainsFunc(boundary, func(c rune) bool { return c < ' ' || c > '~' }):
		s.strict("the boundary is none")
	case strings.Count(strings.ToLower(contentType), "boundary") > 1 && strings.Count(strings.ToLower(boundary), "boundary") == 0:
		s.strict("the Content-Type names several boundaries")
	case strings.ContainsAny(boundary, "\"\\;,") || strings.HasSuffix(boundary, " "):
		s.strict("the boundary holds what readers cut it at")
	}
	if boundary == "" {
		return
	}
	s.boundary = []byte("--" + boundary)
	s.parts(b.Data)
}

// parts walks from boundary to boundary.
func (s *splitter) parts(data []byte) {
	if len(data) == 0 {
		return
	}
	before, rest, last, found := s.cut(data)
	switch {
	case !found:
		s.strict("there is no boundary")
		return
	case len(before) > 0:
		s.strict("there is something before the first boundary")
	}
	for !last {
		var content []byte
		content, rest, last, found = s.cut(rest)
		if !found && !s.body.Cut {
			s.strict("the last boundary is missing")
		}
		s.part(content)
		if !found {
			return
		}
		if len(s.body.Parts) >= maxParts {
			s.strict("there are too many parts")
			return
		}
	}
	if len(bytes.Trim(rest, "\r\n")) > 0 {
		s.strict("there is something behind the last boundary")
	}
}

// cut returns what stands before the next boundary, without the line end that
// belongs to it, what stands behind, and whether that was the last one.
func (s *splitter) cut(data []byte) (before, rest []byte, last, found bool) {
	for from := 0; ; {
		i := bytes.Index(data[from:], s.boundary)
		if i < 0 {
			return data, nil, false, false
		}
		i += from
		from = i + len(s.boundary)
		if i > 0 && data[i-1] != '\n' {
			if data[i-1] == '\r' {
				s.strict("a line ends in a bare CR")
			}
			continue // within a line
		}
		rest, last, ok := s.delimiter(data[from:])
		if !ok {
			s.strict("a line begins like the boundary")
			continue
		}
		return s.lineEnd(data[:i]), rest, last, true
	}
}

// delimiter reads what follows the text of a boundary on its line.
func (s *splitter) delimiter(data []byte) (rest []byte, last, ok bool) {
	if after, is := bytes.CutPrefix(data, []byte("--")); is {
		data, last = after, true
	}
	line, rest, more := bytes.Cut(data, []byte("\n"))
	if !more && !last {
		if s.body.Cut && len(bytes.Trim(line, " \t\r")) == 0 {
			return nil, false, true
		}
		return nil, false, false
	}
	trimmed := bytes.TrimRight(line, " \t\r")
	if len(trimmed) > 0 {
		return nil, false, false
	}
	if more && !bytes.HasSuffix(line, []byte("\r")) {
		s.strict("a line ends in a bare LF")
	}
	if len(bytes.TrimSuffix(line, []byte("\r"))) > 0 {
		s.strict("there is space behind a boundary")
	}
	return rest, last, true
}

// lineEnd takes the line end away that belongs to the boundary behind it.
func (s *splitter) lineEnd(data []byte) []byte {
	data, ok := bytes.CutSuffix(data, []byte("\n"))
	if !ok {
		return data
	}
	data, ok = bytes.CutSuffix(data, []byte("\r"))
	if !ok {
		s.strict("a line ends in a bare LF")
	}
	return data
}

// part reads one part: its head, and its content.
func (s *splitter) part(data []byte) {
	var p inspect.Part
	var disposition string
	seen := make(map[string]bool, 4)
	for {
		line, rest, more := bytes.Cut(data, []byte("\n"))
		text, crlf := bytes.CutSuffix(line, []byte("\r"))
		if more && !crlf {
			s.strict("a line ends in a bare LF")
		}
		if len(text) == 0 {
			data = rest
			break
		}
		if s.header(&p, string(text), seen, &disposition); len(p.Headers) > maxPartHeaders {
			s.strict("a part has too many headers")
			break
		}
		if data = rest; !more {
			s.strict("a part has no content")
			break
		}
	}
	p.Data = data
	s.disposition(&p, disposition)
	s.body.Parts = append(s.body.Parts, p)
}

// header reads one line of a part's head.
func (s *splitter) header(p *inspect.Part, line string, seen map[string]bool, disposition *string) {
	if line[0] == ' ' || line[0] == '\t' {
		s.strict("a header of a part is folded")
		if n := len(p.Headers); n > 0 {
			p.Headers[n-1] += " " + strings.TrimSpace(line)
			if seen["content-disposition"] && strings.HasPrefix(strings.ToLower(p.Headers[n-1]), "content-disposition") {
				*disposition += " " + strings.TrimSpace(line)
			}
			return
		}
	}
	p.Headers = append(p.Headers, line)
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		s.strict("a header of a part has no name")
		return
	}
	if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		s.strict("a header of a part holds control bytes")
	}
	if name != strings.TrimSpace(name) {
		s.strict("a header of a part has space around its name")
	}
	key := strings.ToLower(strings.TrimSpace(name))
	if seen[key] {
		s.strict("a part has a header twice")
	}
	seen[key] = true
	if key == "content-disposition" {
		if *disposition != "" {
			*disposition += "; "
		}
		*disposition += strings.TrimSpace(value)
	}
}

// disposition reads the names of a part. Of several every one is kept.
func (s *splitter) disposition(p *inspect.Part, text string) {
	kind, params, _ := strings.Cut(text, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "form-data") {
		s.strict("a part is no form-data")
	}
	named := false
	for param := range parameters(params) {
		key, value, ok := strings.Cut(param, "=")
		if !ok {
			if strings.TrimSpace(param) != "" {
				s.strict("a parameter of a part has no value")
			}
			continue
		}
		value, fine := unquoted(strings.TrimSpace(value))
		if !fine {
			s.strict("a parameter of a part is quoted in a way that readers differ about")
		}
		switch key = strings.ToLower(strings.TrimSpace(key)); key {
		case "name":
			if named {
				s.strict("a part has several names")
			}
			p.Name, named = value, true
		case "filename":
			s.file(p, value)
		case "filename*":
			s.extended(p, value)
		default:
			if strings.HasPrefix(key, "name*") || strings.HasPrefix(key, "filename*") {
				s.strict("a name of a part comes in pieces")
				s.file(p, value)
			}
		}
	}
	if !named {
		s.strict("a part has no name")
	}
}

// file adds what could be the name of a part's file.
func (s *splitter) file(p *inspect.Part, name string) {
	if len(p.Files) > 0 {
		s.strict("a part has several names of a file")
	}
	p.Files = append(p.Files, name)
}

// extended reads a filename* (RFC 8187): charset'language'value. RFC 7578
// section 4.2 forbids it in forms.
func (s *splitter) extended(p *inspect.Part, value string) {
	s.strict("a name of a file is in extended notation")
	pieces := strings.SplitN(value, "'", 3)
	if len(pieces) == 3 {
		value = pieces[2]
	}
	s.file(p, unescapePercent(value))
}

// parameters yields the parameters of a field, cut at ";" outside of quotes.
func parameters(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted, from := false, 0
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case c == ';' && !quoted:
				if !yield(s[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(s[from:])
	}
}

// unquoted takes the quotes off a value, and reports whether every reader would
// find the same in them: browsers write %22 for a quote, and a backslash is one
// character for some readers and none for others.
func unquoted(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' {
		return s, !strings.ContainsAny(s, "\"\\'")
	}
	inner, closed := strings.CutSuffix(s[1:], `"`)
	return inner, closed && !strings.ContainsAny(inner, "\"\\")
}

func unescapePercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, ok := exchange.Unhex(s[i+1], s[i+2]); ok {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
