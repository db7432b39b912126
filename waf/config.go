package waf

import (
	"slices"

	"gatehouse/config"
	"gatehouse/waf/aws"
	"gatehouse/waf/challenge"
	"gatehouse/waf/record"
	"gatehouse/waf/rule"
)

// Config is one web ACL.
type Config struct {
	config.At
	Name    string               `key:"true"`
	Import  *aws.Import          `yaml:"import" doc:"files in AWS's JSON, of a web ACL and of what it names: its rules stand before those of rules, and its default counts where default says none"`
	Default rule.Action          `yaml:"default" default:"allow" doc:"what becomes of a request that no rule has allowed or blocked: allow, block, or {block: {status: 404}}"`
	Body    Body                 `yaml:"inspect-body" doc:"how much of bodies is inspected, where a rule inspects them"`
	Budget  config.Duration      `yaml:"budget" default:"50ms" range:"1ms..10s" doc:"processor time that the rules may take for one request"`
	OnError string               `yaml:"on-error" default:"block" enum:"block|pass" doc:"what becomes of a request whose inspection fails, or takes more than the budget; it is counted either way"`
	Sets    map[string]*rule.Set `yaml:"ip-sets" doc:"sets of addresses that rules name"`
	Regex   map[string][]string  `yaml:"regex-sets" doc:"sets of regular expressions (RE2) that rules name"`
	Log     *record.Config       `yaml:"log" doc:"where it writes what it made of requests, as AWS WAF's logs"`
	Rules   []*rule.Rule         `yaml:"rules" doc:"the rules, in this order"`
	Prove   challenge.Config     `yaml:"challenge" doc:"what browsers have to do for rules that challenge"`
}

// Group is one rule group: rules that several ACLs share.
type Group struct {
	config.At
	Name   string               `key:"true"`
	Import *aws.Import          `yaml:"import" doc:"files in AWS's JSON, of a rule group and of what it names: its rules stand before those of rules"`
	Rules  []*rule.Rule         `yaml:"rules" doc:"its rules, in this order"`
	Sets   map[string]*rule.Set `yaml:"ip-sets" doc:"sets of addresses that its rules name"`
	Regex  map[string][]string  `yaml:"regex-sets" doc:"sets of regular expressions (RE2) that its rules name"`
}

// Check implements config.Checker.
func (g *Group) Check(r *config.Report) {
	switch {
	case len(g.Rules) == 0 && g.Import == nil:
		r.Errorf(g.Pos, "this rule group has no rules")
	case g.Import != nil && len(g.Import.Groups) != 1:
		r.Errorf(g.Of("import"), "the import of a rule group has one rule group, not %d", len(g.Import.Groups))
	}
}

// source returns the group with what it imports.
func (g *Group) source() *source {
	s := &source{name: g.Name, at: g.At, rules: g.Rules, sets: g.Sets, regex: g.Regex, from: g.Import}
	if g.Import != nil {
		for _, imported := range g.Import.Groups {
			s.rules = slices.Concat(imported.Rules, s.rules)
		}
	}
	return s
}

// Challenges says what browsers have to do for rules that challenge.
func (c *Config) Challenges() challenge.Config {
	out := c.Prove
	if c.Import != nil && c.Import.Immunity > 0 && !c.Prove.Has("immunity") {
		out.Immunity = config.Duration(c.Import.Immunity)
	}
	return out
}

// Body says how much of bodies is inspected.
type Body struct {
	config.At
	Limit   config.Size `yaml:"limit" default:"64KiB" range:"1KiB..8MiB" doc:"bytes that are inspected"`
	Beyond  string      `yaml:"beyond" default:"block" enum:"block|continue" doc:"what becomes of a request whose body is longer: it is blocked, or goes on with what was not inspected"`
	Streams string      `yaml:"streams" default:"block" enum:"block|continue" doc:"what becomes of a gRPC call, whose body cannot be awaited: it is blocked, or goes on uninspected"`
}

// Reference names the ACL of an API, a stage or a route.
type Reference struct {
	config.At
	Name string // "" for none
}

// UnmarshalConfig reads an ACL's name, or off.
func (r *Reference) UnmarshalConfig(n *config.Node) {
	r.Pos = n.Pos()
	text, ok := n.Text()
	switch {
	case !ok:
		n.Errorf("wanted the name of a web ACL, or off")
	case text == "":
		n.Errorf("wanted the name of a web ACL, or off for none")
	case text != off && text != "false":
		r.Name = text
	}
}

// off is the name that no ACL has: it takes the ACL of a level above away.
const off = "off"

// ConfigSchema implements config.Schemer.
func (Reference) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string"}, {Type: "boolean", Enum: []any{false}}}}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Name == off {
		r.Errorf(c.Pos, "a web ACL cannot be called off: waf: off means none")
	}
	switch {
	case c.Default.Kind != rule.Allow && c.Default.Kind != rule.Block && c.Default.Kind != rule.Unsaid:
		r.Errorf(c.Of("default"), "the default is allow or block")
	case c.Default.Kind == rule.Allow && len(c.Rules) == 0 && c.Import == nil:
		r.Errorf(c.Pos, "this web ACL lets everything pass: write rules, or default: block")
	}
}

// PassesStreams reports whether calls whose bodies cannot be inspected go on.
func (c *Config) PassesStreams() bool { return c.Body.Streams == "continue" }

// RuleGroups returns the names of the rule groups that the rules name.
func (c *Config) RuleGroups() (out []string) {
	rules := c.Rules
	if c.Import != nil {
		rules = slices.Concat(rules, c.Import.Rules)
	}
	for _, r := range rules {
		if r != nil && r.Group != "" {
			out = append(out, r.Group)
		}
	}
	return out
}
