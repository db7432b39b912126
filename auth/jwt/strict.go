package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep lists and objects may nest in a token or a JWKS.
const maxDepth = 32

var errJSON = errors.New("it is not a JSON object with unique members")

// readObject reads a JSON object so that nobody else can read it in another
// way: member names are unique and match exactly, text is UTF-8 without halves
// of surrogate pairs, and nothing follows. Numbers stay as written (json.Number): an
// id of twenty digits is no float.
func readObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) || hasHalfPair(data) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errJSON
	}
	return object, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if depth == maxDepth {
			return nil, errJSON
		}
		if t == '{' {
			return readMembers(d, depth+1)
		}
		return readItems(d, depth+1)
	}
	return t, nil
}

// hasHalfPair reports an escape that is half a surrogate pair (RFC 8259 section
// 8.2). Readers turn each into the same character, so that two different names
// would read alike. What is no JSON at all is for the decoder to find.
func hasHalfPair(data []byte) bool {
	for {
		at := bytes.IndexByte(data, '\\')
		if at < 0 || at+2 > len(data) {
			return false
		}
		data = data[at:]
		first, escaped := unicodeEscape(data)
		switch {
		case !escaped:
			data = data[2:]
		case !utf16.IsSurrogate(first):
			data = data[6:]
		default:
			second, _ := unicodeEscape(data[6:])
			if utf16.DecodeRune(first, second) == utf8.RuneError {
				return true
			}
			data = data[12:]
		}
	}
}

// unicodeEscape reads the escape of one UTF-16 code unit that data begins with.
func unicodeEscape(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(n), err == nil
}

func readMembers(d *json.Decoder, depth int) (map[string]any, error) {
	object := make(map[string]any)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if _, twice := object[name]; twice || !ok {
			return nil, errJSON
		}
		if object[name], err = readValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing brace
	return object, err
}

func readItems(d *json.Decoder, depth int) ([]any, error) {
	items := []any{}
	for d.More() {
		v, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := d.Token() // the closing bracket
	return items, err
}

// text returns a member that is text: "" where it is not there, and false
// where it is something else.
func text(object map[string]any, name string) (string, bool) {
	v, present := object[name]
	if !present {
		return "", true
	}
	s, ok := v.(string)
	return s, ok
}
