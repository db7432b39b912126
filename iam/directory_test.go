package iam

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/iam/policy"

	"gatehouse/secrets"
)

type document struct {
	config.At
	IAM *Config `yaml:"iam"`
}

func load(text string) (*Config, error) {
	var d document
	_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
	return d.IAM, err
}

const section = `
iam:
  boundaries: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}
  groups:
    devs: {policies: {Id: devs, Statement: {Effect: Allow, Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:*:*:shop/*"}}}
  users:
    ci:
      groups: devs
      policies: [{Statement: {Effect: Deny, Action: "*", Resource: "arn:aws:execute-api:*:*:shop/prod/DELETE/*"}}]
      tags: {Team: blue}
      access-keys: {id: AKIAIOSFODNN7EXAMPLE, secret: 0123456789012345678901234567890123456789}
    ann: {}
  roles:
    deploy: {trust: [user:ci, role:quote], external-id: x-1, max-session: 2h, tags: {Team: red, cost: "7"}, policies: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}}
    quote: {trust: [function:quote, api:shop]}
    open: {trust: account:123456789012}
    written: {trust: {Version: 2012-10-17, Statement: {Effect: Allow, Action: sts:AssumeRole, Principal: {AWS: "arn:aws:iam::123456789012:user/ann"}}}}
`

func compile(t *testing.T) *Directory {
	t.Helper()
	c, err := load(section)
	if err != nil {
		t.Fatal(err)
	}
	return Compile(c, "123456789012", "local", nil)
}

func TestDirectory(t *testing.T) {
	d := compile(t)
	key, ok := d.Key("AKIAIOSFODNN7EXAMPLE")
	ci := d.User("ci")
	if !ok || key.Caller != ci || !strings.HasPrefix(key.Secret, "0123") {
		t.Fatalf("%+v", key)
	}
	if ci.Name != "arn:aws:iam::123456789012:user/ci" || ci.Known.ID != "iam:123456789012|user/ci" || ci.Known.Rights.ARN() != ci.Name || ci.Known.Claims["tag/Team"] != "blue" || !strings.HasPrefix(ci.UserID, "AIDA") || len(ci.UserID) != 21 {
		t.Errorf("%+v %+v", ci.Principal, ci.Known)
	}
	for resource, want := range map[string]bool{"shop/prod/GET/x": true, "shop/prod/DELETE/x": false, "bank/prod/GET/x": false} {
		r := &policy.Request{Principal: ci.Principal, Action: policy.NewAction(Invoke), Resource: "arn:aws:execute-api:local:123456789012:" + resource, Account: "123456789012"}
		if got := policy.Evaluate(r, policy.Policies{Organisation: d.Organisation}); got.Allowed != want {
			t.Errorf("%s: %+v", resource, got)
		}
		r.Principal = ci.Known.Rights.(*policy.Principal)
		if got := policy.Evaluate(r, policy.Policies{Organisation: d.Organisation}); got.Allowed != want {
			t.Errorf("%s, of calls alone: %+v", resource, got)
		}
	}
	if _, ok := d.Key("AKIANOBODY0000000000"); ok || d.User("nobody") != nil || d.Role("nobody") != nil {
		t.Error("somebody is there who is not")
	}
	if empty := Compile(nil, "123456789012", "local", nil); empty.User("ci") != nil {
		t.Error("a user of nobody's")
	}
}

type keyStore map[string][2]string

func (s keyStore) AccessKey(id string) (string, string, bool) {
	k, ok := s[id]
	return k[0], k[1], ok
}

// Keys of a store stand beside those of the configuration, for users that are
// there.
func TestStore(t *testing.T) {
	c, err := load(section)
	if err != nil {
		t.Fatal(err)
	}
	d := Compile(c, "123456789012", "local", keyStore{"AKIASTORED0000000000": {"s", "ann"}, "AKIALOST000000000000": {"s", "gone"}, "AKIAIOSFODNN7EXAMPLE": {"other", "ann"}})
	if k, ok := d.Key("AKIASTORED0000000000"); !ok || k.Caller.UserName != "ann" || k.Secret != "s" {
		t.Errorf("%+v", k)
	}
	if _, ok := d.Key("AKIALOST000000000000"); ok {
		t.Error("the key of a user who is not there")
	}
	if k, _ := d.Key("AKIAIOSFODNN7EXAMPLE"); k.Caller.UserName != "ci" {
		t.Error("the store goes before the configuration")
	}
}

