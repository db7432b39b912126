package auth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
)

// 302 only where a person sits.
func TestLoginIsForPeople(t *testing.T) {
	s := newSite(t, usual)
	const html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, tc := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"a browser", "GET", []string{"Accept", html, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 302},
		{"an older browser", "GET", []string{"Accept", html}, 302},
		{"in upper case", "GET", []string{"Accept", "TEXT/HTML"}, 302},
		{"with an expired cookie", "GET", []string{"Accept", html, "Cookie", "session=" + s.token(t, "shop", -time.Hour)}, 302},
		{"with an expired header", "GET", []string{"Accept", html, "Authorization", "Bearer " + s.token(t, "shop", -time.Hour)}, 302},
		{"with a good one", "GET", []string{"Accept", html, "Cookie", "session=" + s.token(t, "shop", time.Hour)}, 200},
		{"curl", "GET", []string{"Accept", "*/*"}, 401},
		{"a program without Accept", "GET", nil, 401},
		{"an API client", "GET", []string{"Accept", "application/json"}, 401},
		{"fetch of a page", "GET", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors"}, 401},
		{"fetch that says HTML", "GET", []string{"Accept", html, "Sec-Fetch-Mode", "cors"}, 401},
		{"fetch of the same origin", "GET", []string{"Accept", html, "Sec-Fetch-Mode", "same-origin"}, 401},
		{"an image", "GET", []string{"Accept", "image/webp,*/*", "Sec-Fetch-Mode", "no-cors"}, 401},
		{"XMLHttpRequest", "GET", []string{"Accept", html, "X-Requested-With", "XMLHttpRequest"}, 401},
		{"a form", "POST", []string{"Accept", html, "Sec-Fetch-Mode", "navigate"}, 401},
		{"HEAD", "HEAD", []string{"Accept", html}, 401},
		{"a WebSocket", "GET", []string{"Accept", html, "Upgrade", "websocket"}, 401},
		{"text/html-ish", "GET", []string{"Accept", "text/htmlx, text/*"}, 401},
	} {
		r := get("/orders/7?a=b", tc.header...)
		r.Method = tc.method
		a := s.ask(t, "partners customers", r)
		if a.Code != tc.status {
			t.Errorf("%s: got %d, want %d", tc.name, a.Code, tc.status)
		}
		if tc.status != 302 {
			if a.Header().Get("Location") != "" {
				t.Errorf("%s: sent to %s", tc.name, a.Header().Get("Location"))
			}
			continue
		}
		if got := a.Header().Get("Location"); got != "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2Forders%2F7%3Fa%3Db" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: sent to %s, %v", tc.name, got, a.Header())
		}
		steps := a.x.Trail.Steps()
		if len(steps) != 1 || steps[0].Decision != exchange.Answered || steps[0].Rule.Name != "customers (jwt)" || a.x.Refused != nil {
			t.Errorf("%s: trail %+v", tc.name, steps)
		}
	}
}

// What people come back to is on the host that they asked, whatever the path
// and the query say, and carries no credential.
func TestReturn(t *testing.T) {
	s := newSite(t, usual)
	long := strings.Repeat("x", maxReturn)
	for _, tc := range []struct{ authorizer, target, want string }{
		{"customers", "/", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2F"},
		{"customers", "/@evil.test/", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2F%40evil.test%2F"},
		{"customers", "//evil.test/x", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2F%2Fevil.test%2Fx"},
		{"customers", "/a%20b?return=https://evil.test&x=%0d%0a", "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2Fa%2520b%3Freturn%3Dhttps%3A%2F%2Fevil.test%26x%3D%250d%250a"},
		{"customers", "/a?" + long, "https://login.shop.test/?app=shop&return=https%3A%2F%2Fapi.shop.test%2Fa"},
		{"links", "//evil.test/x", "/login?return=%2Fevil.test%2Fx"},
		{"links", "////evil.test", "/login?return=%2Fevil.test"},
		{"links", `/%5Cevil.test/`, "/login?return=%2F%255Cevil.test%2F"},
		{"links", "/a?b=c&token=x&t%6Fken=y&d", "/login?return=%2Fa%3Fb%3Dc%26d"},
		{"links", "/a?token=x", "/login?return=%2Fa"},
	} {
		a := s.ask(t, tc.authorizer, get(tc.target, "Accept", "text/html"))
		if got := a.Header().Get("Location"); a.Code != 302 || got != tc.want {
			t.Errorf("%s %.40s: got %d\n%s, want\n%s", tc.authorizer, tc.target, a.Code, got, tc.want)
		}
	}
	if got := s.authorizers["links"].QueryParameters(); !slices.Equal(got, []string{"token"}) {
		t.Errorf("query parameters %v", got)
	}
}

// Behind a proxy that ends TLS people come back to https, by the word of the edge.
func TestReturnBehindProxy(t *testing.T) {
	s := newSite(t, usual)
	for proto, want := range map[string]string{"https": "https%3A", "http": "http%3A", "": "https%3A", "javascript": "https%3A"} {
		r := get("/a", "Accept", "text/html")
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		if got := s.ask(t, "customers", r).Header().Get("Location"); got != "https://login.shop.test/?app=shop&return="+want+"%2F%2Fapi.shop.test%2Fa" {
			t.Errorf("%q: %s", proto, got)
		}
	}
}

// A login that wants a credential itself would send people round in circles.
func TestLoginThatIsGuarded(t *testing.T) {
	s := newSite(t, usual+`
  here: {jwt: {issuer: i, audience: shop, jwks: development, login: "https://api.shop.test/sign/in?app=shop"}}
  root: {jwt: {issuer: i, audience: shop, jwks: development, login: "https://API.shop.test"}}
`)
	for _, tc := range []struct {
		authorizer, target string
		status             int
	}{
		{"links", "/login", 401}, {"links", "/login/", 401}, {"links", "/login?return=x", 401}, {"links", "/login/x", 302}, {"links", "/Login", 302}, {"links", "/", 302},
		{"here", "/sign/in", 401}, {"here", "/sign", 302}, {"here", "/", 302},
		{"root", "/", 401}, {"root", "/?a", 401}, {"root", "/a", 302},
		{"customers", "/", 302},
	} {
		a := s.ask(t, tc.authorizer, get(tc.target, "Accept", "text/html"))
		if a.Code != tc.status {
			t.Errorf("%s %s: %d, want %d", tc.authorizer, tc.target, a.Code, tc.status)
		}
		if steps := a.x.Trail.Steps(); a.Code == 401 && (len(steps) != 2 || !strings.Contains(steps[0].Detail, "authorize: none")) {
			t.Errorf("%s %s: the trail does not tell of the login: %+v", tc.authorizer, tc.target, steps)
		}
	}
}
