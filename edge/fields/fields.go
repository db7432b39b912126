// Package fields says what becomes of the header fields that a client sends:
// which are passed on, and which a server behind the gateway could take for the
// gateway's own word or for another request than the one decided upon.
package fields

import "net/http"

// Class says what becomes of a header field that a client sends.
type Class uint8

const (
	Free       Class = iota // passed on
	Never                   // removed, whoever sends it
	Forwarding              // a proxy's word on its client: removed, or from trusted peers read and passed on
	Address                 // a client's address in some proxy's own field: removed, or from trusted peers made true
	Connection              // Connection itself
	TE                      // TE: reduced to "trailers"
	Upgrade                 // Upgrade: kept for WebSocket alone
)

// longest is the length in bytes up to which names are compared whole.
const longest = 32

// Classify returns the class of a field name in any case. "_", "." and all other
// punctuation counts for "-", as servers behind CGI-like interfaces read it, but
// then the field is never passed on: no proxy writes it so.
func Classify(name string) Class {
	if name == "" {
		return Never
	}
	switch name[0] | 0x20 {
	case 'c', 'f', 'h', 'k', 'p', 'r', 's', 't', 'u', 'w', 'x':
	default:
		return Free
	}
	var buf [longest]byte
	n, odd := 0, false
	for ; n < len(name) && n < longest; n++ {
		c := name[n]
		switch {
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case c != '-' && isPunctuation(c):
			c, odd = '-', true
		}
		buf[n] = c
	}
	found := byPrefix(buf[:n])
	if found == Free && n == len(name) {
		found = byName(buf[:n])
	}
	if odd && (found != Free || isFraming(buf[:n])) {
		return Never
	}
	return found
}

// isPunctuation reports whether c is neither a letter nor a digit.
func isPunctuation(c byte) bool {
	return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9')
}

// isFraming reports whether a server that read the name as its own could take
// the body for longer, shorter or another kind than it is.
func isFraming(name []byte) bool {
	switch string(name) {
	case "content-length", "content-type", "content-encoding":
		return true
	}
	return false
}

func byPrefix(name []byte) Class {
	switch {
	case hasPrefix(name, "x-forwarded-"), isIdentity(name):
		return Forwarding
	case hasPrefix(name, "x-gatehouse-"), hasPrefix(name, "proxy-"):
		return Never
	}
	return Free
}

// isIdentity reports whether a name is of the families in which proxies tell a
// server who the client is: TLS client certificates, and the users that load
// balancers, gateways and login proxies have authenticated.
func isIdentity(name []byte) bool {
	switch name[0] {
	case 'c':
		return hasPrefix(name, "cf-access-")
	case 's':
		return hasPrefix(name, "ssl-client-")
	case 'x':
		return hasPrefix(name, "x-amzn-oidc-") || hasPrefix(name, "x-amzn-mtls-") || hasPrefix(name, "x-auth-request-") ||
			hasPrefix(name, "x-client-cert") || hasPrefix(name, "x-consumer-") || hasPrefix(name, "x-credential-") ||
			hasPrefix(name, "x-goog-authenticated-") || hasPrefix(name, "x-ms-client-principal") ||
			hasPrefix(name, "x-remote-extra-") || hasPrefix(name, "x-ssl-")
	}
	return false
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

func byName(name []byte) Class {
	switch string(name) {
	case "connection":
		return Connection
	case "te":
		return TE
	case "upgrade":
		return Upgrade
	// Hop by hop (RFC 9110 section 7.6.1), and what the request line and
	// net/http have already said better.
	case "keep-alive", "trailer", "transfer-encoding", "http2-settings", "host",
		// CGI reads it as HTTP_PROXY, and libraries obey that.
		"proxy",
		// They make a server see another method, path or host than the
		// one that was decided upon.
		"x-http-method-override", "x-method-override", "x-http-method",
		"x-original-url", "x-rewrite-url", "x-original-uri", "x-override-url", "x-original-method",
		"x-original-host", "x-http-host-override", "x-host",
		"x-forwarded", "x-original-forwarded-for":
		return Never
	case "forwarded",
		"client-cert", "client-cert-chain", // RFC 9440 section 4: to be removed from what clients send
		"remote-user", "x-remote-user", "x-remote-group", "x-remote-groups", "x-webauth-user", "x-authenticated-user",
		"x-goog-iap-jwt-assertion", "x-anonymous-consumer":
		return Forwarding
	case "x-real-ip", "true-client-ip", "client-ip", "x-client-ip", "x-cluster-client-ip",
		"cf-connecting-ip", "cf-connecting-ipv6", "fastly-client-ip", "fly-client-ip", "wl-proxy-client-ip",
		"x-azure-clientip", "x-appengine-user-ip",
		"x-remote-ip", "x-remote-addr", "x-originating-ip", "x-envoy-external-address":
		return Address
	}
	return Free
}

// CleanTrailer removes from a request's trailers, announced or received, every
// field that is not Free, and what must not come after decisions were made by
// it (RFC 9110 section 6.5.1): credentials, cookies, routing and the body's
// framing and type.
func CleanTrailer(trailer http.Header) {
	for name := range trailer {
		if Classify(name) != Free || lateField(name) {
			delete(trailer, name)
		}
	}
}

func lateField(name string) bool {
	var buf [longest]byte
	if len(name) > longest {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if isPunctuation(c) {
			c = '-'
		}
		buf[i] = c
	}
	switch string(buf[:len(name)]) {
	case "authorization", "cookie", "set-cookie", "www-authenticate", "x-api-key", "x-amz-security-token",
		"host", "expect", "range", "max-forwards", "cache-control", "age", "date", "vary",
		"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range":
		return true
	}
	return hasPrefix(buf[:len(name)], "content-") && string(buf[:len(name)]) != "content-digest"
}
