package main

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestLoginRefuses: the way that ends well is driven through the gateway, in test/.
func TestLoginRefuses(t *testing.T) {
	l, err := newLogin("http://127.0.0.1:9103")
	if err != nil {
		t.Fatal(err)
	}
	const back = "https://localhost:8443/_auth/callback"
	l.codes.Store("a", grant{"alice", back, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "n"}) // RFC 7636, appendix B
	l.codes.Store("b", grant{"alice", back, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "n"})
	const proof = "&redirect_uri=" + back + "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	const ask = "/authorize?client_id=shop&response_type=code&scope=openid&redirect_uri="
	for _, test := range []struct {
		path, form, secret string
		status             int
		want               string
	}{
		{ask + "https://evil.test/_auth/callback&code_challenge_method=S256", "user=alice", "", 400, "registered"},
		{"/logout?post_logout_redirect_uri=https://evil.test/public/", "", "", 400, "registered"},
		{ask + back, "user=alice", "", 303, "error=invalid_request"}, // without PKCE
		{ask + back + "&code_challenge_method=S256", "user=eve", "", 200, "Who are you?"},
		{"/token", "grant_type=refresh_token", clientSecret, 400, "unsupported_grant_type"},
		{"/token", "grant_type=authorization_code&code=none" + proof, clientSecret, 400, "invalid_grant"},
		{"/token", "grant_type=authorization_code&code=a" + proof, clientSecret, 200, `"id_token":"ey`},
		{"/token", "grant_type=authorization_code&code=a" + proof, clientSecret, 400, "invalid_grant"}, // once
		{"/token", "grant_type=authorization_code&code=b" + proof + "A", clientSecret, 400, "invalid_grant"},
		{"/token", "grant_type=authorization_code&code=b" + proof, "guess", 401, "invalid_client"},
	} {
		r := httptest.NewRequest("POST", test.path, strings.NewReader(test.form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(clientID, url.QueryEscape(test.secret))
		w := httptest.NewRecorder()
		l.handler().ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String()+w.Header().Get("Location"), test.want) {
			t.Errorf("%s %s: %d %v %s", test.path, test.form, w.Code, w.Header(), w.Body)
		}
	}
}
