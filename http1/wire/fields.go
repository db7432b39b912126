package wire

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// span is where a field stands behind the first byte of its section.
type span struct{ name, nameEnd, value, valueEnd int32 }

// section reads field lines, the first of which begins at offset from, up to
// and with the empty line that ends them. It checks them, makes their names
// canonical in place, and leaves where they stand in rd.spans. It returns the
// offset behind the section.
func (rd *Reader) section(from int) (int, error) {
	rd.spans = rd.spans[:0]
	for {
		end, err := rd.line(from, rd.head)
		if err != nil {
			return 0, err
		}
		if end == from+1 {
			return end + 1, nil
		}
		if len(rd.spans) == rd.count {
			return 0, fmt.Errorf("%w: more than %d fields", ErrTooLarge, rd.count)
		}
		if err := rd.field(from, end-1); err != nil {
			return 0, err
		}
		from = end + 1
	}
}

// field checks the line between two offsets and notes where its parts stand.
func (rd *Reader) field(from, end int) error {
	line := rd.buf[rd.r+from : rd.r+end]
	colon := bytes.IndexByte(line, ':')
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return bad("a folded line")
	case colon < 0:
		return bad("a field without a colon")
	case !canonicalize(line[:colon]):
		return bad("a broken field name")
	case !validValue(line[colon+1:]):
		return bad("a control byte in a field")
	}
	v, vEnd := trim(line, colon+1, len(line))
	base := int32(from)
	rd.spans = append(rd.spans, span{base, base + int32(colon), base + int32(v), base + int32(vEnd)})
	return nil
}

// novel tells, without asking a map, that a name was not seen before in a head:
// most heads name nothing twice. The zero value has seen nothing.
type novel uint64

// known returns what has been seen where h holds fields already: all, for fields
// in it may be named again.
func known(h http.Header) novel {
	if len(h) == 0 {
		return 0
	}
	return ^novel(0)
}

// first reports whether name is surely seen for the first time, and notes it.
func (n *novel) first(name string) bool {
	bit := novel(1) << ((7*len(name) + int(name[0])) & 63)
	seen := *n&bit != 0
	*n |= bit
	return !seen
}

// put is add for a name that h does not hold.
func put(h http.Header, values []string, name, value string) []string {
	values = append(values, value)
	n := len(values)
	h[name] = values[n-1 : n : n]
	return values
}

// add adds a field to h. Its value stands in values, a slice that all fields
// of a head share, so that a head costs one.
func add(h http.Header, values []string, name, value string) []string {
	if have, ok := h[name]; ok {
		h[name] = append(have, value)
		return values
	}
	return put(h, values, name, value)
}

// tokens calls f for every item of a comma-separated list.
func tokens(list string, f func(string)) {
	for list != "" {
		item, rest, _ := strings.Cut(list, ",")
		if item = strings.Trim(item, " \t"); item != "" {
			f(item)
		}
		list = rest
	}
}

// HopByHop reports whether a field, by its canonical name, is about one
// connection alone and is never passed on (RFC 9110 section 7.6.1).
func HopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
		"Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info":
		return true
	}
	return false
}

// TrailerAllowed reports whether a field, by its canonical name, may stand in
// a trailer section: not those that frame or route a message, say who sends
// it, or how it is to be handled (RFC 9110 section 6.5.1).
func TrailerAllowed(name string) bool {
	if HopByHop(name) || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "If-") || strings.Contains(name, "_") {
		return false
	}
	switch name {
	case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Host", "Authorization", "Cookie", "Set-Cookie",
		"Www-Authenticate", "Cache-Control", "Expires", "Age", "Date", "Location", "Retry-After", "Vary", "Warning", "Pragma",
		"Range", "Expect", "Max-Forwards", "Forwarded", "X-Real-Ip", "X-Http-Method-Override", "X-Original-Url", "X-Rewrite-Url",
		"Strict-Transport-Security", "Content-Security-Policy", "Access-Control-Allow-Origin":
		return false
	}
	return true
}

// AppendField appends a field line. A name that is no token is left out, and
// control bytes of a value become spaces: what is appended is one field.
func AppendField(b []byte, name, value string) []byte {
	if !validName(name) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	b = AppendValue(b, value)
	return append(b, "\r\n"...)
}

// AppendValue appends a field value; control bytes become spaces.
func AppendValue(b []byte, value string) []byte {
	n := len(b)
	b = append(b, value...)
	if !validValue(b[n:]) {
		blank(b[n:])
	}
	return b
}

func blank(value []byte) {
	for i, c := range value {
		if classes[c]&isValue == 0 {
			value[i] = ' '
		}
	}
}

// Alike reports whether two field names differ in case and punctuation at most:
// behind CGI and its like they are one name.
func Alike(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if plain(a[i]) != plain(b[i]) {
			return false
		}
	}
	return true
}

func plain(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}
