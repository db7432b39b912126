package compress

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// verdict is what may become of an answer, whoever asks for it.
type verdict uint8

const (
	leave verdict = iota // it stays as it is, for every client
	vary                 // it stays, but stands beside answers that may be coded
	code                 // it may be coded
)

// judge says what may become of an answer, and where it stays as it is, why.
func (p *policy) judge(h *exchange.Head) (verdict, string) {
	switch {
	// RFC 9110 sections 15.4.5 and 15.3.7: these say of Vary what the whole would.
	case h.Status == http.StatusNotModified:
		return vary, "the client's copy is good"
	case h.Status == http.StatusPartialContent:
		return vary, aPart
	case h.Status < 200, h.Status == http.StatusNoContent, h.Status == http.StatusResetContent:
		return leave, "the answer has no body"
	case len(h.Header["Content-Range"]) > 0:
		return leave, aPart
	case isCoded(h.Header):
		return leave, codedBefore
	case noTransform(h.Header):
		return leave, "the answer says no-transform"
	case hasDigest(h.Header):
		return leave, "a digest covers its bytes"
	case !p.types.has(first(h.Header["Content-Type"])):
		return leave, "a type that is not compressed"
	}
	return code, ""
}

const (
	aPart       = "a part of a whole"
	codedBefore = "the service has coded it"
)

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// isCoded reports whether an answer has a content coding already.
func isCoded(h http.Header) bool {
	for _, v := range h["Content-Encoding"] {
		if v = strings.Trim(v, " \t"); v != "" && !strings.EqualFold(v, "identity") {
			return true
		}
	}
	return false
}

// noTransform reports whether a message forbids to change its body (RFC 9111
// section 5.2.2.6, and of requests section 5.2.1.6).
func noTransform(h http.Header) bool { return lists(h["Cache-Control"], "no-transform") }

// digests are the fields that speak of an answer's very bytes, which another
// coding would make untrue.
var digests = [...]string{"Content-Digest", "Repr-Digest", "Digest", "Content-Md5"}

// hasDigest reports whether a digest of the body is there, or announced.
func hasDigest(h http.Header) bool {
	for _, name := range digests {
		if len(h[name]) > 0 || lists(h["Trailer"], name) {
			return true
		}
	}
	return false
}

// lists reports whether one of the lines lists a name, whatever its case.
func lists(lines []string, name string) bool {
	for _, line := range lines {
		for more := true; more; {
			var item string
			item, line, more = strings.Cut(line, ",")
			if strings.EqualFold(strings.Trim(item, " \t"), name) {
				return true
			}
		}
	}
	return false
}

// lengthOf returns how long the body says it is; -1 where it does not.
func lengthOf(h http.Header) int64 {
	n, err := strconv.ParseInt(first(h["Content-Length"]), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// varies is the field's value where there is no other, and shared: it has no
// room to append to.
var varies = []string{"Accept-Encoding"}

// addVary tells caches that the answer depends on Accept-Encoding.
func addVary(h http.Header) {
	switch lines := h["Vary"]; {
	case len(lines) == 0:
		h["Vary"] = varies
	case !lists(lines, "*") && !lists(lines, varies[0]):
		h["Vary"] = append(lines[:len(lines):len(lines)], varies[0])
	}
}
