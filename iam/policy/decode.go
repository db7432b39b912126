package policy

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/config"
)

// decoder turns values into a Document and reports what is wrong.
type decoder struct {
	use    Use
	report *config.Report
}

// maxStatements is how many statements a document may have.
const maxStatements = 500

// decode returns what could be read of a document.
func decode(root *value, use Use, r *config.Report) *Document {
	d := &decoder{use, r}
	doc := &Document{At: root.at, Version: Version2008}
	if root.kind != config.Map {
		r.Errorf(root.at, "a policy document is an object with Version and Statement")
		return doc
	}
	if n := root.size(); n > use.limit() {
		r.Errorf(root.at, "the document has %d characters, white space apart; %s has at most %d: split it into several", n, use, use.limit())
	}
	d.known(root, "element of a policy", "Version", "Id", "Statement")
	if v := root.find("Version"); v != nil {
		d.version(doc, v)
	}
	if v := root.find("Id"); v != nil {
		doc.ID = d.text(v, "Id")
	}
	statements := root.find("Statement")
	if statements == nil {
		r.Errorf(root.at, "the document has no Statement")
		return doc
	}
	d.statements(doc, statements)
	return doc
}

func (d *decoder) version(doc *Document, v *value) {
	doc.Version = d.text(v, "Version")
	if doc.Version != Version2012 && doc.Version != Version2008 {
		d.report.Errorf(v.at, "%q is no version of the policy language: write %s", doc.Version, Version2012)
	}
}

// statements reads the one statement or the list of them.
func (d *decoder) statements(doc *Document, v *value) {
	list := []*value{v}
	if v.kind == config.List {
		list = v.items
	}
	if len(list) == 0 || len(list) > maxStatements {
		d.report.Errorf(v.at, "a document has 1 to %d statements", maxStatements)
		return
	}
	sids := make(map[string]bool)
	for _, item := range list {
		if item.kind != config.Map {
			d.report.Errorf(item.at, "a statement is an object with Effect, Action and Resource")
			continue
		}
		s := d.statement(item, doc.Version)
		if s.Sid != "" && sids[s.Sid] {
			d.report.Errorf(item.find("Sid").at, "another statement has the Sid %q: each names one", s.Sid)
		}
		sids[s.Sid] = true
		doc.Statements = append(doc.Statements, s)
	}
}

