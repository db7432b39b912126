package jwt

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	c := testConfig(testKeys()["p256"])
	c.From = []From{{Place: "header", Name: "Authorization"}, {Place: "header", Name: "X-Token"}, {Place: "cookie", Name: "session"}, {Place: "query", Name: "token"}}
	v := newTestVerifier(t, c)
	tok := issue("p256")
	escaped := strings.ReplaceAll(tok, ".", "%2E")
	for _, tc := range []struct {
		name, query string
		header      http.Header
		want        string
	}{
		{"nothing", "", nil, "none"},
		{"Authorization", "", http.Header{"Authorization": {"Bearer " + tok}}, "good"},
		{"bearer in other case", "", http.Header{"Authorization": {"bEARER " + tok}}, "good"},
		{"more spaces", "", http.Header{"Authorization": {"Bearer   " + tok + " "}}, "good"},
		{"another scheme", "", http.Header{"Authorization": {"Basic " + tok}}, "none"},
		{"no scheme", "", http.Header{"Authorization": {tok}}, "none"},
		{"a scheme alone", "", http.Header{"Authorization": {"Bearer"}}, "none"},
		{"bearer and a tab", "", http.Header{"Authorization": {"Bearer\t" + tok}, "Cookie": {"session=" + tok}}, "malformed"},
		{"a longer scheme", "", http.Header{"Authorization": {"Bearers " + tok}}, "none"},
		{"bearer and nothing", "", http.Header{"Authorization": {"Bearer "}}, "malformed"},
		{"bearer and garbage", "", http.Header{"Authorization": {"Bearer x"}}, "malformed"},
		{"bearer and a comma", "", http.Header{"Authorization": {"Bearer " + tok + ", Bearer " + tok}}, "malformed"},
		{"two Authorization fields", "", http.Header{"Authorization": {"Bearer " + tok, "Bearer " + tok}}, "malformed"},
		{"Basic and Bearer", "", http.Header{"Authorization": {"Basic abc", "Bearer " + tok}}, "malformed"},
		{"own header", "", http.Header{"X-Token": {tok}}, "good"},
		{"own header with Bearer", "", http.Header{"X-Token": {"Bearer " + tok}}, "good"},
		{"own header, empty", "", http.Header{"X-Token": {""}}, "none"},
		{"another scheme and own header", "", http.Header{"Authorization": {"Basic abc"}, "X-Token": {tok}}, "good"},
		{"bad Authorization, good cookie: the first decides", "", http.Header{"Authorization": {"Bearer x"}, "Cookie": {"session=" + tok}}, "malformed"},
		{"cookie", "", http.Header{"Cookie": {"session=" + tok}}, "good"},
		{"cookie among others", "", http.Header{"Cookie": {"a=b; session=" + tok + "; c=d"}}, "good"},
		{"cookie in pieces", "", http.Header{"Cookie": {"a=b", "session=" + tok}}, "good"},
		{"cookie in quotes", "", http.Header{"Cookie": {`session="` + tok + `"`}}, "good"},
		{"cookie without spaces", "", http.Header{"Cookie": {"a=b;session=" + tok}}, "good"},
		{"cookie of a longer name", "", http.Header{"Cookie": {"xsession=" + tok}}, "none"},
		{"cookie in other case", "", http.Header{"Cookie": {"Session=" + tok}}, "none"},
		{"cookie, empty", "", http.Header{"Cookie": {"session="}}, "none"},
		{"cookie twice, the same", "", http.Header{"Cookie": {"session=" + tok + "; session=" + tok}}, "good"},
		{"cookie tossed", "", http.Header{"Cookie": {"session=" + tok + "; session=evil"}}, "malformed"},
		{"cookie tossed with a space", "", http.Header{"Cookie": {"session =evil; session=" + tok}}, "malformed"},
		{"cookie with spaces", "", http.Header{"Cookie": {"session = " + tok}}, "good"},
		{"cookie tossed in pieces", "", http.Header{"Cookie": {"session=evil", "session=" + tok}}, "malformed"},
		{"query", "?token=" + tok, nil, "good"},
		{"query among others", "?a=b&token=" + tok + "&c", nil, "good"},
		{"query, encoded", "?%74oken=" + escaped, nil, "good"},
		{"query twice", "?token=" + tok + "&token=x", nil, "malformed"},
		{"query twice, one encoded", "?token=" + tok + "&t%6Fken=x", nil, "malformed"},
		{"query, broken encoding", "?token=%zz", nil, "malformed"},
		{"query, empty", "?token=", nil, "none"},
		{"query of another name", "?tokens=" + tok, nil, "none"},
	} {
		r := httptest.NewRequest("GET", "https://api.shop.test/orders"+tc.query, nil)
		for name, values := range tc.header {
			r.Header[name] = values
		}
		if got := judge(v, r); reason(got) != tc.want {
			t.Errorf("%s: got %s (%s), want %s", tc.name, reason(got), got.Detail, tc.want)
		}
		if got := r.Header; len(got) != len(tc.header) {
			t.Errorf("%s: the request's headers were changed: %v", tc.name, got)
		}
	}
	if got := v.QueryParameters(); len(got) != 1 || got[0] != "token" {
		t.Errorf("query parameters %v", got)
	}
}

