package iam

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/secrets"
)

func TestConfigErrors(t *testing.T) {
	const secret = "0123456789012345678901234567890123456789"
	key := func(id, secret string) string {
		return "users: {ci: {access-keys: [{id: " + id + ", secret: " + secret + "}]}}"
	}
	many := strings.TrimSuffix(strings.Repeat(`{Statement: {Effect: Allow, Action: "*", Resource: "*"}}, `, 21), ", ")
	for _, tc := range []struct{ text, want string }{
		{`users: {ci: {groups: [dev]}}`, `unknown group "dev"`},
		{`{groups: {devs: {}}, users: {ci: {groups: [dev]}}}`, `did you mean "devs"?`},
		{`users: {ci: {policys: []}}`, `did you mean "policies"?`},
		{`users: {ci: {policies: {Statement: {Effect: Allow, Action: invoke, Resource: "*"}}}}`, `"invoke" is no action`},
		{`users: {ci: {policies: none.json}}`, "none.json: no such file"},
		{`users: {ci: {policies: [` + many + `]}}`, "at most 20 policies in one place"},
		{`boundaries: [` + many + `]`, "at most 20 policies in one place"},
		{key("short", secret), "16 to 128 capital letters and digits"},
		{key("ASIAIOSFODNN7EXAMPLE", secret), "those of sessions"},
		{key("AKIAIOSFODNN7EXAMPLE", "tooshort"), "the secret is too short"},
		{`users: {ci: {access-keys: [{id: AKIAIOSFODNN7EXAMPLE}]}}`, `the key "secret" is missing`},
		{`users: {a: {access-keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: ` + secret + `}]}, b: {access-keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: ` + secret + `}]}}`, "the user a has an access key with this id already"},
		{`users: {ci: {tags: {Team: a, team: b}}}`, "differ in case alone"},
		{`users: {ci: {tags: {team: ` + strings.Repeat("x", 300) + `}}}`, "more than 256 characters"},
		{`roles: {r: {}}`, `the key "trust" is missing`},
		{`roles: {r: {trust: []}}`, "the role trusts nobody"},
		{`roles: {r: {trust: user:ci}}`, `unknown user "ci"`},
		{`roles: {r: {trust: [role:x]}}`, `unknown role "x"`},
		{`roles: {r: {trust: usr:ci}}`, `did you mean "user"?`},
		{`roles: {r: {trust: [ci]}}`, `wanted who may assume the role`},
		{`roles: {r: {trust: ["user:"]}}`, `is no KIND:NAME`},
		{`roles: {r: {trust: account:123}}`, "an account has 12 digits"},
		{`roles: {r: {trust: nowhere.json}}`, "nowhere.json: no such file"},
		{`roles: {r: {trust: {Statement: {Effect: Allow, Action: sts:AssumeRole}}}}`, "the statement has no Principal"},
		{`roles: {r: {trust: {Statement: {Effect: Allow, Action: sts:AssumeRole, Principal: "*"}}, external-id: abc}}`, "with a trust policy the id is a condition"},
		{`{users: {ci: {}}, roles: {r: {trust: user:ci, external-id: "a b"}}}`, "an external id is"},
		{`roles: {r: {trust: function:q, max-session: 13h}}`, "wanted 15m to 12h"},
		{`roles: {` + strings.Repeat("r", 65) + `: {trust: function:q}}`, "at most 64 characters"},
	} {
		text := tc.text
		if !strings.HasPrefix(text, "{") {
			text = "{" + text + "}"
		}
		_, err := load("iam: " + text)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// Secrets are told by no error, and APIs that roles trust can be checked by
// whoever knows them.
func TestTrustedAPIs(t *testing.T) {
	c, err := load(section)
	if err != nil {
		t.Fatal(err)
	}
	if apis := c.APIs(); len(apis) != 1 || apis[0].Value != "shop" || apis[0].At.Line == 0 {
		t.Errorf("%+v", apis)
	}
}

// A key that others can read, or that is none, is refused with the cure.
func TestSealerFileErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenSealer(secrets.NewFiles(dir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, sessionKeys)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealer(secrets.NewFiles(dir)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o600)
	if _, err := OpenSealer(secrets.NewFiles(dir)); err == nil || !strings.Contains(err.Error(), "is no session key") {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "iam", "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
