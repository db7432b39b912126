// Package field says what of a request a rule inspects, and takes it out: once
// for all rules that ask for it, and only when one does.
//
// The path is the gateway's one canonical form, the one that the service gets.
// Everything else is inspected as it came, as AWS WAF does it; text
// transformations undo encodings.
package field

import (
	"strconv"
	"strings"
)

// Kind is a part of requests.
type Kind uint8

// The parts. Those of several texts match where one of them does.
const (
	Method      Kind = iota
	Path             // canonical, with the stage's
	Query            // as it came, without "?"
	Argument         // the values of one query argument, as they came
	Arguments        // of every one
	Header           // the values of one header
	Headers          // names and values of all, or of some
	HeaderOrder      // names as they came, joined by ":"; HTTP/1 only
	Cookies          // names and values
	Body             // as it came, up to the limit
	JSON             // names and values of a JSON body, up to the limit
	JA3              // of the TLS handshake, in MD5's 32 digits
	JA4              // of the TLS handshake
	kinds
)

var kindNames = [kinds]string{"method", "path", "query", "argument", "arguments", "header", "headers", "header-order", "cookies", "body", "json", "ja3", "ja4"}

// String returns the name that the configuration writes.
func (k Kind) String() string { return kindNames[k] }

// Scope is which side of pairs is inspected.
type Scope uint8

// The scopes.
const (
	Both Scope = iota
	Keys
	Values
)

// Handling is what a statement makes of what cannot be inspected whole, or at
// all.
type Handling uint8

// The handlings. Usual is what the ACL says of all its statements.
const (
	Usual    Handling = iota
	Continue          // inspect what there is
	Match             // it matches
	NoMatch           // it does not
)

// Invalid is what a statement makes of a JSON body that is none.
type Invalid uint8

// The fallbacks.
const (
	InvalidPart    Invalid = iota // inspect what stands before the mistake
	InvalidMatch                  // it matches
	InvalidNoMatch                // it does not
	InvalidText                   // inspect the body as text
)

// Spec is what a statement inspects.
type Spec struct {
	Kind    Kind
	Name    string   // of the Argument or Header, in small letters
	Scope   Scope    // of Headers, Cookies, JSON
	Include []string // names, in small letters but for Cookies; of JSON, pointers (RFC 6901). None: all
	Exclude []string // names
	Over    Handling // of Headers, Cookies, Body, JSON
	Invalid Invalid  // of JSON
	Missing Handling // of JA3 and JA4: where there is none, Match or NoMatch
}

// ReadsBody reports whether the body is needed for it.
func (s *Spec) ReadsBody() bool { return s.Kind == Body || s.Kind == JSON }

// String says it as trails do: "header user-agent".
func (s *Spec) String() string {
	if s.Name == "" {
		return s.Kind.String()
	}
	return s.Kind.String() + " " + s.Name
}

// Key tells specs apart that take out something else.
func (s *Spec) Key() string {
	var b strings.Builder
	for _, n := range []int{int(s.Kind), int(s.Scope), int(s.Over), int(s.Invalid), int(s.Missing)} {
		b.WriteString(strconv.Itoa(n) + ",")
	}
	for _, list := range [][]string{{s.Name}, s.Include, s.Exclude} {
		for _, name := range list {
			b.WriteString(strconv.Quote(name))
		}
		b.WriteByte(';')
	}
	return b.String()
}
