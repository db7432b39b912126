package iam

import (
	"strings"

	"gatehouse/config"
	"gatehouse/iam/policy"
)

// Trust says who may assume a role: by short names, or by a trust policy.
type Trust struct {
	policy.Source
	names []config.Name
}

var (
	_ config.Unmarshaler = (*Trust)(nil)
	_ config.Schemer     = Trust{}
)

// trusted are the kinds of short names.
var trusted = []string{"user", "role", "account", "function", "api"}

// UnmarshalConfig reads short names, a document, or the path of a file.
func (t *Trust) UnmarshalConfig(n *config.Node) {
	t.At = n.Pos()
	if n.Kind() != config.List {
		if name, ok := short(n); ok {
			t.names = []config.Name{name}
			return
		}
		t.Read(n, policy.Trust)
		return
	}
	n.Each(func(_ string, _ config.Pos, item *config.Node) {
		name, ok := short(item)
		if !ok {
			item.Errorf("wanted who may assume the role, such as user:ci")
			return
		}
		t.names = append(t.names, name)
	})
	if len(t.names) == 0 {
		n.Errorf("the role trusts nobody: name who may assume it, such as user:ci")
	}
}

// short reads KIND:NAME. Within brackets the YAML library takes it for a map of
// one key, which it means as well.
func short(n *config.Node) (name config.Name, ok bool) {
	name.At = n.Pos()
	if n.Kind() == config.Scalar {
		name.Value, _ = n.Template()
		return name, isShort(name.Value)
	}
	entries := 0
	n.Each(func(key string, at config.Pos, value *config.Node) {
		entries++
		text, _ := value.Template()
		name, ok = config.Name{Value: key + ":" + text, At: at}, value.Kind() == config.Scalar && isShort(key+":"+text)
	})
	return name, ok && entries == 1 && n.Kind() == config.Map
}

// isShort reports KIND:NAME of a kind that there is.
func isShort(text string) bool {
	kind, _, ok := strings.Cut(text, ":")
	return ok && config.Nearest(kind, trusted) != "" && !strings.ContainsAny(kind, "./\\")
}

// ConfigSchema implements config.Schemer.
func (Trust) ConfigSchema() *config.Schema {
	name := &config.Schema{Type: "string", Examples: []any{"user:ci", "function:quote", "api:shop"}}
	return &config.Schema{AnyOf: []*config.Schema{name, {Type: "array", Items: name}, policy.Source{}.ConfigSchema()}}
}

// check reports names that nobody has. Which APIs and functions there are is
// for others to know.
func (t *Trust) check(r *config.Report, c *Config) {
	for _, n := range t.names {
		kind, name, ok := strings.Cut(n.Value, ":")
		switch {
		case !ok || name == "":
			r.Errorf(n.At, "%q is no KIND:NAME such as user:ci", n.Value)
		case kind == "user" && c.Users[name] == nil:
			r.Unknown(n.At, "user", name, sorted(c.Users))
		case kind == "role" && c.Roles[name] == nil:
			r.Unknown(n.At, "role", name, sorted(c.Roles))
		case kind == "account" && (len(name) != 12 || strings.Trim(name, "0123456789") != ""):
			r.Errorf(n.At, "an account has 12 digits")
		case config.Nearest(kind, trusted) != kind:
			r.Unknown(n.At, "kind of principal", kind, trusted)
		}
	}
}

// document returns the trust policy of a role.
func (t *Trust) document(ids []string, account, region string) *policy.Document {
	if len(t.names) == 0 {
		return t.Document
	}
	doc := &policy.Document{At: t.At, Version: policy.Version2012}
	for _, n := range t.names {
		e := policy.Element{At: n.At, Actions: []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}}
		kind, name, _ := strings.Cut(n.Value, ":")
		switch kind {
		case "user", "role":
			e.Principals = &policy.Principals{AWS: []string{"arn:aws:iam::" + account + ":" + kind + "/" + name}}
		case "account":
			e.Principals = &policy.Principals{AWS: []string{name}}
		case "function":
			arn := "arn:aws:lambda:" + region + ":" + account + ":function:" + name
			e.Principals, e.Conditions = service("lambda", n.At, arn, arn+":*")
		case "api":
			e.Principals, e.Conditions = service("apigateway", n.At, "arn:aws:execute-api:"+region+":"+account+":"+name+"/*")
		}
		if len(ids) > 0 && len(e.Principals.Services) == 0 {
			e.Conditions = append(e.Conditions, policy.Condition{At: n.At, Operator: "StringEquals", Key: "sts:ExternalId", Values: ids})
		}
		doc.Statements = append(doc.Statements, e)
	}
	return doc
}

// service is a service of AWS's that calls on behalf of something.
func service(name string, at config.Pos, on ...string) (*policy.Principals, []policy.Condition) {
	return &policy.Principals{Services: []string{name + ".amazonaws.com"}}, []policy.Condition{{At: at, Operator: "ArnLike", Key: "aws:SourceArn", Values: on}}
}