func (d *decoder) statement(v *value, version string) Element {
	d.known(v, "element of a statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	s := Element{At: v.at}
	if sid := v.find("Sid"); sid != nil {
		s.Sid = d.text(sid, "Sid")
		d.checkSid(sid.at, s.Sid)
	}
	d.effect(&s, v)
	c := checker{version: version, report: d.report}
	s.Principals, s.NotPrincipals = d.principals(v, "Principal"), d.principals(v, "NotPrincipal")
	d.checkPrincipals(&s, v)
	s.Actions, s.NotActions = d.texts(v, "Action", c.action), d.texts(v, "NotAction", c.action)
	d.one(v, "Action", true)
	s.Resources, s.NotResources = d.texts(v, "Resource", d.resource(&c)), d.texts(v, "NotResource", d.resource(&c))
	d.one(v, "Resource", d.use != Trust)
	if d.use == Trust && v.find("Resource") != nil {
		d.report.Errorf(v.find("Resource").at, "a trust policy has no Resource: it is about the role that it belongs to")
	}
	if conditions := v.find("Condition"); conditions != nil {
		s.Conditions = d.conditions(conditions, &c)
	}
	return s
}

func (d *decoder) checkSid(at config.Pos, sid string) {
	const longest = 128
	for i := range len(sid) {
		if c := sid[i]; c < ' ' || c >= 0x7f || d.use != Resource && !isAlnum(c) {
			d.report.Errorf(at, "the Sid %q holds more than letters and digits", sid)
			return
		}
	}
	if len(sid) > longest {
		d.report.Errorf(at, "a Sid has at most %d characters", longest)
	}
}

func (d *decoder) effect(s *Element, v *value) {
	effect := v.find("Effect")
	if effect == nil {
		d.report.Errorf(v.at, "the statement has no Effect: Allow or Deny")
		return
	}
	switch text := d.text(effect, "Effect"); text {
	case "Allow":
	case "Deny":
		s.Deny = true
	default:
		d.report.Unknown(effect.at, "Effect", text, []string{"Allow", "Deny"})
	}
}

// one holds that of an element and its opposite at most one is there, and one
// is where it must be.
func (d *decoder) one(v *value, name string, required bool) {
	plain, not := v.find(name), v.find("Not"+name)
	switch {
	case plain != nil && not != nil:
		d.report.Errorf(not.at, "%s and Not%s exclude each other", name, name)
	case plain == nil && not == nil && required:
		d.report.Errorf(v.at, "the statement has no %s", name)
	}
}

// checkPrincipals holds who must and who must not name principals.
func (d *decoder) checkPrincipals(s *Element, v *value) {
	d.one(v, "Principal", d.use != Identity)
	named := v.find("Principal")
	if named == nil {
		named = v.find("NotPrincipal")
	}
	switch {
	case named == nil:
	case d.use == Identity:
		d.report.Errorf(named.at, "%s names no Principal: it is about whom it belongs to", d.use)
	case v.find("NotPrincipal") != nil && d.use == Trust:
		d.report.Errorf(named.at, "%s has no NotPrincipal: name those whom it trusts under Principal", d.use)
	case v.find("NotPrincipal") != nil && !s.Deny:
		d.report.Errorf(named.at, "NotPrincipal with Allow would allow all others, known or not: name those who may under Principal")
	case s.NotPrincipals != nil && s.NotPrincipals.Any:
		d.report.Errorf(named.at, `NotPrincipal "*" leaves nobody whom the statement denies anything: name those whom it spares`)
	}
}

func (d *decoder) principals(v *value, name string) *Principals {
	p := v.find(name)
	if p == nil {
		return nil
	}
	out := &Principals{}
	if p.kind == config.Scalar {
		if out.Any = p.text == "*"; !out.Any {
			d.report.Errorf(p.at, `%s is "*" or an object such as {"AWS": "arn:aws:iam::123456789012:user/ci"}`, name)
		}
		return out
	}
	d.known(p, "kind of principal", "AWS", "Service", "Federated", "CanonicalUser")
	c := checker{report: d.report}
	for _, who := range d.texts(p, "AWS", c.principal) {
		if who == "*" {
			out.Any = true
			continue
		}
		out.AWS = append(out.AWS, who)
	}
	out.Services = d.texts(p, "Service", c.service)
	out.Others = append(d.texts(p, "Federated", nil), d.texts(p, "CanonicalUser", nil)...)
	if p.kind != config.Map || len(p.entries) == 0 {
		d.report.Errorf(p.at, "%s names nobody", name)
	}
	return out
}

func (d *decoder) resource(c *checker) func(config.Pos, string) {
	if d.use == Resource {
		return c.resourceOfAPI
	}
	return c.resource
}

// conditions reads {operator: {key: values}}.
func (d *decoder) conditions(v *value, c *checker) (out []Condition) {
	if v.kind != config.Map {
		d.report.Errorf(v.at, `Condition is an object such as {"StringEquals": {"aws:username": "ci"}}`)
		return nil
	}
	for _, operator := range v.entries {
		if operator.value.kind != config.Map {
			d.report.Errorf(operator.value.at, `%s holds an object such as {"aws:username": "ci"}`, operator.key)
			continue
		}
		op, ok := parseOperator(operator.key)
		if !ok {
			d.report.Unknown(operator.at, "condition operator", operator.key, operatorNames(operator.key))
			continue
		}
		for _, key := range operator.value.entries {
			condition := Condition{At: key.at, Operator: operator.key, Key: key.key}
			condition.Values = d.list(key.value, key.key, func(at config.Pos, text string) { c.conditionValue(at, op, text) })
			c.conditionKey(key.at, key.key)
			out = append(out, condition)
		}
	}
	return out
}

// texts reads the text or the list of texts under a key; nil where it is
// absent.
func (d *decoder) texts(v *value, key string, check func(config.Pos, string)) []string {
	list := v.find(key)
	if list == nil {
		return nil
	}
	return d.list(list, key, check)
}

func (d *decoder) list(v *value, name string, check func(config.Pos, string)) []string {
	items := []*value{v}
	if v.kind == config.List {
		items = v.items
	}
	if len(items) == 0 {
		d.report.Errorf(v.at, "%s has no value", name)
	}
	var out []string
	for _, item := range items {
		if joined, ok := item.joined(); ok {
			item = joined
		}
		text := d.text(item, name)
		if check != nil && item.kind == config.Scalar {
			check(item.at, text)
		}
		out = append(out, text)
	}
	return out
}

func (d *decoder) text(v *value, name string) string {
	if v.kind != config.Scalar {
		d.report.Errorf(v.at, "%s: wanted a text, got %s", name, v.kind)
	}
	return v.text
}

// known reports entries that are none of names, and in YAML those said twice
// have been reported before.
func (d *decoder) known(v *value, what string, names ...string) {
	for _, e := range v.entries {
		if !slices.Contains(names, e.key) {
			d.report.Unknown(e.at, what, e.key, names)
		}
	}
}

func (v *value) find(key string) *value {
	for i := range v.entries {
		if v.entries[i].key == key {
			return v.entries[i].value
		}
	}
	return nil
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// quoteShort quotes a text for a message.
func quoteShort(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}
