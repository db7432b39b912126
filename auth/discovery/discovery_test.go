package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParse(t *testing.T) {
	const issuer = "https://login.test/realm"
	for _, tc := range []struct{ body, want string }{
		{`{"issuer": "https://login.test/realm", "jwks_uri": "https://login.test/keys"}`, ""},
		{`{"issuer": "https://login.test/realm", "jwks_uri": "https://keys.test/keys"}`, ""},
		{`{"issuer": "https://login.test/realm/", "jwks_uri": "https://login.test/keys"}`, "another issuer"},
		{`{"issuer": "https://evil.test"}`, "another issuer"},
		{`{"issuer": "https://login.test/realm", "jwks_uri": "http://login.test/keys"}`, "jwks_uri"},
		{`{"issuer": "https://login.test/realm", "token_endpoint": "file:///etc/passwd"}`, "token_endpoint"},
		{`{"issuer": "https://login.test/realm", "token_endpoint": "https://a:b@x/"}`, "token_endpoint"},
		{`{"issuer": "https://login.test/realm", "end_session_endpoint": "/logout"}`, "end_session_endpoint"},
		{`[]`, "no JSON"}, {``, "no JSON"}, {`{}`, "another issuer"},
	} {
		d, err := Parse(issuer, []byte(tc.body))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) || err == nil && d.Keys == "" {
			t.Errorf("%s: %v, want %q", tc.body, err, tc.want)
		}
	}
	for address, want := range map[string]bool{"https://login.test/x": false, "https://LOGIN.test/x": false, "https://login.test:8443/x": true, "https://10.0.0.1/": true} {
		if got, err := Foreign(issuer, address); got != want || err != nil {
			t.Errorf("%s: %v %v", address, got, err)
		}
	}
	for issuer, good := range map[string]bool{"https://a.test": true, "http://127.0.0.1:1/x": true, "http://a.test": false, "shop": false, "https://a.test/?x": false, "https://a.test/#x": false} {
		if got := CheckIssuer(issuer); (got == "") != good {
			t.Errorf("%s: %s", issuer, got)
		}
	}
}

func TestProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, broken := 0, errors.New("connection refused")
		fails := broken
		p := NewProvider("https://a.test", func(context.Context, string) ([]byte, http.Header, error) {
			asked++
			return fmt.Appendf(nil, `{"issuer": "https://a.test", "jwks_uri": "https://a.test/%d"}`, asked), nil, fails
		})
		get := func(want string, times int) {
			t.Helper()
			d, err := p.Document()
			got := ""
			if err == nil {
				got = d.Keys
			}
			if got != want || asked != times {
				t.Errorf("%q (%v), asked %d times; want %q, %d", got, err, asked, want, times)
			}
		}
		get("", 1)
		get("", 1) // it is left alone for a moment
		time.Sleep(retry)
		fails = nil
		get("https://a.test/2", 2)
		time.Sleep(fresh - 1)
		get("https://a.test/2", 2)
		time.Sleep(time.Nanosecond)
		fails = broken
		get("https://a.test/2", 3) // the last stays good
		get("https://a.test/2", 3)
		fails = nil
		time.Sleep(retry)
		get("https://a.test/4", 4)
	})
}
