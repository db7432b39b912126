package crs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"strconv"
	"strings"

	"gatehouse/waf/crs/inspect"
)

// Services often read a body by what it looks like and not by its Content-Type.
// So a body that is JSON, or looks like XML, and says that it is something else,
// is inspected as both.

// maxOther is how many arguments a second reading of a body may give; there is
// no second reading of what would give more.
const maxOther = 1000

// otherwise returns the arguments of a second reading of a body.
func otherwise(b *inspect.Body) []inspect.Argument {
	start := bytes.TrimLeft(b.Data, " \t\r\n\ufeff")
	if len(start) == 0 {
		return nil
	}
	switch {
	case b.Kind != inspect.JSON && (start[0] == '{' || start[0] == '['):
		return flatJSON(start)
	case b.Kind != inspect.XML && start[0] == '<':
		return flatXML(start)
	}
	return nil
}

// flatJSON returns the members of a JSON text as arguments: json.name.0. A member
// that comes twice is there twice. What is no JSON gives what it gave until
// there.
func flatJSON(data []byte) (out []inspect.Argument) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		name   string
		key    string
		isName bool // the next token is a member's name
		array  bool
		n      int
	}
	var stack []level
	path := func() string {
		if len(stack) == 0 {
			return "json"
		}
		top := &stack[len(stack)-1]
		if top.array {
			top.n++
			return top.name + "." + strconv.Itoa(top.n-1)
		}
		return top.name + "." + top.key
	}
	for len(out) < maxOther && len(stack) < 128 {
		t, err := d.Token()
		if err != nil {
			return out
		}
		if end, ok := t.(json.Delim); ok && (end == '}' || end == ']') {
			stack = stack[:len(stack)-1]
			if len(stack) > 0 {
				stack[len(stack)-1].isName = !stack[len(stack)-1].array
			}
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].isName {
			stack[n-1].key, _ = t.(string)
			stack[n-1].isName = false
			continue
		}
		name := path()
		switch v := t.(type) {
		case json.Delim:
			stack = append(stack, level{name: name, array: v == '[', isName: v == '{'})
			continue
		case string:
			out = append(out, inspect.Argument{Name: name, Value: v})
		case json.Number:
			out = append(out, inspect.Argument{Name: name, Value: v.String()})
		default:
			out = append(out, inspect.Argument{Name: name})
		}
		if n := len(stack); n > 0 {
			stack[n-1].isName = !stack[n-1].array
		}
	}
	return out
}

// flatXML returns the texts and attributes of an XML document as arguments.
func flatXML(data []byte) (out []inspect.Argument) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for len(out) < maxOther {
		t, err := d.RawToken()
		if err != nil {
			return out
		}
		switch t := t.(type) {
		case xml.StartElement:
			for _, a := range t.Attr {
				out = append(out, inspect.Argument{Name: "xml." + a.Name.Local, Value: a.Value})
			}
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				out = append(out, inspect.Argument{Name: "xml", Value: text})
			}
		}
	}
	return out
}

// hasDoctype reports whether an XML document declares a type: entities that no
// rule sees, and that its reader may expand, or fetch from elsewhere.
func hasDoctype(data []byte) bool {
	for {
		i := bytes.Index(data, []byte("<!"))
		if i < 0 {
			return false
		}
		data = data[i+2:]
		for _, word := range []string{"DOCTYPE", "ENTITY"} {
			if len(data) >= len(word) && strings.EqualFold(string(data[:len(word)]), word) {
				return true
			}
		}
	}
}
