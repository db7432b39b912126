package escape

import (
	"strings"

	"gatehouse/exchange"
)

// Redacted stands in the place of a credential.
const Redacted = "(redacted)"

// Query appends a query string with the values of parameters that carry
// credentials redacted, everything else through esc.
func Query(b []byte, query string, esc Func) []byte {
	for query != "" {
		end := separator(query)
		b = appendPair(b, query[:end], esc)
		if end == len(query) {
			break
		}
		b = append(b, query[end])
		query = query[end+1:]
	}
	return b
}

// separator returns where the first pair ends. Some servers cut at ";" too.
func separator(query string) int {
	for i := 0; i < len(query); i++ {
		if query[i] == '&' || query[i] == ';' {
			return i
		}
	}
	return len(query)
}

func appendPair(b []byte, pair string, esc Func) []byte {
	key, value, _ := strings.Cut(pair, "=")
	if value == "" || !IsCredential(key) {
		return esc(b, pair)
	}
	b = esc(b, key)
	b = append(b, '=')
	return append(b, Redacted...)
}

// IsCredential reports whether the value of the query parameter key, percent
// encoded as it may be, is or may be a credential.
func IsCredential(key string) bool {
	var buf [24]byte
	name, ok := plainKey(&buf, key)
	if !ok {
		return false
	}
	switch string(name) {
	case "access_token", "refresh_token", "id_token", "token", "jwt", "bearer", "auth", "authorization",
		"code", "code_verifier", "device_code", "assertion", "client_assertion", "samlresponse", "ticket",
		"password", "passwd", "pwd", "secret", "client_secret",
		"api_key", "apikey", "api-key", "x-api-key", "key", "session", "sessionid", "session_id",
		"signature", "sig", "x-amz-signature", "x-amz-security-token", "x-goog-signature":
		return true
	}
	return false
}

// plainKey decodes and lower-cases a key, and reports whether it is short
// enough to be one that IsCredential knows.
func plainKey(buf *[24]byte, key string) ([]byte, bool) {
	n := 0
	for i := 0; i < len(key); i++ {
		if n == len(buf) {
			return nil, false
		}
		c := key[i]
		if c == '%' && i+2 < len(key) {
			if plain, ok := exchange.Unhex(key[i+1], key[i+2]); ok {
				c = plain
				i += 2
			}
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[n] = c
		n++
	}
	return buf[:n], true
}
