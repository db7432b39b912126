package match

import (
	"slices"

	"gatehouse/config"
	"gatehouse/waf/field"
)

// UnmarshalConfig reads a statement: a map of one kind of statement, or of several
// that must all match.
func (s *Statement) UnmarshalConfig(n *config.Node) {
	s.Pos = n.Pos()
	if n.Kind() != config.Map {
		n.Errorf("a statement is a map such as {path: {starts-with: /admin}} or {ip-set: office}")
		return
	}
	var all All
	n.Each(func(key string, at config.Pos, value *config.Node) {
		all = append(all, &Statement{Pos: at, Node: read(key, value)})
	})
	switch len(all) {
	case 0:
		n.Errorf("the statement is empty: write what requests it means, such as {method: POST}")
	case 1:
		s.Node = all[0].Node
	default:
		s.Node = all
	}
}

// read reads what stands under the key of a statement; nil where that is wrong.
func read(key string, value *config.Node) Node {
	if kind, ok := kindOf(key); ok {
		return readContent(kind, key, value)
	}
	switch key {
	case "all", "any":
		var list []*Statement
		if value.Decode(&list) && len(list) == 0 {
			value.Errorf("there is no statement in it")
		}
		if key == "all" {
			return All(list)
		}
		return Any(list)
	case "not":
		inner := &Statement{}
		value.Decode(inner)
		return Not{inner}
	case "ip-set":
		return readIPSet(value)
	case "address":
		return readAddress(value)
	case "country":
		return readCountry(value)
	case "crawler":
		return readCrawler(value)
	case "label":
		return readLabel(value)
	case "rate":
		return readRate(value)
	case "sqli", "xss":
		return readInjection(key, value)
	}
	value.Unknown("statement", key, keys())
	return nil
}

// fieldKeys are the statements that inspect a field, by the key that they have.
var fieldKeys = [...]struct {
	key  string
	kind field.Kind
	doc  string
}{
	{"method", field.Method, "the method"},
	{"path", field.Path, "the path in its one form, which the service gets too, with the stage's"},
	{"query", field.Query, "the query string as it came, without ?"},
	{"argument", field.Argument, "the values of one query argument, as they came"},
	{"arguments", field.Arguments, "the values of every query argument, as they came"},
	{"host", field.Header, "the host that the client asks for"},
	{"header", field.Header, "the values of one header"},
	{"headers", field.Headers, "names (in small letters) and values of all headers, or of some"},
	{"header-order", field.HeaderOrder, "the names of the headers as they came, joined by colons; HTTP/1 only"},
	{"cookie", field.Cookies, "the values of one cookie"},
	{"cookies", field.Cookies, "names and values of all cookies, or of some"},
	{"body", field.Body, "the body, up to inspect-body.limit, without its content coding"},
	{"json", field.JSON, "names and values of a JSON body, decoded"},
	{"ja3", field.JA3, "the JA3 fingerprint of the client's TLS handshake: 32 hexadecimal digits"},
	{"ja4", field.JA4, "the JA4 fingerprint of the client's TLS handshake"},
}

func kindOf(key string) (field.Kind, bool) {
	for _, f := range fieldKeys {
		if f.key == key {
			return f.kind, true
		}
	}
	return 0, false
}

// keys are the keys that a statement may have.
func keys() []string {
	out := []string{"all", "any", "not", "ip-set", "address", "country", "crawler", "label", "rate", "sqli", "xss"}
	for _, f := range fieldKeys {
		out = append(out, f.key)
	}
	slices.Sort(out)
	return out
}

// ConfigSchema implements config.Schemer.
func (Statement) ConfigSchema() *config.Schema {
	inner := config.SchemaOf(Statement{})
	list := func(doc string) *config.Schema {
		return &config.Schema{Type: "array", Items: inner, Description: doc}
	}
	said := func(doc string, forms ...*config.Schema) *config.Schema {
		return &config.Schema{AnyOf: forms, Description: doc}
	}
	text := &config.Schema{Type: "string"}
	texts := &config.Schema{Type: "array", Items: text}
	long := config.ReferenceTo(condition{})
	one := config.SchemaOf(fieldName{})
	many := &config.Schema{Type: "array", Items: one}
	s := &config.Schema{Type: "object", AdditionalProperties: false, MinProperties: 1, Description: "which requests are meant; several keys must all match", Properties: map[string]*config.Schema{
		"all":     list("every statement matches"),
		"any":     list("one of the statements matches"),
		"not":     said("the statement does not match", inner),
		"ip-set":  said("the client's address is in the ip set of this name", text, config.SchemaOf(setName{})),
		"address": said("the client's address is among these", text, texts, config.SchemaOf(inline{})),
		"country": said("the client's address is in one of these countries, by ISO 3166-1", text, texts, config.SchemaOf(countries{})),
		"crawler": said("what is known of a request that claims to be a search engine's crawler", crawlerSchema()...),
		"label":   said("a rule before has set this label", text, config.SchemaOf(namespace{})),
		"rate":    said("the client sends more than this", config.SchemaOf(rateSection{})),
		"sqli":    said("one of these fields holds SQL that a service could be made to run", one, many, config.SchemaOf(injection{})),
		"xss":     said("one of these fields holds a script that a page could be made to run", one, many, config.SchemaOf(injection{})),
	}}
	for _, f := range fieldKeys {
		s.Properties[f.key] = said(f.doc, text, texts, long)
	}
	return s
}
