package aws

import (
	"encoding/base64"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/waf/match"
	"gatehouse/waf/rule"
)

// Import is what AWS's files say, in one place of the configuration.
type Import struct {
	config.At
	Rules    []*rule.Rule  // of the one web ACL or rule group that the place is about
	Default  *rule.Action  // nil for none
	Limit    int           // of bodies that are inspected; 0 where nothing says it
	Immunity time.Duration // of challenges that were solved; 0 where the file does not say
	Sets     map[string]match.Addresses
	Regex    map[string][]string
	Groups   map[string]*rule.Group
}

// section is the long form.
type section struct {
	config.At
	Files   []file   `yaml:"files,required" single:"true" doc:"files in AWS's JSON: a web ACL or a rule group, and the IP sets, regex pattern sets and rule groups that it names"`
	Without []string `yaml:"without" single:"true" doc:"rules of the web ACL that are left out, by name: those with managed rule groups, for which core-rule-set stands in rules"`
	Search  string   `yaml:"search-strings" default:"base64" enum:"base64|text" doc:"how SearchString is written: base64, as the aws command prints it, or text, as the console's editor does"`
}

// file is one document.
type file struct {
	doc *config.Document
	at  config.Pos
}

// UnmarshalConfig reads the document.
func (f *file) UnmarshalConfig(n *config.Node) {
	f.at = n.Pos()
	f.doc, _ = n.Document()
}

// ConfigSchema implements config.Schemer.
func (file) ConfigSchema() *config.Schema { return &config.Schema{Type: "string"} }

// UnmarshalConfig reads a file, a list of files, or a section.
func (m *Import) UnmarshalConfig(n *config.Node) {
	s := section{Search: "base64"}
	switch n.Kind() {
	case config.Map:
		n.Decode(&s)
	case config.List:
		n.Decode(&s.Files)
	default:
		s.Files = make([]file, 1)
		n.Decode(&s.Files[0])
	}
	r := reader{Import: m, section: &s}
	m.Sets, m.Regex, m.Groups = make(map[string]match.Addresses), make(map[string][]string), make(map[string]*rule.Group)
	var docs []*document
	for _, f := range s.Files {
		if f.doc == nil {
			continue
		}
		d := &document{}
		d.partial = !f.doc.Decode(unwrapped(f.doc.Root), filepath.Base(f.doc.Name), d)
		docs = append(docs, d)
		r.docs = append(r.docs, f.doc)
	}
	for i, d := range docs {
		r.doc, r.partial = r.docs[i], d.partial
		r.take(d)
	}
	for _, name := range s.Without {
		if !r.without[name] {
			n.Unknown("rule to leave out", name, r.names)
		}
	}
}

// ConfigSchema implements config.Schemer.
func (Import) ConfigSchema() *config.Schema {
	file := &config.Schema{Type: "string"}
	return &config.Schema{AnyOf: []*config.Schema{file, {Type: "array", Items: file}, config.SchemaOf(section{})}}
}

// unwrapped puts what was saved without the command's envelope into one.
func unwrapped(v *config.Value) *config.Value {
	has := func(name string) bool {
		return slices.ContainsFunc(v.Entries, func(e config.Entry) bool { return e.Key == name })
	}
	kind := ""
	switch {
	case has("DefaultAction"):
		kind = "WebACL"
	case has("Addresses"):
		kind = "IPSet"
	case has("RegularExpressionList"):
		kind = "RegexPatternSet"
	case has("Rules"):
		kind = "RuleGroup"
	default:
		return v
	}
	out := *v
	out.Entries = []config.Entry{{Key: kind, Pos: v.Pos, Value: v}}
	return &out
}

// reader turns documents into what the configuration has.
type reader struct {
	*Import
	section *section
	docs    []*config.Document
	doc     *config.Document
	bodies  map[string]body
	without map[string]bool
	names   []string
	main    bool // what the place is about was read
	partial bool // what the document says was not read whole: what is missing may stand there
}

