package compress

import (
	"net/http"
	"strings"
)

// A coded body is another representation than the plain one, so it needs
// another entity tag (RFC 9110 section 8.8.3.3): with the plain one's, a cache
// would give a client what another one asked for, and a download be put
// together from both. Ours names the coding, and is weak, since two encoders
// do not write the same bytes:
//
//	"abc"    W/"abc~gzip"
//	W/"abc"  W/"abc~w~gzip"
//
// What clients send back is turned into the target's own tag again.
const (
	tagMark  = "~"
	weakMark = "~w"
)

// codedTag returns the tag of the coded form of a representation; false where
// tag is none (RFC 9110 section 8.8.3).
func codedTag(tag string, c coding) (string, bool) {
	opaque, weak := strings.CutPrefix(tag, "W/")
	if !isOpaque(opaque) {
		return "", false
	}
	mark := tagMark
	if weak {
		mark = weakMark + tagMark
	}
	return "W/" + opaque[:len(opaque)-1] + mark + names[c] + `"`, true
}

// plainTag undoes codedTag.
func plainTag(tag string) (plain string, c coding, ok bool) {
	opaque, weak := strings.CutPrefix(tag, "W/")
	if !weak || !isOpaque(opaque) {
		return "", identity, false
	}
	at := strings.LastIndex(opaque, tagMark)
	if at < 0 {
		return "", identity, false
	}
	name := opaque[at+len(tagMark) : len(opaque)-1]
	for c := gzip; c < codings; c++ {
		if name != names[c] {
			continue
		}
		if before, was := strings.CutSuffix(opaque[:at], weakMark); was {
			return "W/" + before + `"`, c, true
		}
		return opaque[:at] + `"`, c, true
	}
	return "", identity, false
}

// isOpaque reports an opaque-tag, quotes included. Spaces are let pass, as
// older servers send them.
func isOpaque(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		if c := s[i]; c < ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
}

// tag is one of ours that a client sent back.
type tag struct {
	coded  string // as the client has it
	plain  string // as the target has it
	coding coding
}

// restore returns a list of entity tags with those of ours turned back that
// wanted wants, and what they were; false where there is none, or where the
// list cannot be read.
func restore(lines []string, wanted func(coding) bool) (list string, ours []tag, ok bool) {
	var b strings.Builder
	for _, line := range lines {
		if !strings.Contains(line, tagMark) {
			b.WriteString(", " + line)
			continue
		}
		for line = strings.Trim(line, " \t,"); line != ""; line = strings.TrimLeft(line, " \t,") {
			n := tagLength(line)
			if n == 0 {
				return "", nil, false
			}
			element := line[:n]
			line = line[n:]
			if plain, c, own := plainTag(element); own && wanted(c) {
				ours = append(ours, tag{element, plain, c})
				element = plain
			}
			b.WriteString(", " + element)
		}
	}
	return strings.TrimPrefix(b.String(), ", "), ours, len(ours) > 0
}

// tagLength returns how long the entity tag is that s begins with; 0 for none.
func tagLength(s string) int {
	opaque, weak := strings.CutPrefix(s, "W/")
	if opaque == "" || opaque[0] != '"' {
		return 0
	}
	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 || !isOpaque(opaque[:end+2]) {
		return 0
	}
	n := end + 2
	if weak {
		n += len("W/")
	}
	return n
}

// hasMark reports whether one of the lines may hold a tag of ours.
func hasMark(lines []string) bool {
	for _, line := range lines {
		if strings.Contains(line, tagMark) {
			return true
		}
	}
	return false
}

// sameTag compares as RFC 9110 section 8.8.3.2 says, weakly.
func sameTag(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// recode gives a coded answer its own tag. What is no tag could be taken for
// that of the plain body, and goes.
func recode(h http.Header, c coding) {
	tags := h["Etag"]
	if len(tags) == 0 {
		return
	}
	if coded, ok := codedTag(tags[0], c); ok && len(tags) == 1 {
		h["Etag"] = []string{coded}
		return
	}
	delete(h, "Etag")
}
