package waf

import (
	"slices"

	"gatehouse/waf/crs"
	"gatehouse/waf/rule"
)

// coreRuleSet compiles the Core Rule Set in the place of a rule; of the same content
// once.
func (k *compiler) coreRuleSet(e *entry, r *rule.Rule) {
	l := k.acl.limits
	set := crs.Compile(r.CRS, crs.Limits{Body: l.Body, Beyond: l.Beyond, Unseen: l.Unseen}, e.rule, slices.Concat(k.older, k.acl.sets), k.Report)
	if set == nil {
		return
	}
	k.acl.sets = append(k.acl.sets, set)
	e.engine = set
}

// Sets are the rule sets of the ACL.
func (a *ACL) Sets() []*crs.Set { return a.sets }
