package policy

import (
	"fmt"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
)

// Scope is where a document's short forms belong.
type Scope struct {
	Name    string // of the policy, for people: "policies/ci.json", or "users.ci #1"
	Filter  string // the room that decides by it, for trails
	API     string // ARN of the API that "execute-api:/..." is short for, without what follows its name
	Account string // that a principal without one belongs to
}

// Policy is a Document compiled. It is immutable and safe for concurrent use.
type Policy struct {
	Name   string
	denies []Statement
	allows []Statement
}

// Statement is one statement of a Policy, and what decisions point to.
type Statement struct {
	Policy string
	Sid    string // "" for none
	Number int    // within its document, from 1
	At     config.Pos
	Rule   *exchange.Rule // the statement as a trail shows it
	Deny   bool

	actions       []actionPattern
	notActions    bool
	resources     []arnPattern
	notResources  bool
	hasVariables  bool // some resource has
	principals    *principals
	notPrincipals bool
	conditions    []condition
}

// Title names the statement for people: by its Sid, or else by its number.
func (s *Statement) Title() string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("#%d", s.Number)
}

// Compile compiles a document that Parse has nothing against. It is pure.
func Compile(doc *Document, scope Scope) *Policy {
	p := &Policy{Name: scope.Name}
	for i := range doc.Statements {
		s := compileStatement(&doc.Statements[i], doc.Version, scope)
		s.Policy, s.Number = p.Name, i+1
		s.Rule = &exchange.Rule{Filter: scope.Filter, Name: "iam: " + p.Name + " " + s.Title(), At: s.At}
		if s.Deny {
			p.denies = append(p.denies, s)
		} else {
			p.allows = append(p.allows, s)
		}
	}
	return p
}

func compileStatement(e *Element, version string, scope Scope) Statement {
	s := Statement{Sid: e.Sid, At: e.At, Deny: e.Deny, notActions: len(e.NotActions) > 0, notResources: len(e.NotResources) > 0, notPrincipals: e.NotPrincipals != nil}
	for _, text := range append(e.Actions, e.NotActions...) {
		s.actions = append(s.actions, compileAction(text))
	}
	d := dialect{wildcards: true, variables: version == Version2012}
	for _, text := range append(e.Resources, e.NotResources...) {
		if rest, short := strings.CutPrefix(text, ShortPrefix); short && scope.API != "" {
			text = scope.API + "/" + rest
		}
		s.resources = append(s.resources, compileARN(text, d))
		s.hasVariables = s.hasVariables || d.variables && strings.Contains(text, "${")
	}
	for _, named := range []*Principals{e.Principals, e.NotPrincipals} {
		if named != nil {
			s.principals = compilePrincipals(named)
		}
	}
	for i := range e.Conditions {
		s.conditions = append(s.conditions, compileCondition(&e.Conditions[i], version))
	}
	return s
}

// For returns what of p is about an action, for who asks about that one alone.
func (p *Policy) For(action Action) *Policy {
	if p == nil {
		return nil
	}
	narrow := func(all []Statement) (out []Statement) {
		for i := range all {
			if s := all[i]; s.hasAction(action) {
				s.actions, s.notActions = nil, true
				out = append(out, s)
			}
		}
		return out
	}
	return &Policy{Name: p.Name, denies: narrow(p.denies), allows: narrow(p.allows)}
}

// actionPattern matches actions in small letters.
type actionPattern struct {
	exact   string
	pattern pattern
}

func compileAction(text string) actionPattern {
	p := newPattern(parsePattern(strings.ToLower(text), dialect{wildcards: true}))
	if p.plain() {
		return actionPattern{exact: p.literal()}
	}
	return actionPattern{pattern: p}
}

func (p *actionPattern) matches(folded string) bool {
	if p.exact != "" {
		return p.exact == folded
	}
	return p.pattern.matches(folded, nil)
}

// principals are compiled Principals: exact texts, of which there are few.
type principals struct {
	any      bool
	arns     []string // of users, roles and sessions
	accounts []string
	services []string
}

func compilePrincipals(p *Principals) *principals {
	out := &principals{any: p.Any, services: p.Services}
	for _, who := range p.AWS {
		a, ok := parseARN(who)
		switch {
		case !ok:
			out.accounts = append(out.accounts, who)
		case a.resource() == "root":
			out.accounts = append(out.accounts, a.part(4))
		default:
			out.arns = append(out.arns, who)
		}
	}
	return out
}

// grant is how directly principals name a caller.
type grant uint8

const (
	notNamed  grant = iota
	byAccount       // the whole account, which decides by policies of its own
	byRole          // the role of a session, or all the world
	byName          // the user or session itself
)

// names returns how directly p names who calls.
func (p *principals) names(r *Request) grant {
	caller := r.Principal
	switch {
	case r.Service != "":
		if contains(p.services, r.Service) || p.any {
			return byName
		}
		return notNamed
	case caller == nil:
		if p.any {
			return byName
		}
		return notNamed
	case contains(p.arns, caller.Name):
		return byName
	case p.any && !caller.IsSession():
		return byName
	case p.any || caller.IsSession() && contains(p.arns, caller.Role):
		return byRole
	case contains(p.accounts, caller.Account):
		return byAccount
	}
	return notNamed
}

func contains(list []string, s string) bool {
	for i := range list {
		if list[i] == s {
			return true
		}
	}
	return false
}
