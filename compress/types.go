package compress

import (
	"strings"

	"gatehouse/config"
)

// Type is a media type that is worth compressing: "application/json", "text/*",
// "*+json", or "default" for all that are by default.
type Type string

// Usual stands for the usual types among others of a list.
const Usual Type = "default"

// usual are types whose bodies are text, or else repeat themselves.
var usual = [...]Type{
	"text/*", "*+json", "*+xml", "*+yaml",
	"application/json", "application/x-ndjson", "application/jsonl", "application/x-javascript", "application/javascript",
	"application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/sql", "application/graphql",
	"application/x-www-form-urlencoded", "application/wasm", "application/vnd.ms-fontobject",
	"font/ttf", "font/otf", "font/collection", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon",
}

// stream is the type of Server-Sent Events. Each stream would hold an encoder
// as long as it is open, so text/* does not stand for it.
const stream = "text/event-stream"

// UnmarshalText lower-cases and checks the type.
func (t *Type) UnmarshalText(text []byte) error {
	s := strings.ToLower(string(text))
	if Type(s) == Usual {
		*t = Usual
		return nil
	}
	if suffix, ok := strings.CutPrefix(s, "*+"); ok && isToken(suffix) {
		*t = Type(s)
		return nil
	}
	kind, sub, ok := strings.Cut(s, "/")
	switch {
	case strings.Contains(s, ";"):
		return textError("says more than a media type: parameters do not count")
	case !ok || !isToken(kind) || kind == "*" || !isToken(sub):
		return textError("is no media type: write application/json, text/*, *+json or default")
	case strings.Contains(sub, "*") && sub != "*":
		return textError("has a * where none can stand: write text/* for all of a kind, *+json for all of a syntax")
	case isNever(s):
		return textError("compresses its messages by itself: gRPC passes as it is")
	}
	*t = Type(s)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Type) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"application/json", "text/*", "*+json", "default"}}
}

// types is a list of Types compiled.
type types struct {
	exact    map[string]bool
	kinds    []string // "text/"
	suffixes []string // "+json"
}

func newTypes(list []Type) types {
	t := types{exact: make(map[string]bool)}
	for _, one := range list {
		if one != Usual {
			t.add(one)
			continue
		}
		for _, u := range usual {
			t.add(u)
		}
	}
	return t
}

func (t *types) add(one Type) {
	s := string(one)
	if kind, ok := strings.CutSuffix(s, "*"); ok {
		t.kinds = append(t.kinds, kind)
	} else if suffix, ok := strings.CutPrefix(s, "*"); ok {
		t.suffixes = append(t.suffixes, suffix)
	} else {
		t.exact[s] = true
	}
}

// has reports whether a Content-Type is one of t. A lower-case one costs no
// allocation.
func (t *types) has(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.ToLower(strings.Trim(name, " \t"))
	if name == "" || isNever(name) {
		return false
	}
	if t.exact[name] {
		return true
	}
	if name == stream {
		return false
	}
	for _, kind := range t.kinds {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	for _, suffix := range t.suffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// isNever reports gRPC, also as JSON and for the web: its messages are
// compressed, or not, by those who send them.
func isNever(name string) bool { return strings.HasPrefix(name, "application/grpc") }

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

type textError string

func (e textError) Error() string { return string(e) }
