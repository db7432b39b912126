// Package redact says what of a request may be shown: in trails, logs and on
// terminals.
package redact

import (
	"slices"
	"strings"
)

// Redacted stands for what is not shown.
const Redacted = "REDACTED"

// Secret reports whether a name of a header, a cookie, an argument or a member
// is one that credentials go by. It is meant to find too many rather than too
// few.
func Secret(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "code", "state", "sid":
		return true
	}
	for _, word := range [...]string{"authorization", "token", "secret", "password", "passwd", "passphrase", "pwd", "api-key", "apikey", "api_key", "signature", "credential", "session", "code_verifier", "client_assertion", "assertion", "jwt", "private"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Holds reports whether a text that may hold names and values, such as a body or
// a query, holds the name of a credential.
func Holds(text string) bool {
	text = strings.ToLower(text)
	for _, word := range [...]string{"authorization", "token", "secret", "passw", "passphrase", "pwd", "api-key", "apikey", "api_key", "signature", "credential", "session", "code_verifier", "assertion", "bearer ", "code=", "jwt"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// Fields are what a record shows no value of, beside what Secret finds. Names
// are compared without regard to case. A nil Fields redacts nothing more.
type Fields struct {
	Headers   []string
	Cookies   []string
	Arguments []string
	URI       bool
	Query     bool
	Method    bool
	Body      bool
}

func among(list []string, name string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, name) })
}

// Header returns what is shown of a header's value.
func (f *Fields) Header(name, value string) string {
	switch {
	case f != nil && among(f.Headers, name):
		return Redacted
	case strings.EqualFold(name, "Cookie"):
		return f.cookies(value)
	case Secret(name):
		return Redacted
	}
	return value
}

// cookies returns a Cookie field with the names alone: what a cookie is worth
// nobody can tell from outside.
func (f *Fields) cookies(value string) string {
	var b strings.Builder
	for pair := range strings.SplitSeq(value, ";") {
		name, _, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		if f != nil && among(f.Cookies, name) || !ok {
			b.WriteString(Redacted)
			continue
		}
		b.WriteString(name + "=" + Redacted)
	}
	return b.String()
}

// Args returns what is shown of a query.
func (f *Fields) Args(query string) string {
	if f != nil && f.Query && query != "" {
		return Redacted
	}
	var b strings.Builder
	for i, pair := range strings.Split(query, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		name, value, ok := strings.Cut(pair, "=")
		if ok && (Secret(name) || f != nil && among(f.Arguments, name)) {
			value = Redacted
		}
		b.WriteString(name)
		if ok {
			b.WriteString("=" + value)
		}
	}
	return b.String()
}

// Path returns what is shown of a path.
func (f *Fields) Path(path string) string {
	if f != nil && f.URI {
		return Redacted
	}
	return path
}

// shown is how much of a value is shown.
const shown = 60

// Value returns what may be shown of a value found in a target of the Core Rule
// Set's rules: VARIABLE, or VARIABLE:KEY.
func (f *Fields) Value(target, value string) string {
	collection, key, _ := strings.Cut(target, ":")
	hidden := false
	switch {
	case strings.HasPrefix(collection, "REQUEST_COOKIES") && collection != "REQUEST_COOKIES_NAMES":
		hidden = true
	case collection == "REQUEST_HEADERS":
		hidden = Secret(key) || f != nil && among(f.Headers, key)
	case strings.HasPrefix(collection, "ARGS") && !strings.HasSuffix(collection, "_NAMES"):
		hidden = Secret(key) || f != nil && (among(f.Arguments, key) || f.Query || f.Body)
	case collection == "REQUEST_BODY" || collection == "RESPONSE_BODY" || strings.HasPrefix(collection, "XML"):
		hidden = Holds(value) || f != nil && f.Body
	case strings.HasPrefix(collection, "REQUEST_URI") || collection == "REQUEST_LINE" || collection == "QUERY_STRING":
		hidden = Holds(value) || f != nil && (f.Query || f.URI || len(f.Arguments) > 0)
	case collection == "REQUEST_FILENAME" || collection == "REQUEST_BASENAME":
		hidden = f != nil && f.URI
	default:
		hidden = Secret(key) || Holds(value)
	}
	if hidden {
		return Redacted
	}
	if len(value) > shown {
		return strings.ToValidUTF8(value[:shown], "") + "..."
	}
	return strings.ToValidUTF8(value, "\ufffd")
}
