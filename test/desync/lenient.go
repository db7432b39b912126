package desync

import (
	"strconv"
	"strings"
)

// Way is how a forgiving server decides where it could read two things.
type Way struct {
	Length bool // Content-Length goes before Transfer-Encoding
	Last   bool // of several fields the last counts
	CR     bool // a bare CR ends a line, as a bare LF always does
}

// Ways are all of them.
var Ways = []Way{
	{}, {CR: true}, {Last: true}, {Last: true, CR: true},
	{Length: true}, {Length: true, CR: true}, {Length: true, Last: true}, {Length: true, Last: true, CR: true},
}

// Lenient reads as the most careless of servers: any kind of line's end, empty
// lines before a request, any space between the parts of a request line, spaces
// before a colon, folded lines, NUL as the end of a value, punctuation of any
// kind in the names of the fields that frame a message, any list that holds the
// word chunked, lengths with signs, zeros and rubbish behind them.
func Lenient(s string, way Way) (all []Request) {
	in := &lenient{s, way}
	for {
		for strings.HasPrefix(in.rest, "\r") || strings.HasPrefix(in.rest, "\n") {
			in.rest = in.rest[1:]
		}
		r, ok := in.request()
		if !ok {
			return all
		}
		all = append(all, r)
		if !r.Whole {
			return all
		}
	}
}

type lenient struct {
	rest string
	way  Way
}

// line cuts the next line off.
func (in *lenient) line() (line string, ok bool) {
	ends := "\n"
	if in.way.CR {
		ends = "\r\n"
	}
	i := strings.IndexAny(in.rest, ends)
	if i < 0 || in.rest[i:] == "\r" {
		return "", false // there may be more of it
	}
	line, in.rest = in.rest[:i], strings.TrimPrefix(in.rest[i:], "\r")
	in.rest = strings.TrimPrefix(in.rest, "\n")
	return strings.TrimSuffix(line, "\r"), true
}

// section reads lines up to an empty one.
func (in *lenient) section() (lines []string, ok bool) {
	for {
		line, ok := in.line()
		switch {
		case !ok:
			return nil, false
		case line == "":
			return lines, true
		case len(lines) > 0 && (line[0] == ' ' || line[0] == '\t'):
			lines[len(lines)-1] += line
		default:
			lines = append(lines, line)
		}
	}
}

func (in *lenient) request() (r Request, ok bool) {
	lines, ok := in.section()
	if !ok || len(lines) == 0 {
		return r, false
	}
	parts := append(strings.Fields(lines[0]), "", "")
	r.Method, r.Target = parts[0], parts[1]
	chunked, length := false, -1
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value, _, _ = strings.Cut(value, "\x00")
		value = strings.TrimSpace(value)
		switch letters(name) {
		case "host":
			if r.Host == "" || in.way.Last {
				r.Host = value
			}
		case "transferencoding":
			chunked = chunked || strings.Contains(strings.ToLower(value), "chunked")
		case "contentlength":
			if length < 0 || in.way.Last {
				length = number(value, 10)
			}
		}
	}
	switch {
	case chunked && (length < 0 || !in.way.Length):
		in.chunks(&r)
	case length > 0:
		r.Body = in.rest[:min(length, len(in.rest))]
		r.Whole = len(r.Body) == length
		in.rest = in.rest[len(r.Body):]
	default:
		r.Whole = true
	}
	return r, true
}

func (in *lenient) chunks(r *Request) {
	for {
		line, ok := in.line()
		if !ok {
			return
		}
		size := max(0, number(line, 16))
		if size == 0 {
			_, r.Whole = in.section()
			return
		}
		r.Body += in.rest[:min(size, len(in.rest))]
		if size >= len(in.rest) {
			return
		}
		in.rest = in.rest[size:]
		if _, ok := in.line(); !ok { // whatever stands there
			return
		}
	}
}

// number reads as much of s as is a number; 0 where nothing is.
func number(s string, base int) int {
	s = strings.TrimLeft(strings.TrimSpace(s), "+")
	if base == 16 {
		s = strings.TrimPrefix(strings.ToLower(s), "0x")
	}
	end := 0
	for end < len(s) && end < 12 && strings.IndexByte("0123456789abcdef"[:base], s[end]) >= 0 {
		end++
	}
	n, _ := strconv.ParseInt(s[:end], base, 64)
	return int(n)
}

// letters is a name without its punctuation, in lower case.
func letters(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'A' <= c && c <= 'Z':
			return c | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			return c
		}
		return -1
	}, name)
}