// Who may assume which role, by short names.
func TestShortTrust(t *testing.T) {
	d := compile(t)
	quote := d.Role("quote").Principal(d, "run")
	other := d.Role("open").Principal(d, "run")
	for _, tc := range []struct {
		role   string
		who    *policy.Principal
		id     string
		from   string // a service, on behalf of an ARN
		source string
		want   bool
	}{
		{"deploy", d.User("ci").Principal, "x-1", "", "", true},
		{"deploy", d.User("ci").Principal, "x-2", "", "", false},
		{"deploy", d.User("ci").Principal, "", "", "", false},
		{"deploy", d.User("ann").Principal, "x-1", "", "", false},
		{"deploy", quote, "x-1", "", "", true},
		{"deploy", other, "x-1", "", "", false},
		{"quote", d.User("ci").Principal, "", "", "", false},
		{"quote", nil, "", "lambda.amazonaws.com", "arn:aws:lambda:local:123456789012:function:quote", true},
		{"quote", nil, "", "lambda.amazonaws.com", "arn:aws:lambda:local:123456789012:function:quote:live", true},
		{"quote", nil, "", "lambda.amazonaws.com", "arn:aws:lambda:local:123456789012:function:quotes", false},
		{"quote", nil, "", "lambda.amazonaws.com", "", false},
		{"quote", nil, "", "apigateway.amazonaws.com", "arn:aws:execute-api:local:123456789012:shop/prod/GET/x", true},
		{"quote", nil, "", "apigateway.amazonaws.com", "arn:aws:execute-api:local:123456789012:bank/prod/GET/x", false},
		{"open", d.User("ann").Principal, "", "", "", false}, // the account's policies decide, and ann has none
		{"open", d.Role("deploy").Principal(d, "x"), "", "", "", true},
		{"written", d.User("ann").Principal, "", "", "", true},
		{"written", d.User("ci").Principal, "", "", "", false},
	} {
		role := d.Role(tc.role)
		r := &policy.Request{Principal: tc.who, Service: tc.from, SourceARN: tc.source, Action: policy.NewAction("sts:AssumeRole"), Resource: role.ARN, Account: "123456789012", ExternalID: tc.id}
		if got := policy.EvaluateTrust(r, policy.Policies{Organisation: d.Organisation, Resource: role.Trust}); got.Allowed != tc.want {
			t.Errorf("%+v: %+v", tc, got)
		}
	}
	if on := "arn:aws:execute-api:local:123456789012:shop/*"; !d.Role("quote").Trusts(d, "apigateway.amazonaws.com", on).Allowed || d.Role("deploy").Trusts(d, "apigateway.amazonaws.com", on).Allowed {
		t.Error("Trusts")
	}
}

func TestSession(t *testing.T) {
	d := compile(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := &Session{
		Account: "123456789012", Role: "deploy", Name: "run", By: "arn:aws:iam::123456789012:user/ci", Origin: "ann", Issued: now.Unix(), Expires: now.Add(time.Hour).Unix(),
		Policy: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:shop/*"}}`, Tags: []policy.Tag{{Key: "team", Value: "green"}},
	}
	s.NewCredentials()
	if !strings.HasPrefix(s.AccessKey, "ASIA") || len(s.AccessKey) != 20 || len(s.Secret) != 40 {
		t.Errorf("%+v", s)
	}
	sealer := NewSealer([32]byte{1})
	token, err := sealer.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := sealer.Open(token)
	if err != nil || opened.Expired(now) || !opened.Expired(now.Add(time.Hour)) {
		t.Fatal(opened, err)
	}
	caller, err := d.Session(opened)
	if err != nil {
		t.Fatal(err)
	}
	p := caller.Principal
	if p.Name != "arn:aws:sts::123456789012:assumed-role/deploy/run" || p.Role != "arn:aws:iam::123456789012:role/deploy" || caller.Known.ID != "iam:123456789012|assumed-role/deploy/run" ||
		p.UserName != "" || !strings.HasPrefix(p.UserID, "AROA") || !strings.HasSuffix(p.UserID, ":run") || !p.Issued.Equal(now) || p.Origin != "ann" || len(p.Tags) != 2 || p.Tags[0].Value != "green" {
		t.Errorf("%+v", p)
	}
	if exp := caller.Known.Claims["exp"]; exp != json.Number("1767326645") {
		t.Errorf("exp: %v", exp)
	}
	for resource, want := range map[string]bool{"shop/prod/GET/x": true, "bank/prod/GET/x": false} {
		r := &policy.Request{Principal: p, Action: policy.NewAction(Invoke), Resource: "arn:aws:execute-api:local:123456789012:" + resource, Account: "123456789012"}
		if got := policy.Evaluate(r, policy.Policies{}); got.Allowed != want {
			t.Errorf("%s: %+v", resource, got)
		}
	}
	for name, change := range map[string]func(*Session){
		"another account": func(s *Session) { s.Account = "999988887777" },
		"no such role":    func(s *Session) { s.Role = "gone" },
		"a broken policy": func(s *Session) { s.Policy = "{" },
	} {
		other := *s
		change(&other)
		if _, err := d.Session(&other); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Every bit of a token counts, and every token is another.
func TestTokens(t *testing.T) {
	sealer := NewSealer([32]byte{1})
	s := &Session{AccessKey: "ASIAX", Role: "r"}
	token, _ := sealer.Seal(s)
	if again, _ := sealer.Seal(s); again == token {
		t.Error("two tokens are alike")
	}
	for i := range token {
		c := byte('A')
		if token[i] == 'A' {
			c = 'B'
		}
		if _, err := sealer.Open(token[:i] + string(c) + token[i+1:]); err == nil {
			t.Errorf("the character %d does not count", i)
		}
	}
	for _, bad := range []string{"", "A", token[:40], token + "AAAA", token + "=", " " + token, strings.Repeat("A", 1<<16)} {
		if _, err := sealer.Open(bad); err == nil {
			t.Errorf("opened: %.20s", bad)
		}
	}
	if _, err := NewSealer([32]byte{2}).Open(token); err == nil {
		t.Error("opened by another key")
	}
	s.Policy = strings.Repeat("x", maxPlain)
	if _, err := sealer.Seal(s); err != ErrTooBig {
		t.Error(err)
	}
}

func TestSealerFile(t *testing.T) {
	dir := t.TempDir()
	one, err := OpenSealer(secrets.NewFiles(dir))
	if err != nil {
		t.Fatal(err)
	}
	two, err := OpenSealer(secrets.NewFiles(dir))
	if err != nil || one.Current(time.Now()).Value != two.Current(time.Now()).Value {
		t.Fatalf("another key at the second start: %v", err)
	}
}
