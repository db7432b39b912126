package origin

import (
	"strings"

	"gatehouse/config"
)

// Origin is an origin as browsers write it (RFC 6454 section 6.2), one with a
// wildcard for its host's first labels or its port, "null", or "*".
type Origin string

const originForms = "write https://shop.test, https://*.shop.test, http://localhost:*, null or *"

// UnmarshalText lower-cases the origin, takes a scheme's usual port off, and
// checks it.
func (o *Origin) UnmarshalText(text []byte) error {
	s := strings.ToLower(string(text))
	if s == "*" || s == "null" {
		*o = Origin(s)
		return nil
	}
	scheme, host, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		return textError("is no origin: " + originForms)
	}
	switch {
	case strings.HasSuffix(host, "/"):
		return textError("ends in /, which no browser sends: " + originForms)
	case strings.ContainsAny(host, "/?#@"):
		return textError("says more than an origin: " + originForms)
	}
	name, port := splitPort(host)
	if name == "*" || !isHost(strings.TrimPrefix(name, "*.")) {
		return textError("has no host name that a browser could send: " + originForms)
	}
	if strings.HasSuffix(host, ":") || port != "" && port != "*" && !isPort(port) {
		return textError("has no port that a browser could send: " + originForms)
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if port != "" {
		name += ":" + port
	}
	*o = Origin(scheme + "://" + name)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Origin) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"https://shop.test", "https://*.shop.test", "*"}}
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// splitPort cuts a port off; "" where there is none.
func splitPort(host string) (name, port string) {
	at := strings.LastIndexByte(host, ':')
	if at < 0 || strings.HasSuffix(host, "]") {
		return host, ""
	}
	return host[:at], host[at+1:]
}

// isHost reports whether s could be a host as browsers write it: ASCII labels,
// or an IPv6 address in brackets.
func isHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		return strings.HasSuffix(s, "]") && len(s) > 3 && strings.Trim(s[1:len(s)-1], "0123456789abcdef:.") == ""
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func isPort(s string) bool {
	return s != "" && len(s) <= 5 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

type textError string

func (e textError) Error() string { return string(e) }
