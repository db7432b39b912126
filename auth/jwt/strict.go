package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep lists and objects may nest in a token or a JWKS.
const maxDepth = 32

var errJSON = errors.New("it is not a JSON object with unique members")

// readObject reads a JSON object so that nobody else can read it in another
// way: member names are unique and match exactly, text is UTF-8 without broken
// surrogates, and nothing follows. Numbers stay as written (json.Number): an
// id of twenty digits is no float.
func readObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
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
	case string:
		return t, checkText(t)
	}
	return t, nil
}

// checkText refuses the character that stands for a broken surrogate: two
// different names would read alike.
func checkText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errJSON
	}
	return nil
}

func readMembers(d *json.Decoder, depth int) (map[string]any, error) {
	object := make(map[string]any)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok || checkText(name) != nil {
			return nil, errJSON
		}
		if _, twice := object[name]; twice {
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
