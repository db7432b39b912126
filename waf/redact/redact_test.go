package redact_test

import (
	"strings"
	"testing"

	"gatehouse/waf/redact"
)

func TestValue(t *testing.T) {
	var none *redact.Fields
	for _, test := range []struct{ target, value, want string }{
		{"ARGS:q", "<script>", "<script>"},
		{"ARGS:password", "x", "REDACTED"},
		{"ARGS:json.user.accessToken", "x", "REDACTED"},
		{"REQUEST_COOKIES:sid", "x", "REDACTED"},
		{"REQUEST_HEADERS:Authorization", "Bearer x", "REDACTED"},
		{"REQUEST_HEADERS:User-Agent", "nikto", "nikto"},
		{"REQUEST_BODY", "user=a&password=b", "REDACTED"},
		{"ARGS:q", strings.Repeat("x", 200), strings.Repeat("x", 60) + "..."},
		{"ARGS:q", "a\xffb", "a\ufffdb"},
	} {
		if got := none.Value(test.target, test.value); got != test.want {
			t.Errorf("%s: %q", test.target, got)
		}
	}
}

func TestFields(t *testing.T) {
	var none *redact.Fields
	some := &redact.Fields{Headers: []string{"X-Person"}, Cookies: []string{"lang"}, Arguments: []string{"q"}}
	for _, test := range []struct {
		got, want string
	}{
		{none.Header("Accept", "*/*"), "*/*"},
		{none.Header("Authorization", "Bearer x"), "REDACTED"},
		{none.Header("X-Api-Key", "x"), "REDACTED"},
		{none.Header("Cookie", "a=1; b=2"), "a=REDACTED; b=REDACTED"},
		{none.Header("Cookie", "secret"), "REDACTED"},
		{some.Header("x-person", "Alice"), "REDACTED"},
		{some.Header("Cookie", "a=1; lang=en"), "a=REDACTED; REDACTED"},
		{none.Args("a=1&access_token=x&b"), "a=1&access_token=REDACTED&b"},
		{some.Args("q=1&b=2"), "q=REDACTED&b=2"},
		{(&redact.Fields{Query: true}).Args("a=1"), "REDACTED"},
		{(&redact.Fields{Query: true}).Args(""), ""},
		{(&redact.Fields{URI: true}).Path("/a"), "REDACTED"},
		{none.Path("/a"), "/a"},
		{some.Value("ARGS:q", "x"), "REDACTED"},
		{some.Value("REQUEST_HEADERS:X-Person", "x"), "REDACTED"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
