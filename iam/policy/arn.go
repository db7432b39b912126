package policy

import "strings"

// arn is an ARN with the places of its colons: arn:PARTITION:SERVICE:REGION:
// ACCOUNT:RESOURCE, of which only the last part may hold colons itself.
type arn struct {
	text  string
	cuts  [5]int
	last  string // the resource part
	whole bool   // it has all six parts
}

// parseARN reports false where the text has fewer than six parts.
func parseARN(text string) (a arn, ok bool) {
	a.text = text
	at := 0
	for i := range a.cuts {
		next := strings.IndexByte(text[at:], ':')
		if next < 0 {
			return a, false
		}
		a.cuts[i] = at + next
		at += next + 1
	}
	a.last, a.whole = text[at:], true
	return a, true
}

// part returns one of the first five parts.
func (a *arn) part(i int) string {
	start := 0
	if i > 0 {
		start = a.cuts[i-1] + 1
	}
	return a.text[start:a.cuts[i]]
}

func (a *arn) resource() string { return a.last }

// ShortPrefix begins the short form of a resource in an API's own policy:
// execute-api:/STAGE/METHOD/PATH.
const ShortPrefix = "execute-api:/"

// arnPattern matches ARNs part by part: a wildcard crosses no colon but in the
// last part.
type arnPattern struct {
	all      bool       // "*": whatever the resource is
	never    bool       // of a text that is no ARN
	exact    string     // the whole, where nothing of it needs a pattern
	head     string     // the first five parts with their colons, where none of them needs a pattern
	parts    []numbered // of the first five, where some need one: all but "*"
	resource pattern
	lead     string // how every resource part begins that the pattern stands for
}

// numbered is the pattern of one part.
type numbered struct {
	part    int
	exact   string // where plain
	plain   bool
	pattern pattern
}

// compileARN compiles a pattern that has been checked.
func compileARN(text string, d dialect) arnPattern {
	if text == "*" {
		return arnPattern{all: true}
	}
	parts, ok := splitPattern(parsePattern(text, d))
	if !ok {
		return arnPattern{never: true} // no document that was checked says this
	}
	p := arnPattern{resource: parts[5], lead: parts[5].lead()}
	literal := true
	for i := range parts[:5] {
		part := &parts[i]
		literal = literal && part.plain()
		p.head += part.literal() + ":"
		if !part.star() {
			p.parts = append(p.parts, numbered{i, part.literal(), part.plain(), *part})
		}
	}
	if !literal {
		p.head = ""
		return p
	}
	p.parts = nil
	if p.resource.plain() {
		p.exact = p.head + p.resource.literal()
	}
	return p
}

// matches reports whether the pattern stands for a.
func (p *arnPattern) matches(a *arn, r *Request) bool {
	switch {
	case p.all:
		return true
	case p.never || !a.whole:
		return false
	case !strings.HasPrefix(a.last, p.lead):
		return false
	case p.exact != "":
		return p.exact == a.text
	case p.head != "":
		return strings.HasPrefix(a.text, p.head) && p.resource.matches(a.last, r)
	}
	return p.resource.matches(a.last, r) && p.matchesParts(a, r)
}

func (p *arnPattern) matchesParts(a *arn, r *Request) bool {
	for i := range p.parts {
		part := &p.parts[i]
		text := a.part(part.part)
		if part.plain && part.exact != text || !part.plain && !part.pattern.matches(text, r) {
			return false
		}
	}
	return true
}
