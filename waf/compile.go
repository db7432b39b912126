package waf

import (
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/aws"
	"gatehouse/waf/crs"
	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/rule"
)

// Options are what ACLs are compiled with.
type Options struct {
	Account   string     // in the names of labels
	Region    string     // in the ACL's own name, in logs
	Sets      []*crs.Set // rule sets that were compiled for ACLs before this one
	Groups    map[string]*Group
	Countries match.Countries // nil where the gateway does not know any
	Counted   bool            // the gateway counts for rate statements
	Challenge bool            // the gateway can challenge
}

// compiler compiles one ACL.
type compiler struct {
	match.Compiler
	acl       *ACL
	older     []*crs.Set
	account   string
	challenge bool
	groups    map[string]*source
}

// source is what an ACL or a rule group is made of.
type source struct {
	name  string
	at    config.At
	rules []*rule.Rule
	sets  map[string]*rule.Set
	regex map[string][]string
	from  *aws.Import // nil for none
}

// Compile compiles an ACL. It is pure; what is wrong is added to the report, and
// what is returned then is not used.
func Compile(c *Config, o Options, report *config.Report) *ACL {
	a := &ACL{name: c.Name, budget: c.Budget.D(), passes: c.OnError == "pass"}
	a.limits = field.Limits{Body: c.inspected(), Beyond: c.Body.Beyond == "continue", Unseen: c.Body.Streams == "continue"}
	a.failure = &exchange.Rule{Filter: "waf", Name: c.Name + " inspection", At: c.Of("inspect-body")}
	k := &compiler{acl: a, older: o.Sets, account: o.Account, challenge: o.Challenge, groups: c.groups(o.Groups)}
	k.Compiler = match.Compiler{Plan: &a.plan, Report: report, Counted: o.Counted}
	s := &source{name: c.Name, at: c.At, rules: c.Rules, sets: c.Sets, regex: c.Regex, from: c.Import}
	if c.Import != nil {
		s.rules = slices.Concat(c.Import.Rules, s.rules)
	}
	k.Scope = match.Scope{Countries: o.Countries, Account: o.Account, Context: "awswaf:" + o.Account + ":webacl:" + c.Name}
	k.sets(s)
	a.rules = k.rules(s.rules, "")
	a.last = k.last(c)
	a.rates = k.Rates
	if a.countries = o.Countries; c.Log != nil && a.countries != nil {
		a.countries.Place(netip.IPv6Unspecified()) // what must be made ready is ready before a request comes
	}
	a.log, a.id = c.Log, "arn:aws:wafv2:"+o.Region+":"+o.Account+":regional/webacl/"+c.Name+"/"+c.Name
	return a
}

// inspected is how many bytes of bodies are inspected.
func (c *Config) inspected() int {
	if c.Import != nil && c.Import.Limit > 0 && !c.Body.Has("limit") {
		return c.Import.Limit
	}
	return int(c.Body.Limit)
}

// groups returns the rule groups that the ACL may name.
func (c *Config) groups(all map[string]*Group) map[string]*source {
	out := make(map[string]*source, len(all))
	for name, g := range all {
		if g != nil {
			out[name] = g.source()
		}
	}
	if c.Import != nil {
		for name, g := range c.Import.Groups {
			out[name] = &source{name: name, rules: g.Rules, from: c.Import}
		}
	}
	return out
}

// last is what becomes of a request that no rule decides about.
func (k *compiler) last(c *Config) entry {
	action := c.Default
	if c.Import != nil && c.Import.Default != nil && !c.Has("default") {
		action = *c.Import.Default
	}
	e := entry{name: "Default_Action", index: k.number("Default_Action"), action: action}
	e.rule = &exchange.Rule{Filter: "waf", Name: c.Name + " default " + action.Kind.String(), At: c.Of("default")}
	e.insert = k.inserts(&action)
	return e
}

// sets makes what rules may name.
func (k *compiler) sets(s *source) {
	k.Scope.Sets = make(map[string]match.Addresses, len(s.sets))
	k.Scope.Patterns = make(map[string][]*regexp.Regexp, len(s.regex))
	if s.from != nil {
		maps.Copy(k.Scope.Sets, s.from.Sets)
		k.patterns(s.from.Regex, s.from.Pos)
	}
	for name, set := range s.sets {
		k.Scope.Sets[name] = set
	}
	k.patterns(s.regex, s.at.Of("regex-sets"))
}

func (k *compiler) patterns(sets map[string][]string, at config.Pos) {
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		list := []*regexp.Regexp{}
		for _, text := range sets[name] {
			p, err := match.CompilePattern(text)
			if err != nil {
				k.Report.Errorf(at, "regex set %s: %v", name, err)
				continue
			}
			list = append(list, p)
		}
		k.Scope.Patterns[name] = list
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
	switch {
	case r.Group != "":
		k.group(&e, r)
		return e
	case r.CRS != nil:
		k.coreRuleSet(&e, r)
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
	if !k.challenge {
		k.Report.Errorf(r.Of("action"), "this version has no challenges yet: write block or count")
	}
	k.acl.challenges = true
}

// group compiles the rules of a group in the place of a rule.
func (k *compiler) group(e *entry, r *rule.Rule) {
	g := k.groups[r.Group]
	if g == nil {
		k.Report.Unknown(r.Of("rule-group"), "rule group", r.Group, slices.Sorted(maps.Keys(k.groups)))
		return
	}
	e.counts = e.action.Kind == rule.Count
	outer := k.Scope
	k.Scope = match.Scope{Countries: outer.Countries, Context: "awswaf:" + k.account + ":rulegroup:" + g.name}
	k.sets(g)
	list := make([]*rule.Rule, 0, len(g.rules))
	used := make(map[string]bool)
	for _, inner := range g.rules {
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
			k.Report.Unknown(r.Of("overrides"), "rule of the group "+g.name, name, ruleNames(g.rules))
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
