package match

import (
	"maps"
	"regexp"
	"slices"

	"gatehouse/config"
	"gatehouse/waf/field"
)

// Statement is a rule's condition, as it was written.
type Statement struct {
	Pos  config.Pos
	Node Node
}

// Node is one kind of statement, as it was written.
type Node interface {
	// compile returns its matcher; where something is wrong it is reported, and
	// what is returned is not used.
	compile(c *Compiler, at config.Pos) Matcher
}

// Scope is what statements may name, and what they find there.
type Scope struct {
	Sets      map[string]Addresses        // by name
	Patterns  map[string][]*regexp.Regexp // regex sets by name
	Countries Countries                   // nil where this gateway does not know them
	Context   string                      // of labels without one: "awswaf:123456789012:webacl:edge"
	Account   string                      // in labels
	Owner     string                      // ACL/rule, for counters
}

// Compiler makes matchers of the statements of one ACL.
type Compiler struct {
	Plan   *field.Plan
	Report *config.Report
	Scope  Scope

	// Rates are what the counters of the ACL count, in the order of
	// Request.Counters.
	Rates []Rate
	// Counted reports whether this gateway has counters.
	Counted bool
}

// Compile returns the matcher of a statement. It is not nil, whatever is wrong.
func (c *Compiler) Compile(s *Statement) Matcher {
	if s == nil || s.Node == nil {
		return never{}
	}
	return s.Node.compile(c, s.Pos)
}

func (c *Compiler) unknown(at config.Pos, what, name string, known []string) Matcher {
	c.Report.Unknown(at, what, name, known)
	return never{}
}

func (c *Compiler) errorf(at config.Pos, format string, args ...any) Matcher {
	c.Report.Errorf(at, format, args...)
	return never{}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// never stands for a statement that is wrong: its configuration never serves.
type never struct{}

func (never) Match(*Request) bool { return false }
