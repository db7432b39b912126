package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// Fault is why a request cannot be served whatever its route.
type Fault struct {
	Status int    // 400, 405 for CONNECT, or 431
	Reason string // one of few words, for metrics: "host", "target", "method", "body", "bad-request", "header-too-large"
	Detail string // for log and trail
}

// Check refuses what no gateway should serve: CONNECT, OPTIONS *, a target
// that is neither a path nor an http URL, a Host that is missing, that servers
// could read in different ways or that is not what HTTP/2's :authority says, a
// body with GET or HEAD, and on HTTP/2 more headers than the listener takes and
// what could not be said by HTTP/1. What concerns the message's framing, and on
// HTTP/1 its size, the engine has refused before. It costs no allocation.
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
	case !sameHost(r):
		return Fault{http.StatusBadRequest, "host", "Host is not what :authority says"}, false
	case r.ContentLength != 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return Fault{http.StatusBadRequest, "body", "a body with GET or HEAD"}, false
	case r.ProtoMajor > 1 && tooLarge(r):
		return Fault{http.StatusRequestHeaderFieldsTooLarge, "header-too-large", "more headers than limits.header takes"}, false
	}
	if r.ProtoMajor > 1 {
		if reason, detail := undowngradable(r); reason != "" {
			return Fault{http.StatusBadRequest, reason, detail}, false
		}
	}
	if r.RequestURI != "" && r.RequestURI[0] == '/' {
		return Fault{}, true
	}
	// RFC 9112 section 3.2.2: an absolute target's host counts; the engine has
	// held Host against it.
	if _, ok := cutScheme(r.RequestURI); !ok || r.URL.User != nil || r.URL.Host != r.Host {
		return Fault{http.StatusBadRequest, "target", "the target is neither a path nor an http URL"}, false
	}
	return Fault{}, true
}

// sameHost reports whether a Host beside HTTP/2's :authority says the same (RFC
// 9113 section 8.3.1). HTTP/1's is no longer among the headers.
func sameHost(r *http.Request) bool {
	hosts := r.Header["Host"]
	return len(hosts) == 0 || len(hosts) == 1 && strings.EqualFold(hosts[0], r.Host)
}

// tooLarge reports whether a request, written as HTTP/1, is over its listener's
// limit.
func tooLarge(r *http.Request) bool {
	c := fromContext(r.Context())
	if c == nil {
		return false
	}
	size := len(r.Method) + len(r.RequestURI) + len(" HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	if size <= c.policy.settings.header {
		return false
	}
	c.listener.counters.LargeHeaders.Add(1)
	return true
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
