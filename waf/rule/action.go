// Package rule is the rules of web ACLs and rule groups as operators write them, or
// as they come from AWS WAF.
package rule

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"gatehouse/config"
)

// Kind is what a rule does with a request that it matches.
type Kind uint8

// The kinds. Unsaid is none.
const (
	Unsaid Kind = iota
	Allow
	Block
	Count
	Challenge
)

var kindNames = [...]string{"", "allow", "block", "count", "challenge"}

// String returns the name that the configuration writes.
func (k Kind) String() string { return kindNames[k] }

func parseKind(name string) (Kind, bool) {
	for i, n := range kindNames[1:] {
		if n == name {
			return Kind(i + 1), true
		}
	}
	return Unsaid, false
}

// Action is a kind with what belongs to it.
type Action struct {
	Kind Kind
	// Insert are headers that the service gets, each with x-amzn-waf- before its
	// name, as in AWS WAF. Of allow, count and challenge.
	Insert map[string]string
	// Of block: the answer, where it is not the usual one.
	Status  int
	Headers map[string]string
	Body    string
	Type    string // of Body
}

// Custom reports whether a block has an answer of its own.
func (a *Action) Custom() bool {
	return a.Status != 0 || len(a.Headers) > 0 || a.Body != ""
}

// answer is how a block answers, as it is written.
type answer struct {
	config.At
	Status  int               `yaml:"status" default:"403" range:"200..599" doc:"its status"`
	Headers map[string]string `yaml:"headers" doc:"further headers"`
	Body    string            `yaml:"body" doc:"its body; by default the API's own form of refusals"`
	Type    string            `yaml:"content-type" default:"text/plain; charset=utf-8" doc:"the media type of the body"`
}

// marks are what a request that goes on carries to its service.
type marks struct {
	config.At
	Insert map[string]string `yaml:"insert-headers" doc:"headers that the service gets, with x-amzn-waf- before their names"`
}

// MaxBody is how large the answer of a block may be.
const MaxBody = 64 << 10

// UnmarshalConfig reads a kind alone, or a map of a kind and what belongs to it.
func (a *Action) UnmarshalConfig(n *config.Node) {
	if n.Kind() != config.Map {
		name, _ := n.Text()
		a.kind(name, n)
		return
	}
	count := 0
	n.Each(func(key string, _ config.Pos, value *config.Node) {
		if count++; a.kind(key, n) {
			a.details(value)
		}
	})
	if count != 1 {
		n.Errorf("an action is allow, block, count or challenge, or a map of one of them such as {block: {status: 429}}")
	}
}

func (a *Action) kind(name string, n *config.Node) bool {
	kind, ok := parseKind(name)
	if !ok && name == "captcha" {
		n.Errorf("there is no captcha: write challenge, which asks browsers rather than people")
		return false
	}
	if !ok {
		n.Unknown("action", name, kindNames[1:])
	}
	a.Kind = kind
	return ok
}

func (a *Action) details(n *config.Node) {
	if n.Kind() == config.Null {
		return
	}
	if a.Kind != Block {
		var m marks
		n.Decode(&m)
		a.Insert = m.Insert
	} else {
		s := answer{}
		n.Decode(&s)
		a.Status, a.Headers, a.Body, a.Type = s.Status, s.Headers, s.Body, s.Type
	}
	if wrong := a.Wrong(); wrong != "" {
		n.Errorf("%s", wrong)
	}
}

// Wrong says what is wrong with the details; "" where nothing is.
func (a *Action) Wrong() string {
	switch {
	case len(a.Body) > MaxBody:
		return "the body of a block has at most 64 KiB"
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return "the status of a block is one from 200 to 599"
	case a.Body != "" && (a.Status == http.StatusNoContent || a.Status == http.StatusNotModified):
		return "an answer of this status has no body"
	}
	for _, list := range []map[string]string{a.Headers, a.Insert} {
		for name, value := range list {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				return "the header " + name + " is none that can be sent"
			}
		}
	}
	for name := range a.Headers {
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding", "connection", "content-type", "trailer", "upgrade":
			return "the header " + name + " is the gateway's own: write content-type for the body's type"
		}
	}
	return ""
}

// ConfigSchema implements config.Schemer.
func (Action) ConfigSchema() *config.Schema {
	name := &config.Schema{Type: "string"}
	long := &config.Schema{Type: "object", AdditionalProperties: false, Properties: map[string]*config.Schema{}}
	for _, kind := range kindNames[1:] {
		name.Enum = append(name.Enum, kind)
		long.Properties[kind] = &config.Schema{AnyOf: []*config.Schema{config.SchemaOf(marks{})}, Description: "and what the service is told"}
	}
	long.Properties["block"] = &config.Schema{AnyOf: []*config.Schema{config.SchemaOf(answer{})}, Description: "and how it is answered"}
	return &config.Schema{AnyOf: []*config.Schema{name, long}}
}