// A cookie comes with every request that a page anywhere makes the browser
// send: such requests must not change anything.
func TestCrossOrigin(t *testing.T) {
	c := testConfig(testKeys()["p256"])
	c.From = []From{{Place: "header", Name: "Authorization"}, {Place: "cookie", Name: "session"}}
	c.Origins = []Origin{"https://www.shop.test"}
	v := newTestVerifier(t, c)
	tok := issue("p256")
	for _, tc := range []struct {
		name, method                  string
		site, origin, upgrade, bearer string
		want                          string
	}{
		{"reading from another site", "GET", "cross-site", "https://evil.test", "", "", "good"},
		{"asking for options", "OPTIONS", "cross-site", "https://evil.test", "", "", "good"},
		{"a form of another site", "POST", "cross-site", "https://evil.test", "", "", "cross-origin"},
		{"a form of a sibling", "POST", "same-site", "https://evil.shop.test", "", "", "cross-origin"},
		{"a sandboxed form", "POST", "cross-site", "null", "", "", "cross-origin"},
		{"an older browser", "POST", "", "https://evil.test", "", "", "cross-origin"},
		{"an older browser, sandboxed", "POST", "", "null", "", "", "cross-origin"},
		{"another port", "POST", "", "https://api.shop.test:8443", "", "", "cross-origin"},
		{"deleting", "DELETE", "cross-site", "https://evil.test", "", "", "cross-origin"},
		{"a WebSocket of another site", "GET", "cross-site", "https://evil.test", "websocket", "", "cross-origin"},
		{"a WebSocket of our own", "GET", "same-origin", "https://api.shop.test", "websocket", "", "good"},
		{"our own page", "POST", "same-origin", "https://api.shop.test", "", "", "good"},
		{"our own page, older browser", "POST", "", "https://API.shop.test", "", "", "good"},
		{"our own page over http", "POST", "", "http://api.shop.test", "", "", "cross-origin"},
		{"the address bar", "POST", "none", "", "", "", "good"},
		{"no browser", "POST", "", "", "", "", "good"},
		{"an origin that may", "POST", "same-site", "https://www.shop.test", "", "", "good"},
		{"an origin that may, older browser", "POST", "", "https://WWW.shop.test", "", "", "good"},
		{"Sec-Fetch-Site that is unknown", "POST", "elsewhere", "", "", "", "cross-origin"},
		{"a bearer token, which no browser adds", "POST", "cross-site", "https://evil.test", "", tok, "good"},
	} {
		r := httptest.NewRequest(tc.method, "https://api.shop.test/orders", nil)
		set := func(name, value string) {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		set("Sec-Fetch-Site", tc.site)
		set("Origin", tc.origin)
		set("Upgrade", tc.upgrade)
		set("X-Forwarded-Proto", "https") // as the edge writes it
		set("Cookie", "session="+tok)
		if tc.bearer != "" {
			set("Authorization", "Bearer "+tc.bearer)
		}
		got := judge(v, r)
		if reason(got) != tc.want || tc.want == "cross-origin" && got.Status != http.StatusForbidden {
			t.Errorf("%s: got %s %d, want %s", tc.name, reason(got), got.Status, tc.want)
		}
	}
}
