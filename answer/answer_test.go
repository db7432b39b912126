package answer

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"gatehouse/exchange"
)

func serve(t *testing.T, h http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, nil)
	x, r := exchange.Begin(rec, r, &exchange.Conn{}, nil)
	if err := x.Path.Parse(target); err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(&x.Writer, r)
	x.Finish()
	if steps := x.Trail.Steps(); len(steps) != 1 || steps[0].Decision != exchange.Answered {
		t.Errorf("trail %v, want one answered step", steps)
	}
	return rec
}

func TestMock(t *testing.T) {
	rule := &exchange.Rule{Filter: "answer", Name: "mock"}
	for _, tc := range []struct {
		status int
		body   string
	}{{200, "{}"}, {204, ""}, {503, "{}"}} {
		rec := serve(t, Mock(rule, Empty(tc.status)), "GET", "/x")
		if rec.Code != tc.status || rec.Body.String() != tc.body {
			t.Errorf("mock %d: got %d %q", tc.status, rec.Code, rec.Body)
		}
	}
}

func TestRedirect(t *testing.T) {
	rule := &exchange.Rule{Filter: "answer", Name: "redirect"}
	for _, tc := range []struct {
		to, method, target, location string
		status                       int
	}{
		{"https://www.shop.test/", "GET", "/a?b=c", "https://www.shop.test/", 302},
		{"https://www.shop.test/*", "GET", "/a%20b/?c=d", "https://www.shop.test/a%20b/?c=d", 302},
		{"https://www.shop.test/new/*", "POST", "/@evil.test", "https://www.shop.test/new/@evil.test", 307},
		{"https://www.shop.test/*", "HEAD", "/", "https://www.shop.test/", 302},
	} {
		rec := serve(t, Redirect(rule, tc.to), tc.method, tc.target)
		if rec.Code != tc.status || rec.Header().Get("Location") != tc.location {
			t.Errorf("%s %s to %s: got %d %q, want %d %q", tc.method, tc.target, tc.to, rec.Code, rec.Header().Get("Location"), tc.status, tc.location)
		}
	}
}
