package sigv4

import (
	"net/http"
	"strings"
)

// checkHeaders holds that what must be signed is: the host, and every x-amz-
// header. A session's token may be added after signing: it proves itself.
func checkHeaders(c *credential, r *http.Request) *Fault {
	last, host := "", false
	for name := range strings.SplitSeq(c.headers, ";") {
		if !isFieldName(name) || name <= last {
			return malformed("SignedHeaders must be names of headers in small letters, in order, joined by ';'.")
		}
		last, host = name, host || name == "host"
	}
	if !host {
		return wrong("unsigned-header", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Security-Token" && !isSigned(c.headers, name) {
			return wrong("unsigned-header", "There were headers present in the request which were not signed: every x-amz- header must be a 'SignedHeader'.")
		}
	}
	return nil
}

// isSigned reports whether a header, in Go's spelling, is in the list.
func isSigned(list, name string) bool {
	for signed := range strings.SplitSeq(list, ";") {
		if len(signed) == len(name) && strings.EqualFold(signed, name) {
			return true
		}
	}
	return false
}

// isFieldName reports a header's name (RFC 9110 section 5.1) in small letters.
func isFieldName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