func (r *reader) take(d *document) {
	switch {
	case d.WebACL != nil:
		r.acl(d.WebACL)
	case d.RuleGroup != nil:
		g := d.RuleGroup
		r.bodies = g.Bodies
		out := &rule.Group{Name: g.Name, Rules: r.rules(g.Rules, nil)}
		r.Groups[g.Name] = out
	case d.IPSet != nil:
		var list []netip.Prefix
		for _, p := range d.IPSet.Addresses {
			list = append(list, p.Prefix)
		}
		r.Sets[d.IPSet.Name] = match.NewSet(list)
	case d.RegexPatternSet != nil:
		list := []string{}
		for _, p := range d.RegexPatternSet.Regex {
			list = append(list, p.String)
		}
		r.Regex[d.RegexPatternSet.Name] = list
	case !r.partial:
		r.doc.Errorf(d.Pos, "this is no web ACL, rule group, IP set or regex pattern set as the aws command prints it")
	}
}

func (r *reader) acl(a *webACL) {
	if r.main {
		r.doc.Errorf(a.Pos, "one import has one web ACL: give this one a name of its own under waf")
		return
	}
	r.main = true
	r.bodies = a.Bodies
	if len(a.Before)+len(a.Behind) > 0 {
		r.doc.Hint(a.Pos, "write their rules into rules", "rule groups that AWS Firewall Manager adds cannot be imported")
	}
	if act := r.action(a.DefaultAction); act != nil {
		r.Default = act
	}
	if a.Association != nil {
		r.Limit = inspected(a.Association)
	}
	if a.Challenge != nil {
		r.Immunity = time.Duration(a.Challenge.Immunity.Seconds) * time.Second
	}
	leave := make(map[string]bool)
	for _, name := range r.section.Without {
		leave[name] = true
	}
	r.Rules = r.rules(a.Rules, leave)
}

// inspected is how much of bodies is inspected: most of what the file says for any
// kind of resource.
func inspected(a *association) (limit int) {
	for _, b := range a.Body {
		switch b.Limit {
		case "KB_8":
			limit = max(limit, 8<<10)
		case "KB_16":
			limit = max(limit, 16<<10)
		case "KB_32":
			limit = max(limit, 32<<10)
		case "KB_48":
			limit = max(limit, 48<<10)
		case "KB_64":
			limit = max(limit, 64<<10)
		}
	}
	return limit
}

// rules are those of a list, by priority.
func (r *reader) rules(list []ruleModel, leave map[string]bool) []*rule.Rule {
	slices.SortStableFunc(list, func(a, b ruleModel) int { return a.Priority - b.Priority })
	var out []*rule.Rule
	for i := range list {
		m := &list[i]
		r.names = append(r.names, m.Name)
		if leave[m.Name] {
			if r.without == nil {
				r.without = make(map[string]bool)
			}
			r.without[m.Name] = true
			continue
		}
		if m.Statement != nil {
			out = append(out, r.rule(m))
		}
	}
	return out
}

func (r *reader) rule(m *ruleModel) *rule.Rule {
	out := &rule.Rule{At: config.At{Pos: m.Pos}, Name: m.Name}
	for _, l := range m.Labels {
		if wrong := match.CheckLabel(l.Name); wrong != "" {
			r.doc.Errorf(l.Pos, "%s", wrong)
		}
		out.Labels = append(out.Labels, l.Name)
	}
	if m.Action != nil {
		out.Action = r.action(m.Action)
	}
	if m.Challenge != nil {
		r.doc.Hint(m.Of("ChallengeConfig"), "write challenge: {immunity: ...} beside import", "no rule has an immunity time of its own here")
	}
	if m.Override != nil && m.Override.Count != nil {
		out.Action = &rule.Action{Kind: rule.Count}
	}
	if g := m.Statement.Group; g != nil {
		r.group(out, g)
		return out
	}
	if out.Action == nil {
		if m.Statement.Managed == nil && !r.partial {
			r.doc.Errorf(m.Pos, "the rule has no Action")
		}
		out.Action = &rule.Action{Kind: rule.Count}
	}
	out.When = r.statement(m.Statement)
	return out
}

