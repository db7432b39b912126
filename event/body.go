package event

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"
)

// MediaTypes are those that pass as bytes, in base64: image/png, image/*, */*.
type MediaTypes []string

// Has reports whether a Content-Type is one of them.
func (m MediaTypes) Has(contentType string) bool {
	for _, t := range m {
		if t == "*/*" || strings.EqualFold(t, contentType) {
			return true
		}
		if group, ok := strings.CutSuffix(t, "*"); ok && len(contentType) >= len(group) && strings.EqualFold(contentType[:len(group)], group) {
			return true
		}
	}
	return false
}

// bare returns a media type without its parameters.
func bare(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(t)
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// isText reports whether a body passes as text in payload format 2.0: text/*,
// JSON, JavaScript and XML that nothing has encoded.
func isText(h http.Header) bool {
	if e := first(h["Content-Encoding"]); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	t := bare(first(h["Content-Type"]))
	if len(t) > 5 && strings.EqualFold(t[:5], "text/") {
		return true
	}
	switch t = strings.ToLower(t); t {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}

// appendBody appends body and isBase64Encoded. What is no UTF-8 goes in base64,
// whatever was said of it: as text it would not arrive as it is.
func appendBody(b, body []byte, text bool) []byte {
	b = appendKey(b, "body")
	text = text && utf8.Valid(body)
	b = append(b, '"')
	if text {
		b = appendEscaped(b, body)
	} else {
		b = base64.StdEncoding.AppendEncode(b, body)
	}
	b = append(b, '"')
	return appendFlag(b, "isBase64Encoded", !text)
}

func appendFlag(b []byte, key string, v bool) []byte {
	if v {
		return append(appendKey(b, key), "true"...)
	}
	return append(appendKey(b, key), "false"...)
}
