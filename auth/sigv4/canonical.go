package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gatehouse/exchange"
)

// reading is one of the ways in which clients read what they sign, where the
// rules leave several. Each is as bound to the request as the others: whoever
// changes the request breaks all of them.
type reading struct {
	normal       bool // the path without empty and dot segments
	plusIsSpace  bool // "+" in the query is a space
	withoutToken bool // a session's token was added after signing
}

// scratch is the memory of one verification, used again.
type scratch struct {
	buf    []byte
	params []param
	text   []byte // of params
}

// param is one query parameter in its canonical encoding: places in text.
type param struct{ name, value []byte }

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 2048)} }}

// stringToSign leaves in s.buf what the signature is of, for one reading. False
// is a signed header that the request does not have.
func (s *scratch) stringToSign(x *exchange.Exchange, r *http.Request, c *credential, payload string, as reading) bool {
	if !s.canonicalRequest(x, r, c, payload, as) {
		return false
	}
	sum := sha256.Sum256(s.buf)
	b := append(s.buf[:0], algorithm+"\n"...)
	b = append(b, c.stamp...)
	b = append(b, '\n')
	b = append(b, c.scope...)
	b = append(b, '\n')
	s.buf = hex.AppendEncode(b, sum[:])
	return true
}

func (s *scratch) canonicalRequest(x *exchange.Exchange, r *http.Request, c *credential, payload string, as reading) (ok bool) {
	b := append(s.buf[:0], r.Method...)
	b = append(b, '\n')
	b = appendPath(b, x.Path.Raw, as.normal)
	b = append(b, '\n')
	b = s.appendQuery(b, x.Path.Query, c.presigned, as)
	b = append(b, '\n')
	for name := range strings.SplitSeq(c.headers, ";") {
		b = append(b, name...)
		b = append(b, ':')
		if b, ok = appendHeader(b, r, name); !ok {
			s.buf = b
			return false
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, c.headers...)
	b = append(b, '\n')
	s.buf = append(b, payload...)
	return true
}

// appendPath appends the path as it came, encoded once more, with its empty and
// dot segments or without.
func appendPath(b []byte, raw string, normal bool) []byte {
	if !normal {
		return appendEscaped(b, raw, true)
	}
	start := len(b)
	for segment := range strings.SplitSeq(raw, "/") {
		switch segment {
		case "", ".":
		case "..":
			b = b[:max(start, start+bytes.LastIndexByte(b[start:], '/'))]
		default:
			b = append(b, '/')
			b = appendEscaped(b, segment, false)
		}
	}
	if len(b) == start || strings.HasSuffix(raw, "/") {
		b = append(b, '/')
	}
	return b
}

// appendHeader appends the values of a signed header: each without spaces at
// its ends and with single ones within, joined by commas. False is one that the
// request does not have.
func appendHeader(b []byte, r *http.Request, name string) ([]byte, bool) {
	switch name {
	case "host":
		return appendFolded(b, r.Host), true
	case "content-length":
		if r.ContentLength < 0 {
			return b, false
		}
		return strconv.AppendInt(b, r.ContentLength, 10), true
	}
	values := r.Header[canonicalName(name)]
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFolded(b, value)
	}
	return b, len(values) > 0
}

// canonicalName returns a header's name as Go keeps it, without an allocation
// for those that are usually signed.
func canonicalName(name string) string {
	switch name {
	case "x-amz-date":
		return "X-Amz-Date"
	case "x-amz-security-token":
		return "X-Amz-Security-Token"
	case "x-amz-content-sha256":
		return "X-Amz-Content-Sha256"
	case "content-type":
		return "Content-Type"
	case "amz-sdk-invocation-id":
		return "Amz-Sdk-Invocation-Id"
	case "amz-sdk-request":
		return "Amz-Sdk-Request"
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

func appendFolded(b []byte, value string) []byte {
	value = textproto.TrimString(value)
	space := false
	for i := range len(value) {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
			space = true
			continue
		default:
			if space {
				b, space = append(b, ' '), false
			}
			b = append(b, c)
		}
	}
	return b
}

// appendQuery appends the parameters, decoded and encoded in the one way, in
// the order of their names and values.
func (s *scratch) appendQuery(b []byte, query string, presigned bool, as reading) []byte {
	if query == "" {
		return b
	}
	s.params, s.text = s.params[:0], slices.Grow(s.text[:0], 3*len(query)) // so that it never moves
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case pair == "", presigned && name == "X-Amz-Signature", as.withoutToken && name == "X-Amz-Security-Token":
			continue
		}
		s.params = append(s.params, param{s.encoded(name, as.plusIsSpace), s.encoded(value, as.plusIsSpace)})
	}
	slices.SortFunc(s.params, func(a, b param) int {
		if c := bytes.Compare(a.name, b.name); c != 0 {
			return c
		}
		return bytes.Compare(a.value, b.value)
	})
	for i, p := range s.params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b
}

// encoded returns a name or value in the canonical encoding, kept in s.text.
func (s *scratch) encoded(part string, plusIsSpace bool) []byte {
	start := len(s.text)
	for i := 0; i < len(part); i++ {
		c := part[i]
		switch {
		case c == '%' && i+2 < len(part):
			if plain, ok := exchange.Unhex(part[i+1], part[i+2]); ok {
				c = plain
				i += 2
			}
		case c == '+' && plusIsSpace:
			c = ' '
		}
		s.text = appendEscapedByte(s.text, c, false)
	}
	return s.text[start:]
}

func appendEscaped(b []byte, s string, slashes bool) []byte {
	for i := range len(s) {
		b = appendEscapedByte(b, s[i], slashes)
	}
	return b
}

// appendEscapedByte appends all but unreserved characters (RFC 3986 section
// 2.3) in percent encoding.
func appendEscapedByte(b []byte, c byte, slashes bool) []byte {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~', slashes && c == '/':
		return append(b, c)
	}
	const digits = "0123456789ABCDEF"
	return append(b, '%', digits[c>>4], digits[c&15])
}
