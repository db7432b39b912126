package auth

import (
	"strings"
	"testing"

	"gatehouse/auth/jwt"
	"gatehouse/auth/sigv4"
	"gatehouse/config"
)

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"authorizers: {customers: {}}", "exactly one scheme"},
		{"authorizers: {customers: {jwt: null}}", "issuer"},
		{"authorizers: {customers: {oidc: {}}}", `unknown key "oidc"`},
		{"authorizers: {customers: {iam: {}, jwt: {issuer: i, audience: a, jwks: development}}}", "exactly one scheme: jwt or iam"},
		{"authorizers: {customers: {iam: {unsigned-payload: always}}}", "wanted tls or refuse"},
		{"authorizers: {customers: {iam: {body: 2GiB}}}", "wanted 1 to 1GiB"},
		{"authorizers: {none: {jwt: {issuer: i, audience: a, jwks: development}}}", "no authorizer can be called none"},
	} {
		var d document
		_, err := config.LoadBytes("c.yaml", []byte(tc.text), &d, config.Options{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// An authorizer that could never decide is a mistake.
func TestCheckOrder(t *testing.T) {
	named := func(issuer string, from ...jwt.From) *Config {
		return &Config{JWT: &jwt.Config{Issuer: issuer, From: from}}
	}
	header, cookie := jwt.From{Place: "header", Name: "Authorization"}, jwt.From{Place: "cookie", Name: "session"}
	known := map[string]*Config{
		"a": named("i", header), "again": named("i", header), "both": named("i", header, cookie), "cookie": named("i", cookie), "other": named("j", header), "empty": {},
	}
	for list, want := range map[string]string{
		"a": "", "a other": "", "a both": "", "a cookie": "", "cookie both": "", "a empty": "", "a missing": "",
		"a again": "the authorizer again is never asked: a stands before it", "both a": "a is never asked: both", "other a both again": "again is never asked: a",
	} {
		var names []config.Name
		for name := range strings.FieldsSeq(list) {
			names = append(names, config.Name{Value: name})
		}
		var r config.Report
		CheckOrder(&r, names, known)
		got := ""
		if len(r.Problems()) > 0 {
			got = r.Problems()[0].Message
		}
		if !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", list, got, want)
		}
	}
}

// One who signs is one authorizer's: another of the kind would never be asked.
func TestCheckOrderOfSignatures(t *testing.T) {
	known := map[string]*Config{"a": {IAM: &sigv4.Config{}}, "b": {IAM: &sigv4.Config{}}}
	var r config.Report
	CheckOrder(&r, []config.Name{{Value: "a"}, {Value: "b"}}, known)
	if p := r.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, "the authorizer b is never asked: a stands before it") {
		t.Errorf("%+v", p)
	}
}

func TestUsesDevelopmentKey(t *testing.T) {
	for _, tc := range []struct {
		kind jwt.SourceKind
		want bool
	}{{jwt.DevelopmentSource, true}, {jwt.URLSource, false}, {jwt.FileSource, false}} {
		c := &Config{JWT: &jwt.Config{JWKS: jwt.Source{Kind: tc.kind}}}
		if c.UsesDevelopmentKey() != tc.want {
			t.Errorf("%d: got %v", tc.kind, !tc.want)
		}
	}
	if (&Config{}).UsesDevelopmentKey() {
		t.Error("nothing uses nothing")
	}
}
