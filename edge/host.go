package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// Fault is why a request cannot be served whatever its route.
type Fault struct {
	Status int    // 400, or 405 for CONNECT
	Reason string // one of few words, for metrics: "host", "target", "method"
	Detail string // for log and trail
}

// Check refuses what no gateway should serve: CONNECT, OPTIONS *, a target
// that is neither a path nor an http URL, and a Host that is missing or that
// servers could read in different ways. What concerns the message's framing
// net/http has refused before. It costs no allocation.
func Check(r *http.Request) (f Fault, ok bool) {
	switch {
	case r.Method == http.MethodConnect:
		return Fault{http.StatusMethodNotAllowed, "method", "CONNECT is not served"}, false
	case r.RequestURI == "*":
		return Fault{http.StatusBadRequest, "target", "the target * is not served"}, false
	case r.Host == "":
		return Fault{http.StatusBadRequest, "host", "no Host"}, false
	case !validHost(r.Host):
		return Fault{http.StatusBadRequest, "host", "malformed Host"}, false
	}
	if r.RequestURI != "" && r.RequestURI[0] == '/' {
		return Fault{}, true
	}
	// RFC 9112 section 3.2.2: an absolute target's host counts, and Host is
	// ignored; net/http has already taken it so.
	if _, ok := cutScheme(r.RequestURI); !ok || r.URL.User != nil || r.URL.Host != r.Host {
		return Fault{http.StatusBadRequest, "target", "the target is neither a path nor an http URL"}, false
	}
	return Fault{}, true
}

// Target returns the request's target in origin form: the path as the client
// sent it, with its query.
func Target(r *http.Request) string {
	target := r.RequestURI
	if target != "" && target[0] == '/' {
		return target
	}
	rest, ok := cutScheme(target)
	if !ok {
		return target
	}
	end := strings.IndexAny(rest, "/?#")
	switch {
	case end < 0:
		return "/"
	case rest[end] == '/':
		return rest[end:]
	}
	return "/" + rest[end:] // RFC 3986 section 6.2.3: an empty path is "/"
}

func cutScheme(target string) (string, bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(target) > len(scheme) && strings.EqualFold(target[:len(scheme)], scheme) {
			return target[len(scheme):], true
		}
	}
	return "", false
}

// Host returns the request's host as routes compare it: lower case, without
// port and final dot; an IPv6 address in brackets. It allocates only where the
// client did not write it so. Call it after Check.
func Host(r *http.Request) string {
	host, _, _ := splitHost(r.Host)
	host = strings.TrimSuffix(host, ".")
	for i := range len(host) {
		if 'A' <= host[i] && host[i] <= 'Z' {
			return strings.ToLower(host)
		}
	}
	return host
}

// splitHost splits HOST or HOST:PORT; the brackets of an IPv6 address stay.
func splitHost(s string) (host, port string, ported bool) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.IndexByte(s[colon:], ']') >= 0 {
		return s, "", false
	}
	return s[:colon], s[colon+1:], true
}

// validHost reports whether s is a host with or without a port (RFC 3986
// section 3.2.2): a name of letters, digits, "-", "_" and ".", an IPv4 address,
// or an IPv6 address in brackets. Percent encodings and the other characters
// that the RFC allows in names occur in no DNS name.
func validHost(s string) bool {
	host, port, ported := splitHost(s)
	if ported && !validPort(port) {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == ""
	}
	return validName(host)
}

func validName(host string) bool {
	if host == "" || len(host) > 254 {
		return false
	}
	label := 0 // its length so far
	for i := range len(host) {
		c := host[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
		case c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			label++
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return true
}

// validPort reports whether s is a port, or empty as "HOST:" allows.
func validPort(s string) bool {
	if len(s) > 5 {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}
