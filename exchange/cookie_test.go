package exchange_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/exchange"
)

func TestCookie(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		value string
		found bool
	}{
		{nil, "", false},
		{[]string{"a=1; b=2"}, "2", true},
		{[]string{"a=1", "b=\"2\"; b=3"}, "2", true},
		{[]string{"bb=1;b= 2 ;"}, " 2", true},
		{[]string{"b; B=1; =b; b"}, "", false},
		{[]string{"b="}, "", true},
		{[]string{"b=\""}, "\"", true},
		{[]string{"x=b=1;b=y=z"}, "y=z", true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = tc.lines
		if value, found := exchange.Cookie(r, "b"); value != tc.value || found != tc.found {
			t.Errorf("%q: %q %v", tc.lines, value, found)
		}
		if n := testing.AllocsPerRun(10, func() { exchange.Cookie(r, "b") }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// FuzzCookie holds that whatever net/http finds as a cookie is found here, with
// the same value.
func FuzzCookie(f *testing.F) {
	for _, seed := range []string{"a=b", "x=1; a=\"b\"; a=c", "a = b", "a=b;c", ";;a=;", "a=b c", "aa=b; a=\"", "a=\tb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return // no header holds it
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{line}
		got, found := exchange.Cookie(r, "a")
		theirs := r.CookiesNamed("a")
		if len(theirs) > 0 && theirs[0].Value != "" && !found { // "a" alone is none here
			t.Fatalf("%q: nothing found, not %q", line, theirs[0].Value)
		}
		if len(theirs) == 1 && !strings.Contains(line, ";") && got != theirs[0].Value {
			t.Fatalf("%q: %q, not %q", line, got, theirs[0].Value)
		}
	})
}
