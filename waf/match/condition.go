package match

import (
	"strings"

	"gatehouse/config"
	"gatehouse/waf/field"
	"gatehouse/waf/text"
)

// condition is the long form of a statement about a field: what of it, and what
// for.
type condition struct {
	config.At
	Name      string      `yaml:"name" doc:"of the argument, header or cookie"`
	Names     []string    `yaml:"names" single:"true" doc:"those headers or cookies alone"`
	Except    []string    `yaml:"except" single:"true" doc:"all headers or cookies but those"`
	Scope     string      `yaml:"scope" default:"both" enum:"both|keys|values" doc:"of headers, cookies and json: what of each pair is inspected"`
	Members   []string    `yaml:"at" single:"true" doc:"of json: the parts that are inspected, as JSON pointers: /order/items/0"`
	Invalid   string      `yaml:"invalid" enum:"match|no-match|text" doc:"of json: whether a body that is no JSON matches, or is inspected as text; otherwise what stands before the mistake is inspected"`
	Oversize  string      `yaml:"oversize" enum:"continue|match|no-match" doc:"of headers, cookies, body and json: what becomes of more than is inspected; by default a body goes by inspect-body"`
	Missing   string      `yaml:"missing" enum:"match|no-match" doc:"of ja3, ja4 and header-order: whether a request without matches"`
	Transform []transform `yaml:"transform" single:"true" doc:"text transformations before it is looked at, in this order"`

	Equals       []string `yaml:"equals" single:"true" doc:"is one of these"`
	StartsWith   []string `yaml:"starts-with" single:"true" doc:"begins with one of these"`
	EndsWith     []string `yaml:"ends-with" single:"true" doc:"ends with one of these"`
	Contains     []string `yaml:"contains" single:"true" doc:"holds one of these"`
	ContainsWord []string `yaml:"contains-word" single:"true" doc:"holds one of these with no letter, digit or _ beside it"`
	Matches      []string `yaml:"matches" single:"true" doc:"matches one of these regular expressions (RE2)"`
	RegexSet     string   `yaml:"regex-set" doc:"matches one regular expression of this set"`
	Size         *size    `yaml:"size" doc:"its bytes: \"> 8KiB\", \"= 0\""`
	SQLi         string   `yaml:"sqli" enum:"low|high" doc:"holds SQL that a service could be made to run; high finds more, also where there is none"`
	XSS          bool     `yaml:"xss" doc:"holds a script that a page could be made to run"`
	Present      bool     `yaml:"present" doc:"is there; what a statement without any other test means"`
}

// transform is a transformation's name.
type transform struct{ kind text.Kind }

func (t *transform) UnmarshalConfig(n *config.Node) {
	name, _ := n.Text()
	kind, ok := text.Parse(name)
	if !ok {
		n.Unknown("text transformation", name, text.Names())
	}
	t.kind = kind
}

func (transform) ConfigSchema() *config.Schema {
	s := &config.Schema{Type: "string"}
	for _, name := range text.Names() {
		s.Enum = append(s.Enum, name)
	}
	return s
}

func chain(list []transform) (out text.Chain) {
	for _, t := range list {
		out = append(out, t.kind)
	}
	return out
}

// readContent reads a statement about a field: a text or a list of those that it
// equals, or the long form.
func readContent(kind field.Kind, key string, n *config.Node) Node {
	c := condition{Scope: "both"}
	if n.Kind() == config.Map {
		if !n.Decode(&c) {
			return nil
		}
	} else {
		ok := false
		if c.Equals, ok = texts(n); !ok {
			return nil
		}
	}
	return c.content(kind, key, n)
}

// texts reads one text, or a list of them.
func texts(n *config.Node) ([]string, bool) {
	if n.Kind() == config.List {
		var list []string
		ok := n.Decode(&list)
		return list, ok
	}
	var one string
	ok := n.Decode(&one)
	return []string{one}, ok
}

func (c *condition) content(kind field.Kind, key string, n *config.Node) Node {
	out := &Content{Field: c.spec(kind, key, n), Chain: chain(c.Transform), Tests: c.tests()}
	if len(out.Tests) == 0 {
		if !c.Present && c.Name == "" && len(c.Names) == 0 && len(c.Members) == 0 {
			n.Errorf("say what to look for in it: equals, starts-with, ends-with, contains, contains-word, matches, regex-set, size, sqli, xss, or present: true")
			return nil
		}
		out.Tests = []Test{Present{}}
	}
	return out
}

