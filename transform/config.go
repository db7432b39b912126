package transform

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"gatehouse/config"
)

// Headers says which headers to change. Within each part remove comes first,
// then set, then add.
type Headers struct {
	config.At
	Request  Change `yaml:"request" doc:"headers of the request that the target gets"`
	Response Change `yaml:"response" doc:"headers of the target's answer that the client gets"`
}

// Change is what to do with the headers of one message.
type Change struct {
	Set    map[string]Value `yaml:"set" doc:"headers in place of those that are there; values may hold ${request.id}, ${client.ip}, ${principal.id}, ${principal.subject}, ${path.NAME}, ${stageVariables.NAME}; $${ stands for ${"`
	Add    map[string]Value `yaml:"add" doc:"headers beside those that are there"`
	Remove []Name           `yaml:"remove" doc:"headers to take out"`
}

// Value is a header's value: a template, with its place.
type Value struct {
	Name string `yaml:"-" key:"true"` // the header's, as written
	Text string
	At   config.Pos
}

// UnmarshalConfig reads the text. What a header holds that takes a credential
// to the target is not shown again.
func (v *Value) UnmarshalConfig(n *config.Node) {
	text, ok := n.Template()
	if config.IsSecretName(v.Name) {
		n.Hide()
	}
	if !ok && n.Kind() != config.Scalar {
		n.Errorf("a header's value is one text")
	}
	v.Text, v.At = text, n.Pos()
}

// ConfigSchema implements config.Schemer.
func (Value) ConfigSchema() *config.Schema { return config.SchemaOf("") }

// Name is a header's name with its place.
type Name struct {
	Text string
	At   config.Pos
}

// UnmarshalConfig reads the name.
func (m *Name) UnmarshalConfig(n *config.Node) {
	text, ok := n.Text()
	if !ok && n.Kind() != config.Scalar {
		n.Errorf("a header's name is one text")
	}
	m.Text, m.At = text, n.Pos()
}

// ConfigSchema implements config.Schemer.
func (Name) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"server"}}
}

// Scope is what templates of a route may name.
type Scope struct {
	Route     string            // METHOD PATH, for errors
	Stage     string            // its name, for errors
	Params    []string          // the names of the path's parameters
	Greedy    string            // the one among them that takes the rest of the path; "" for none
	Variables map[string]string // the stage's
}

// Check implements config.Checker: names of headers, and templates as far as
// they do not depend on a route.
func (h *Headers) Check(r *config.Report) {
	h.Request.check(r, checkRequestName)
	h.Response.check(r, checkResponseName)
	h.templates(func(v Value, t template) { t.check(r, v.At) }, r)
}

// CheckScope adds to r what the templates name and the route does not have:
// path parameters and stage variables. A nil h is fine.
func (h *Headers) CheckScope(s Scope, r *config.Report) {
	if h == nil {
		return
	}
	var ignored config.Report // Check told of it
	h.templates(func(v Value, t template) { t.checkScope(s, r, v.At) }, &ignored)
}

// templates calls f for every value that parses, in an order of its own, and
// reports those that do not.
func (h *Headers) templates(f func(Value, template), r *config.Report) {
	visit := func(v Value) {
		t, err := parseTemplate(v.Text)
		if err != nil {
			r.Errorf(v.At, "%s", err)
			return
		}
		f(v, t)
	}
	for _, values := range []map[string]Value{h.Request.Set, h.Request.Add, h.Response.Set, h.Response.Add} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			visit(values[name])
		}
	}
}

func (c *Change) check(r *config.Report, checkName func(r *config.Report, at config.Pos, name string)) {
	for _, values := range []map[string]Value{c.Set, c.Add} {
		seen := make(map[string]bool, len(values))
		for _, name := range slices.Sorted(maps.Keys(values)) {
			checkName(r, values[name].At, name)
			key := textproto.CanonicalMIMEHeaderKey(name)
			if seen[key] {
				r.Errorf(values[name].At, "the header %s is there twice", key)
			}
			seen[key] = true
		}
	}
	for _, name := range c.Remove {
		checkName(r, name.At, name.Text)
	}
}

// protected are the headers that belong to the connection or frame the message
// (RFC 9110 sections 7.6.1 and 10.1.1, RFC 9113 section 8.2.2): a change would
// break it.
var protected = [...]string{
	"Connection", "Content-Length", "Expect", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func checkRequestName(r *config.Report, at config.Pos, name string) {
	if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
		r.Errorf(at, "the host is no header to change: a service says by its own host which one its targets are asked for")
		return
	}
	checkName(r, at, name)
}

func checkResponseName(r *config.Report, at config.Pos, name string) {
	if textproto.CanonicalMIMEHeaderKey(name) == "X-Amzn-Requestid" {
		r.Errorf(at, "x-amzn-requestid names the request in every answer: nothing may change it")
		return
	}
	checkName(r, at, name)
}

func checkName(r *config.Report, at config.Pos, name string) {
	key := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !isToken(name):
		r.Errorf(at, "%q is no name of a header", name)
	case slices.Contains(protected[:], key):
		r.Errorf(at, "the header %s belongs to the connection, not to the message: nothing may change it", key)
	}
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func quoted(name string) string { return fmt.Sprintf("${%s}", name) }
