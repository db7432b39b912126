package transform

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
)

// source is where a part of a template comes from.
type source uint8

const (
	literal source = iota
	requestID
	clientIP
	principalID
	principalSubject
	pathParam
	variable
	unknown
)

// plainNames are the names that stand for one thing.
var plainNames = [...]struct {
	name   string
	source source
}{{"request.id", requestID}, {"client.ip", clientIP}, {"principal.id", principalID}, {"principal.subject", principalSubject}}

// part is a piece of a template: a literal's text, or the name of what stands
// there.
type part struct {
	source source
	text   string
}

// template is a text with ${names} in it.
type template struct{ parts []part }

// parseTemplate reads a template; $${ stands for ${ itself. Names that it does
// not know become parts that check reports.
func parseTemplate(text string) (template, error) {
	var t template
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return t, errors.New("the value holds a control byte, such as a line's end")
		}
	}
	if strings.Trim(text, " \t") != text {
		return t, errors.New("the value begins or ends with a space, which no receiver keeps")
	}
	for text != "" {
		before, after, more := strings.Cut(text, "${")
		if plain, escaped := strings.CutSuffix(before, "$"); more && escaped {
			t.literal(plain + "${")
			text = after
			continue
		}
		t.literal(before)
		if !more {
			break
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			return t, errors.New("a ${ without its }")
		}
		t.parts = append(t.parts, parseName(name))
		text = rest
	}
	return t, nil
}

// literal adds text, to the last part where that is text too.
func (t *template) literal(text string) {
	if n := len(t.parts); n > 0 && t.parts[n-1].source == literal {
		t.parts[n-1].text += text
	} else if text != "" {
		t.parts = append(t.parts, part{literal, text})
	}
}

func parseName(name string) part {
	for _, known := range plainNames {
		if known.name == name {
			return part{known.source, name}
		}
	}
	kind, rest, _ := strings.Cut(name, ".")
	switch {
	case rest == "":
	case kind == "path":
		return part{pathParam, rest}
	case kind == "stageVariables" || kind == "stage":
		return part{variable, rest}
	}
	return part{unknown, name}
}

// known are the names for a "did you mean", those of s among them.
func known(s Scope) []string {
	var names []string
	for _, n := range plainNames {
		names = append(names, n.name)
	}
	for _, p := range s.Params {
		names = append(names, "path."+p)
	}
	for _, v := range slices.Sorted(maps.Keys(s.Variables)) {
		names = append(names, "stageVariables."+v)
	}
	return names
}

func (t template) check(r *config.Report, at config.Pos) {
	for _, p := range t.parts {
		if p.source == unknown {
			r.Unknown(at, "variable", p.text, append(known(Scope{}), "path.NAME", "stageVariables.NAME"))
		}
	}
}

func (t template) checkScope(s Scope, r *config.Report, at config.Pos) {
	for _, p := range t.parts {
		switch p.source {
		case pathParam:
			if !slices.Contains(s.Params, p.text) {
				r.Unknown(at, of("path parameter", s.Route), p.text, s.Params)
			}
		case variable:
			if _, ok := s.Variables[p.text]; !ok {
				r.Unknown(at, of("stage variable", s.Stage), p.text, slices.Sorted(maps.Keys(s.Variables)))
			}
		}
	}
}

// of says what something is of, where that is known.
func of(what, whose string) string {
	if whose == "" {
		return what
	}
	return what + " of " + whose
}

// constant returns the text of a template without names.
func (t template) constant() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].source == literal:
		return t.parts[0].text, true
	}
	return "", false
}

// value returns the template's text for a request; false where it is none that
// a field can hold (RFC 9110 section 5.5). Cleaning it up would let one caller's
// name pass for another's.
func (t template) value(x *exchange.Exchange) (string, bool) {
	if text, ok := t.constant(); ok {
		return text, true
	}
	var space [128]byte
	b := space[:0]
	for _, p := range t.parts {
		b = p.append(b, x)
	}
	return string(b), isFieldValue(b)
}

func (p *part) append(b []byte, x *exchange.Exchange) []byte {
	switch p.source {
	case literal:
		return append(b, p.text...)
	case requestID:
		return append(b, x.ID...)
	case clientIP:
		if x.Client.IsValid() {
			return x.Client.AppendTo(b)
		}
	case principalID:
		if x.Principal != nil {
			return append(b, x.Principal.ID...)
		}
	case principalSubject:
		if x.Principal != nil {
			return append(b, x.Principal.Subject...)
		}
	case pathParam:
		v, _ := x.Param(p.text)
		return append(b, v...)
	case variable:
		return append(b, x.Variables[p.text]...)
	}
	return b
}

func isFieldValue(b []byte) bool {
	for i, c := range b {
		edge := i == 0 || i == len(b)-1
		if c < ' ' && c != '\t' || c == 0x7f || edge && (c == ' ' || c == '\t') {
			return false
		}
	}
	return true
}
