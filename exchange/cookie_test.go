package exchange_test

import (
	"net/http/httptest"
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
