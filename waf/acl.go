package waf

import (
	"time"

	"gatehouse/exchange"
	"gatehouse/waf/crs"
	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/record"
	"gatehouse/waf/rule"
	"gatehouse/waf/ruleset"
)

// ACL is a web ACL compiled. It is immutable and safe for concurrent use.
type ACL struct {
	name      string
	rules     []entry
	last      entry // what the default does
	plan      field.Plan
	limits    field.Limits
	budget    time.Duration
	countries match.Countries // nil where none is known
	log       *record.Config
	id        string // as AWS writes it: an ARN
	sets      []*crs.Set
	passes    bool // a request whose inspection fails goes on
	marks     bool // some rule tells the service by headers

	challenges bool // some rule challenges

	failure *exchange.Rule
	rates   []match.Rate
	names   []string // of all rules, for their counters
}

// entry is one rule, or a rule group.
type entry struct {
	name   string
	index  int // of its counters
	rule   *exchange.Rule
	match  match.Matcher
	engine ruleset.Engine
	group  []entry
	counts bool // what the group decides is only counted
	action rule.Action
	insert []header
	labels []string // whole
}

// header is one that a service gets.
type header struct{ name, value string }

// Name returns the ACL's name.
func (a *ACL) Name() string { return a.name }

// ReadsBody reports whether some rule inspects bodies.
func (a *ACL) ReadsBody() bool { return a.plan.ReadsBody() || len(a.sets) > 0 }

// LogFile returns the path of the ACL's log; "" for none.
func (a *ACL) LogFile() string {
	if a == nil || a.log == nil {
		return ""
	}
	return a.log.File.Value
}

// Adopt takes the engines of rule sets over that an ACL of the configuration
// before has, of the same content. It is called before the ACL serves.
func (a *ACL) Adopt(last *ACL) {
	if last == nil {
		return
	}
	for _, s := range a.sets {
		s.Adopt(last.sets)
	}
}

// Challenges reports whether some rule challenges.
func (a *ACL) Challenges() bool { return a.challenges }

// ReadsOrder reports whether some rule inspects the order of headers.
func (a *ACL) ReadsOrder() bool { return a != nil && a.plan.ReadsOrder() }

// ReadsHandshake reports whether some rule inspects the TLS handshake.
func (a *ACL) ReadsHandshake() bool { return a != nil && a.plan.ReadsHandshake() }
