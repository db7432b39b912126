package waf

import (
	"maps"
	"net/http"
	"regexp"
	"slices"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/rule"
)

// Options are what ACLs are compiled with.
type Options struct {
	Account   string // in the names of labels
	Groups    map[string]*rule.Group
	Countries match.Countries // nil where the gateway does not know any
	Counted   bool            // the gateway counts for rate statements
	Challenge bool            // the gateway can challenge
}

// compiler compiles one ACL.
type compiler struct {
	match.Compiler
	acl     *ACL
	options *Options
}

// Compile compiles an ACL. It is pure; what is wrong is added to the report, and
// what is returned then is not used.
func Compile(c *Config, o Options, report *config.Report) *ACL {
	a := &ACL{name: c.Name, budget: c.Budget.D(), passes: c.OnError == "pass"}
	a.limits = field.Limits{Body: int(c.Body.Limit), Beyond: c.Body.Beyond == "continue", Unseen: c.Body.Streams == "continue"}
	a.failure = &exchange.Rule{Filter: "waf", Name: c.Name + " inspection", At: c.Of("inspect-body")}
	k := &compiler{acl: a, options: &o}
	k.Compiler = match.Compiler{Plan: &a.plan, Report: report, Counted: o.Counted}
	k.Scope = match.Scope{Countries: o.Countries, Context: "awswaf:" + o.Account + ":webacl:" + c.Name}
	k.sets(c.Sets, c.Regex, c.At)
	a.rules = k.rules(c.Rules, "")
	a.last = entry{name: "Default_Action", index: k.number("Default_Action"), action: c.Default}
	a.last.rule = &exchange.Rule{Filter: "waf", Name: c.Name + " default " + c.Default.Kind.String(), At: c.Of("default")}
	a.last.insert = k.inserts(&c.Default)
	a.rates = k.Rates
	return a
}

// sets makes what rules may name.
func (k *compiler) sets(sets map[string]*rule.Set, regex map[string][]string, at config.At) {
	k.Scope.Sets = make(map[string]match.Addresses, len(sets))
	for name, s := range sets {
		k.Scope.Sets[name] = s
	}
	k.Scope.Patterns = make(map[string][]*regexp.Regexp, len(regex))
	for _, name := range slices.Sorted(maps.Keys(regex)) {
		k.Scope.Patterns[name] = []*regexp.Regexp{}
		for _, text := range regex[name] {
			p, err := match.CompilePattern(text)
			if err != nil {
				k.Report.Errorf(at.Of("regex-sets"), "regex set %s: %v", name, err)
				continue
			}
			k.Scope.Patterns[name] = append(k.Scope.Patterns[name], p)
		}
	}
}

// rules compiles the rules of the ACL, or of one of its groups: then prefix is the
// name of the rule that stands for it, and "/".
func (k *compiler) rules(list []*rule.Rule, prefix string) []entry {
	out := make([]entry, 0, len(list))
	seen := make(map[string]bool)
	for _, r := range list {
		if r == nil || r.Broken("name") {
			continue
		}
		if seen[r.Name] {
			k.Report.Errorf(r.Of("name"), "two rules have the name %s: give one of them another", r.Name)
		}
		seen[r.Name] = true
		out = append(out, k.entry(r, prefix))
	}
	return out
}

func (k *compiler) entry(r *rule.Rule, prefix string) entry {
	name := prefix + r.Name
	e := entry{name: name, index: k.number(name)}
	e.rule = &exchange.Rule{Filter: "waf", Name: k.acl.name + " " + name, At: r.Pos}
	if r.Action != nil {
		e.action = *r.Action
	}
	for _, l := range r.Labels {
		e.labels = append(e.labels, k.Scope.Context+":"+l)
	}
	e.insert = k.inserts(&e.action)
	if r.Group != "" {
		k.group(&e, r)
		return e
	}
	if e.action.Kind == rule.Challenge {
		k.challenges(r)
	}
	k.Scope.Owner = k.acl.name + "/" + name
	e.match = k.Compile(r.When)
	return e
}

// challenges notes that a rule challenges.
func (k *compiler) challenges(r *rule.Rule) {
	if !k.options.Challenge {
		k.Report.Errorf(r.Of("action"), "this version has no challenges yet: write block or count")
	}
	k.acl.challenges = true
}

// group compiles the rules of a group in the place of a rule.
func (k *compiler) group(e *entry, r *rule.Rule) {
	g := k.options.Groups[r.Group]
	if g == nil {
		k.Report.Unknown(r.Of("rule-group"), "rule group", r.Group, slices.Sorted(maps.Keys(k.options.Groups)))
		return
	}
	e.counts = e.action.Kind == rule.Count
	outer := k.Scope
	k.Scope = match.Scope{Countries: outer.Countries, Context: "awswaf:" + k.options.Account + ":rulegroup:" + g.Name}
	k.sets(g.Sets, g.Regex, g.At)
	list := make([]*rule.Rule, 0, len(g.Rules))
	used := make(map[string]bool)
	for _, inner := range g.Rules {
		if inner == nil {
			continue
		}
		if inner.Group != "" {
			k.Report.Errorf(inner.Of("rule-group"), "a rule group has no rule groups within")
			continue
		}
		if other := r.Overrides[inner.Name]; other != nil {
			changed := *inner
			changed.Action = other
			inner = &changed
			used[inner.Name] = true
		}
		list = append(list, inner)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Overrides)) {
		if !used[name] {
			k.Report.Unknown(r.Of("overrides"), "rule of the group "+g.Name, name, ruleNames(g.Rules))
		}
	}
	e.group = k.rules(list, e.name+"/")
	k.Scope = outer
}

func ruleNames(rules []*rule.Rule) (out []string) {
	for _, r := range rules {
		if r != nil {
			out = append(out, r.Name)
		}
	}
	return out
}

// number gives a rule its place among the counters.
func (k *compiler) number(name string) int {
	k.acl.names = append(k.acl.names, name)
	return len(k.acl.names) - 1
}

// markPrefix stands before the names of the headers by which a service learns
// what matched.
const markPrefix = "X-Amzn-Waf-"

func (k *compiler) inserts(a *rule.Action) (out []header) {
	for _, name := range slices.Sorted(maps.Keys(a.Insert)) {
		out = append(out, header{http.CanonicalHeaderKey(markPrefix + name), a.Insert[name]})
		k.acl.marks = true
	}
	return out
}
