package rule

import (
	"net/netip"

	"gatehouse/config"
	"gatehouse/waf/crs"
	"gatehouse/waf/ipset"
	"gatehouse/waf/match"
)

// Rule is one rule of a web ACL or of a rule group.
type Rule struct {
	config.At
	Name   string           `yaml:"name,required" doc:"by which logs, metrics and trails know it"`
	When   *match.Statement `yaml:"when" doc:"which requests it means"`
	Group  string           `yaml:"rule-group" doc:"in place of when: a rule group of waf-rule-groups, whose rules stand here"`
	CRS    *crs.Config      `yaml:"core-rule-set" doc:"in place of when: the OWASP Core Rule Set, which says itself what becomes of a request"`
	Action *Action          `yaml:"action" doc:"what becomes of a request that it means: allow, block, count or challenge; of a rule group count alone, in place of what its rules do"`
	Labels []string         `yaml:"labels" single:"true" doc:"labels that it sets on such a request, for the rules behind it"`
	// Overrides are actions in place of those that the group's rules have.
	Overrides map[string]*Action `yaml:"overrides" doc:"of a rule group: other actions for its rules, by their names"`
}

// Check implements config.Checker.
func (r *Rule) Check(report *config.Report) {
	kinds := 0
	for _, key := range []string{"when", "rule-group", "core-rule-set"} {
		if r.Has(key) {
			kinds++
		}
	}
	if kinds != 1 && !r.Broken("when") {
		report.Errorf(r.Pos, "a rule says what it means by one of when, rule-group and core-rule-set")
		return
	}
	for _, l := range r.Labels {
		if wrong := match.CheckLabel(l); wrong != "" {
			report.Errorf(r.Of("labels"), "%q: %s", l, wrong)
		}
	}
	switch {
	case r.Has("when") && r.Action == nil && !r.Broken("action"):
		report.Errorf(r.Pos, "say what becomes of a request that the rule means: action: block, allow, count or challenge")
	case r.Group != "" && r.Action != nil && r.Action.Kind != Count && !r.Broken("action"):
		report.Errorf(r.Of("action"), "a rule group's own rules say what they do: the action may be count, in place of it")
	case r.CRS != nil && r.Action != nil && r.Action.Kind != Block && !r.Broken("action"):
		report.Errorf(r.Of("action"), "a core-rule-set says by mode whether it blocks or counts: the action may be block, with an answer of its own")
	case r.Group == "" && len(r.Overrides) > 0:
		report.Errorf(r.Of("overrides"), "overrides are for a rule group's rules")
	}
}

// Group is rules that several ACLs share, as an import has them.
type Group struct {
	Name  string
	Rules []*Rule
}

// Set is a set of addresses.
type Set struct{ ipset.Config }

// Contains reports whether a is in the set.
func (s *Set) Contains(a netip.Addr) bool { return s.Set().Contains(a) }
