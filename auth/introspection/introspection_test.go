package introspection

import (
	"strings"
	"testing"
	"time"
)

// What an issuer answers lets in only what it says without doubt.
func TestRead(t *testing.T) {
	a := &Authorizer{issuer: "https://login.test", audience: []string{"shop"}, ttl: time.Minute, negative: time.Second}
	now := time.Unix(1_000_000, 0)
	for _, tc := range []struct{ answer, want string }{
		{`{"active": true, "sub": "ann", "aud": "shop", "exp": 1000030}`, "ann for 30s"},
		{`{"active": true, "sub": "ann", "aud": ["bank", "shop"]}`, "ann for 1m0s"},
		{`{"active": false, "sub": "ann", "aud": "shop"}`, "inactive"},
		{`{"active": true, "sub": "ann", "aud": "shop", "exp": 1000000}`, "expired"},
		{`{"active": true, "sub": "ann", "aud": "shop", "exp": "soon"}`, "expired"},
		{`{"active": true, "sub": "ann", "aud": "shop", "nbf": 1000031}`, "not-yet-valid"},
		{`{"active": true, "sub": "ann", "aud": "shop", "iss": "https://login.test/"}`, "wrong-issuer"},
		{`{"active": true, "sub": "ann", "aud": "shopping"}`, "wrong-audience"},
		{`{"active": true, "sub": "ann"}`, "wrong-audience"},
		{`{"active": true, "aud": "shop"}`, "no-subject"},
		{`{"active": true, "aud": "shop", "sub": ["ann"]}`, "no-subject"},
		{`{"active": "true", "sub": "ann", "aud": "shop"}`, "!does not say whether"},
		{`{"Active": true, "sub": "ann", "aud": "shop"}`, "!does not say whether"},
		{`{"sub": "ann", "aud": "shop"}`, "!does not say whether"},
		{`{"active": true, "sub": "ann", "aud": "shop"} {"active": false}`, "!more than one JSON object"},
		{`{"active": true, "sub": "ann", "aud": "shop"}<!-- -->`, "!more than one JSON object"},
		{`[{"active": true}]`, "!no JSON object"},
		{`null`, "!no JSON object"},
		{`<html>`, "!no JSON object"},
		{``, "!no JSON object"},
	} {
		o, keep, err := a.read([]byte(tc.answer), now)
		got := ""
		switch {
		case err != nil:
			got = "!" + err.Error()
		case o.principal == nil:
			got = o.reason
		default:
			got = o.principal.Subject + " for " + keep.String()
		}
		if got != tc.want && !(tc.want[0] == '!' && strings.Contains(got, tc.want[1:])) {
			t.Errorf("%s: %s, want %s", tc.answer, got, tc.want)
		}
	}
}