func (r *reader) group(out *rule.Rule, g *groupMatch) {
	out.Group = nameOf(g.ARN)
	out.Overrides = make(map[string]*rule.Action)
	for _, e := range g.Excluded {
		out.Overrides[e.Name] = &rule.Action{Kind: rule.Count}
	}
	for _, o := range g.Overrides {
		if act := r.action(o.Action); act != nil {
			out.Overrides[o.Name] = act
		}
	}
}

// nameOf returns the name in an ARN of AWS WAF:
// arn:aws:wafv2:REGION:ACCOUNT:regional/ipset/NAME/ID.
func nameOf(arn string) string {
	parts := strings.Split(arn, "/")
	if len(parts) < 4 {
		return arn
	}
	return parts[len(parts)-2]
}

// action returns nil for none that there is here.
func (r *reader) action(a *action) *rule.Action {
	out := &rule.Action{}
	switch {
	case a == nil:
		return nil
	case a.Allow != nil:
		out.Kind = rule.Allow
		r.insert(out, a.Allow)
	case a.Count != nil:
		out.Kind = rule.Count
		r.insert(out, a.Count)
	case a.Challenge != nil:
		out.Kind = rule.Challenge
		r.insert(out, a.Challenge)
	case a.Captcha != nil:
		r.doc.Hint(a.Of("Captcha"), "write Challenge, which asks browsers rather than people", "there is no Captcha")
		return nil
	case a.Block != nil:
		out.Kind = rule.Block
		r.answer(out, a.Block)
	default:
		if !r.partial {
			r.doc.Errorf(a.Pos, "wanted one of Allow, Block, Count and Challenge")
		}
		return nil
	}
	if wrong := out.Wrong(); wrong != "" {
		r.doc.Errorf(a.Pos, "%s", wrong)
	}
	return out
}

func (r *reader) insert(out *rule.Action, h *handling) {
	if h.Request == nil {
		return
	}
	out.Insert = make(map[string]string, len(h.Request.Insert))
	for _, p := range h.Request.Insert {
		out.Insert[p.Name] = p.Value
	}
}

func (r *reader) answer(out *rule.Action, h *handling) {
	c := h.Response
	if c == nil {
		return
	}
	out.Status = c.Code
	out.Headers = make(map[string]string, len(c.Headers))
	for _, p := range c.Headers {
		out.Headers[p.Name] = p.Value
	}
	if c.BodyKey == "" {
		return
	}
	b, ok := r.bodies[c.BodyKey]
	if !ok {
		r.doc.Unknown(c.Of("CustomResponseBodyKey"), "custom response body", c.BodyKey, keysOf(r.bodies))
		return
	}
	out.Body = b.Content
	switch b.Type {
	case "TEXT_HTML":
		out.Type = "text/html; charset=utf-8"
	case "APPLICATION_JSON":
		out.Type = "application/json"
	default:
		out.Type = "text/plain; charset=utf-8"
	}
}

func keysOf[V any](m map[string]V) (out []string) {
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// search returns what a ByteMatch looks for.
func (r *reader) search(m *byteMatch) string {
	text, key := m.Search, "SearchString"
	if m.Base64 != "" {
		text, key = m.Base64, "SearchStringBase64"
	} else if r.section.Search == "text" {
		return text
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.doc.Hint(m.Of(key), "where the file has it as text, write import: {files: FILE, search-strings: text}", "the search string is not base64, as the aws command prints it")
	}
	return string(decoded)
}

// prefix is an address or a prefix. AWS takes host bits beyond its length.
type prefix struct{ netip.Prefix }

// UnmarshalText reads it.
func (p *prefix) UnmarshalText(text []byte) error {
	if parsed, err := netip.ParsePrefix(string(text)); err == nil && !parsed.Addr().Is4In6() {
		p.Prefix = parsed.Masked()
		return nil
	}
	var own config.Prefix
	err := own.UnmarshalText(text)
	p.Prefix = own.Prefix
	return err
}
