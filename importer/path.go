package importer

import (
	"net/netip"
	"strings"

	"gatehouse/exchange"
)

// Segments cuts a path into segments, encoded for a pattern; false for one that no
// pattern can hold.
func Segments(path string) ([]string, bool) {
	if !strings.HasPrefix(path, "/") {
		return nil, false
	}
	trimmed := strings.Trim(path, "/")
	if trimmed == "" {
		return nil, strings.Trim(path, "/") == "" && len(path) == 1
	}
	var out []string
	for raw := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if raw == "" {
			return nil, false
		}
		encoded := string(exchange.AppendSegment(nil, raw))
		if strings.Trim(encoded, "*") == "" || strings.HasPrefix(encoded, ":") {
			encoded = "%" + map[byte]string{'*': "2A", ':': "3A"}[encoded[0]] + encoded[1:]
		}
		var parsed exchange.Path
		if parsed.Parse("/"+encoded) != nil || parsed.Oddities != 0 {
			return nil, false
		}
		out = append(out, encoded)
	}
	return out, true
}

// Methods are those that a route can name.
var Methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH"}

// IsDomain reports whether text can be a domain of an API: a host's name, or *.NAME.
func IsDomain(text string) bool {
	text = strings.TrimPrefix(text, "*.")
	if text == "" || len(text) > 250 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return false
		}
	}
	return true
}

// IsHeader reports whether a rule may change the header of a name in small
// letters, which can be a key.
func IsHeader(name string) bool {
	for _, own := range []string{
		"connection", "content-length", "expect", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization",
		"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host", "x-amzn-requestid",
	} {
		if name == own {
			return false
		}
	}
	return IsName(name)
}

// Prefix reads an address or a prefix of addresses, and takes bits off that lie
// beyond its length.
func Prefix(s string) (string, bool) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.Unmap().String(), true
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Addr().Is4In6() {
		return "", false
	}
	return prefix.Masked().String(), true
}