func (c *condition) tests() (out []Test) {
	for p, list := range [][]string{Exactly: c.Equals, StartsWith: c.StartsWith, EndsWith: c.EndsWith, Contains: c.Contains, ContainsWord: c.ContainsWord} {
		if len(list) > 0 {
			out = append(out, &Bytes{Position(p), list})
		}
	}
	if len(c.Matches) > 0 {
		out = append(out, &Regexes{c.Matches})
	}
	if c.RegexSet != "" {
		out = append(out, &RegexSet{c.RegexSet})
	}
	if c.Size != nil {
		out = append(out, &Size{c.Size.Operator, c.Size.Bytes})
	}
	if c.SQLi != "" {
		out = append(out, &SQLi{High: c.SQLi == "high"})
	}
	if c.XSS {
		out = append(out, XSS{})
	}
	return out
}

// spec returns the field, and reports what does not belong to it.
func (c *condition) spec(kind field.Kind, key string, n *config.Node) field.Spec {
	s := field.Spec{Kind: kind, Over: handlings[c.Oversize], Missing: handlings[c.Missing]}
	c.only(n, kind, "oversize", field.Headers, field.Cookies, field.Body, field.JSON)
	c.only(n, kind, "missing", field.JA3, field.JA4, field.HeaderOrder)
	c.only(n, kind, "scope", field.Headers, field.Cookies, field.JSON)
	c.only(n, kind, "invalid", field.JSON)
	c.only(n, kind, "at", field.JSON)
	c.only(n, kind, "names", field.Headers, field.Cookies)
	c.only(n, kind, "except", field.Headers, field.Cookies)
	c.only(n, kind, "name", field.Header, field.Argument, field.Cookies)
	s.Scope = scopes[c.Scope]
	s.Invalid = invalids[c.Invalid]
	c.named(&s, key, n)
	if len(c.Names) > 0 && len(c.Except) > 0 {
		n.Errorf("write names or except, not both")
	}
	for _, at := range c.Members {
		if !strings.HasPrefix(at, "/") {
			n.Errorf("%q is no JSON pointer such as /order/note", at)
		}
	}
	if kind == field.JSON {
		s.Include = c.Members
	}
	return s
}

func (c *condition) named(s *field.Spec, key string, n *config.Node) {
	switch key {
	case "host":
		if c.Name != "" {
			n.Errorf("host is a header by itself: it has no name")
		}
		s.Name = "host"
	case "header", "argument":
		if c.Name == "" {
			n.Errorf("say which %s: {%s: {name: ..., contains: ...}}", key, key)
		}
		s.Name = strings.ToLower(c.Name)
	case "cookie":
		if c.Name == "" {
			n.Errorf("say which cookie: {cookie: {name: ..., contains: ...}}")
		}
		s.Include = []string{c.Name}
		if !c.Has("scope") {
			s.Scope = field.Values
		}
	case "headers":
		s.Include, s.Exclude = lower(c.Names), lower(c.Except)
	case "cookies":
		if c.Name != "" {
			n.Errorf("write names for cookies, or cookie for one")
		}
		s.Include, s.Exclude = c.Names, c.Except
	}
}

// only reports a key that the statement has and its field does not.
func (c *condition) only(n *config.Node, kind field.Kind, key string, of ...field.Kind) {
	if !c.Has(key) {
		return
	}
	for _, k := range of {
		if k == kind {
			return
		}
	}
	n.Errorf("%s says nothing about %s: remove it", key, kind)
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

var (
	handlings = map[string]field.Handling{"": field.Usual, "continue": field.Continue, "match": field.Match, "no-match": field.NoMatch}
	scopes    = map[string]field.Scope{"": field.Both, "both": field.Both, "keys": field.Keys, "values": field.Values}
	invalids  = map[string]field.Invalid{"": field.InvalidPart, "match": field.InvalidMatch, "no-match": field.InvalidNoMatch, "text": field.InvalidText}
)

// size is a comparison as it is written: "> 8KiB".
type size struct {
	Operator Operator
	Bytes    int64
}

// operators are in the order in which they are looked for.
var operators = [...]struct {
	sign string
	is   Operator
}{{"<=", LessOrEqual}, {">=", GreaterOrEqual}, {"!=", NotEqual}, {"==", Equal}, {"<", Less}, {">", Greater}, {"=", Equal}}

func (s *size) UnmarshalConfig(n *config.Node) {
	written, ok := n.Text()
	if !ok {
		n.Errorf(`a size is compared as "> 8KiB" or "= 0"`)
		return
	}
	rest := strings.TrimSpace(written)
	for _, o := range operators {
		if after, ok := strings.CutPrefix(rest, o.sign); ok {
			s.Operator, rest = o.is, strings.TrimSpace(after)
			break
		}
	}
	var bytes config.Size
	if err := bytes.UnmarshalText([]byte(rest)); err != nil {
		n.Errorf(`%q is no comparison such as "> 8KiB"`, written)
	}
	s.Bytes = int64(bytes)
}

func (size) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^ *(<=|>=|!=|==|<|>|=)? *[0-9]+ *[A-Za-z]*$`, Examples: []any{"> 8KiB"}}
}
