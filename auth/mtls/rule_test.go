package mtls

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		kind, pattern, text string
		want                bool
	}{
		{"dns", "a.test", "a.test", true}, {"dns", "a.test", "b.test", false}, {"dns", "*.test", "a.test", true}, {"dns", "*.test", "a.b.test", false}, {"dns", "**.test", "a.b.test", true},
		{"dns", "*.test", ".test", true}, {"dns", "*.test", "a.test.evil", false}, {"uri", "spiffe://a/*", "spiffe://a/b", true}, {"uri", "spiffe://a/*", "spiffe://a/b/c", false},
		{"uri", "spiffe://a/**", "spiffe://a/b/c", true}, {"uri", "spiffe://a/*/x", "spiffe://a/b/x", true}, {"email", "*@shop.test", "ann@shop.test", true}, {"email", "*@shop.test", "ann@evil@shop.test", false},
		{"subject", "CN=dev-*,O=Shop", "CN=dev-1,O=Shop", true}, {"subject", "CN=dev-*,O=Shop", `CN=dev-1\,O=Shop\,O=Evil,O=Shop`, false}, {"subject", "CN=dev-*", "CN=dev-1,O=Evil", false}, {"cn", "*", "any, thing", true},
	} {
		if got := matches(tc.pattern, tc.text, separator(tc.kind)); got != tc.want {
			t.Errorf("%s:%s and %s: %v", tc.kind, tc.pattern, tc.text, got)
		}
	}
	for _, bad := range []string{"", "dns:", "ip:1.2.3.4", "dns", "cn:" + strings.Repeat("*a", maxStars+1)} {
		if err := new(Rule).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
