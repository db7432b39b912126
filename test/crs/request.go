package crs

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Bytes returns the request as it is sent: what the suite leaves out is filled
// in as its own runner does it.
func (in *Input) Bytes() ([]byte, error) {
	if in.Encoded != "" {
		return base64.StdEncoding.DecodeString(in.Encoded)
	}
	complete := in.Complete == nil || *in.Complete
	method, data := or(in.Method, "GET"), []byte(expand(or(in.Data, "")))
	fields := in.fields()
	if len(data) > 0 && complete {
		if fields.value("content-type") == "" {
			fields = append(fields, [2]string{"Content-Type", "application/x-www-form-urlencoded"})
		}
		if fields.value("content-type") == "application/x-www-form-urlencoded" {
			data = encodeForm(data)
		}
	}
	if strings.HasPrefix(fields.value("content-type"), "multipart/form-data;") {
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	}
	if complete {
		if fields.value("connection") == "" {
			fields = append(fields, [2]string{"Connection", "close"})
		}
		if (len(data) > 0 || hasBody.MatchString(method)) && !fields.has("content-length") {
			fields = append(fields, [2]string{"Content-Length", fmt.Sprint(len(data))})
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", method, or(in.URI, "/"), or(in.Version, "HTTP/1.1"))
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	b.WriteString("\r\n")
	b.Write(data)
	return b.Bytes(), nil
}

// expand expands the one function of templates that the suite uses.
func expand(data string) string {
	return repeats.ReplaceAllStringFunc(data, func(s string) string {
		m := repeats.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
}

var repeats = regexp.MustCompile(`\{\{ "([^"]*)" \| repeat (\d+) \}\}`)

// hasBody is the suite's idea of methods that have bodies.
var hasBody = regexp.MustCompile(`^POST|PUT|PATCH|DELETE$`)

func or(s *string, otherwise string) string {
	if s == nil {
		return otherwise
	}
	return *s
}

// fieldList are header fields in their order.
type fieldList [][2]string

func (in *Input) fields() (out fieldList) {
	for _, h := range in.Headers {
		value := ""
		if h.Value != nil {
			value = fmt.Sprint(h.Value)
		}
		out = append(out, [2]string{fmt.Sprint(h.Key), value})
	}
	return out
}

func (f fieldList) value(name string) string {
	for _, one := range f {
		if strings.EqualFold(one[0], name) {
			return one[1]
		}
	}
	return ""
}

func (f fieldList) has(name string) bool {
	for _, one := range f {
		if strings.EqualFold(one[0], name) {
			return true
		}
	}
	return false
}

// encodeForm encodes the names and values of a form that is not encoded yet.
func encodeForm(data []byte) []byte {
	if plain, err := url.QueryUnescape(string(data)); err != nil || plain != string(data) {
		return data
	}
	var pairs []string
	for pair := range strings.SplitSeq(string(data), "&") {
		name, value, ok := strings.Cut(pair, "=")
		pair = url.QueryEscape(name)
		if ok {
			pair += "=" + url.QueryEscape(value)
		}
		pairs = append(pairs, pair)
	}
	return []byte(strings.TrimSuffix(strings.Join(pairs, "&"), "&"))
}
