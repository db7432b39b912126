package cors

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/origin"
)

// ask sends a request through the filter of cfg to a target that says things
// about CORS itself, and returns the answer. Headers are "name: value".
func ask(t testing.TB, cfg *Config, methods []string, target http.HandlerFunc, method string, headers ...string) (*httptest.ResponseRecorder, *exchange.Exchange) {
	t.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/orders", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	x, r := exchange.Begin(rec, r, &exchange.Conn{}, nil)
	New(cfg, methods)(target).ServeHTTP(&x.Writer, r)
	x.Finish()
	return rec, x
}

// meddling is a target with a mind of its own.
func meddling(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for _, name := range fields {
		h.Set(name, "the target's")
	}
	h.Add("Vary", "Accept-Encoding")
	w.WriteHeader(http.StatusTeapot)
}

// shown writes the fields of an answer that CORS is about.
func shown(rec *httptest.ResponseRecorder) string {
	var out []string
	for name, values := range rec.Header() {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			out = append(out, strings.TrimPrefix(name, "Access-Control-")+"="+strings.Join(values, "|"))
		}
	}
	slices.Sort(out)
	return fmt.Sprint(rec.Code, " ", strings.Join(out, " "))
}

func TestNone(t *testing.T) {
	if New(nil, nil) != nil {
		t.Error("a filter of nothing")
	}
}

func TestPreflight(t *testing.T) {
	listed := &Config{Origins: []origin.Origin{"https://shop.test", "https://*.shop.test", "null"}, Headers: []Header{"content-type", "x-key"}, MaxAge: config.Duration(90 * time.Second)}
	full := &Config{Origins: []origin.Origin{"https://shop.test"}, Methods: []Method{"GET", "PUT"}, Headers: []Header{"*"}, Expose: []Header{"etag"}, Credentials: true}
	open := &Config{Origins: []origin.Origin{"*"}, Methods: []Method{"*"}}
	for _, test := range []struct {
		name    string
		cfg     *Config
		methods []string
		headers string
		want    string
	}{
		{"listed", listed, []string{"GET", "HEAD"}, "Origin: https://shop.test", "204 Allow-Headers=content-type, x-key Allow-Methods=GET, HEAD Allow-Origin=https://shop.test Max-Age=90 Vary=Origin"},
		{"wildcard", listed, []string{"GET"}, "Origin: https://a.b.shop.test", "204 Allow-Headers=content-type, x-key Allow-Methods=GET Allow-Origin=https://a.b.shop.test Max-Age=90 Vary=Origin"},
		{"null", listed, []string{"GET"}, "Origin: null", "204 Allow-Headers=content-type, x-key Allow-Methods=GET Allow-Origin=null Max-Age=90 Vary=Origin"},
		{"a stranger", listed, []string{"GET"}, "Origin: https://evil.test", "204 Vary=Origin"},
		{"two origins", listed, []string{"GET"}, "Origin: https://shop.test\nOrigin: https://shop.test", "204 Vary=Origin"},
		{"null unlisted", full, nil, "Origin: null", "204 Vary=Origin"},
		{"any method", listed, nil, "Origin: https://shop.test", "204 Allow-Headers=content-type, x-key Allow-Methods=PUT Allow-Origin=https://shop.test Max-Age=90 Vary=Origin|Access-Control-Request-Method"},
		{"credentials", full, []string{"DELETE"}, "Origin: https://shop.test\nAccess-Control-Request-Headers: a, authorization", "204 Allow-Credentials=true Allow-Headers=a, authorization Allow-Methods=GET, PUT Allow-Origin=https://shop.test Vary=Origin|Access-Control-Request-Headers"},
		{"no headers asked", full, nil, "Origin: https://shop.test", "204 Allow-Credentials=true Allow-Methods=GET, PUT Allow-Origin=https://shop.test Vary=Origin|Access-Control-Request-Headers"},
		{"broken headers", full, nil, "Origin: https://shop.test\nAccess-Control-Request-Headers: a b", "204 Allow-Credentials=true Allow-Methods=GET, PUT Allow-Origin=https://shop.test Vary=Origin|Access-Control-Request-Headers"},
		{"open", open, []string{"GET"}, "Origin: https://anywhere.test", "204 Allow-Methods=PUT Allow-Origin=* Vary=Access-Control-Request-Method"},
		{"private network", open, nil, "Origin: null\nAccess-Control-Request-Private-Network: true", "204 Allow-Methods=PUT Allow-Origin=* Vary=Access-Control-Request-Method"},
	} {
		headers := append(strings.Split(test.headers, "\n"), "Access-Control-Request-Method: PUT")
		rec, x := ask(t, test.cfg, test.methods, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the preflight went on", test.name) }, "OPTIONS", headers...)
		if got := shown(rec); got != test.want {
			t.Errorf("%s:\n%s, not\n%s", test.name, got, test.want)
		}
		if steps := x.Trail.Steps(); len(steps) != 1 || steps[0].Decision != exchange.Answered || steps[0].Rule.Filter != "cors" || x.Refused != nil {
			t.Errorf("%s: %+v", test.name, steps)
		}
	}
}

// An OPTIONS that is no preflight is a request like any other.
func TestNoPreflight(t *testing.T) {
	cfg := &Config{Origins: []origin.Origin{"*"}}
	for _, headers := range [][]string{{"Origin: https://a.test"}, {"Access-Control-Request-Method: PUT"}, nil} {
		if rec, _ := ask(t, cfg, nil, meddling, "OPTIONS", headers...); rec.Code != http.StatusTeapot {
			t.Errorf("%q: %d", headers, rec.Code)
		}
	}
	if rec, _ := ask(t, cfg, nil, meddling, "GET", "Origin: https://a.test", "Access-Control-Request-Method: PUT"); rec.Code != http.StatusTeapot {
		t.Errorf("%d", rec.Code)
	}
}

func TestAnswers(t *testing.T) {
	listed := &Config{Origins: []origin.Origin{"https://shop.test", "http://localhost:*"}, Expose: []Header{"etag", "x-total"}, Credentials: true}
	open := &Config{Origins: []origin.Origin{"*"}, Expose: []Header{"*"}}
	for _, test := range []struct {
		cfg    *Config
		origin string
		want   string
	}{
		{listed, "https://shop.test", "418 Allow-Credentials=true Allow-Origin=https://shop.test Expose-Headers=etag, x-total Vary=Accept-Encoding|Origin"},
		{listed, "http://localhost:5173", "418 Allow-Credentials=true Allow-Origin=http://localhost:5173 Expose-Headers=etag, x-total Vary=Accept-Encoding|Origin"},
		{listed, "https://evil.test", "418 Vary=Accept-Encoding|Origin"},
		{listed, "", "418 Vary=Accept-Encoding|Origin"},
		{open, "https://evil.test", "418 Allow-Origin=* Expose-Headers=* Vary=Accept-Encoding"},
		{open, "", "418 Allow-Origin=* Expose-Headers=* Vary=Accept-Encoding"},
	} {
		var headers []string
		if test.origin != "" {
			headers = append(headers, "Origin: "+test.origin)
		}
		rec, _ := ask(t, test.cfg, nil, meddling, "GET", headers...)
		if got := shown(rec); got != test.want {
			t.Errorf("%q:\n%s, not\n%s", test.origin, got, test.want)
		}
	}
}

// Refusals of filters further in carry the fields, so that a page can tell a
// 401 from a broken network.
func TestRefusals(t *testing.T) {
	cfg := &Config{Origins: []origin.Origin{"https://shop.test"}}
	rec, _ := ask(t, cfg, nil, func(w http.ResponseWriter, r *http.Request) {
		exchange.Refuse(w, r, exchange.Refusal{Status: 401, Rule: &exchange.Rule{Filter: "auth"}})
	}, "GET", "Origin: https://shop.test")
	if got, want := shown(rec), "401 Allow-Origin=https://shop.test Vary=Origin"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestVary(t *testing.T) {
	for before, want := range map[string]string{"": "Origin", "Accept": "Accept|Origin", "origin": "origin", "A, ORIGIN ,B": "A, ORIGIN ,B", "*": "*", "A|Origin": "A|Origin", "Originator": "Originator|Origin"} {
		h := http.Header{}
		if before != "" {
			h["Vary"] = strings.Split(before, "|")
		}
		vary(h, "Origin")
		if got := strings.Join(h["Vary"], "|"); got != want {
			t.Errorf("%q: %q, not %q", before, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	var m Method
	for text, want := range map[string]string{"GET": "", "*": "", "M-SEARCH": "", "get": "capitals, GET", "ANY": "write * for", "": "is no method", "A B": "is no method"} {
		if err := m.UnmarshalText([]byte(text)); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var h Header
	for text, fine := range map[string]bool{"X-Key": true, "*": true, "a b": false, "": false, "x:": false, "é": false} {
		if err := h.UnmarshalText([]byte(text)); (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := h.UnmarshalText([]byte("X-Key")); err != nil || h != "x-key" {
		t.Errorf("%q", h)
	}
}

func TestCheck(t *testing.T) {
	for want, cfg := range map[string]*Config{
		"":                                 {Origins: []origin.Origin{"https://a.test"}, Methods: []Method{"*"}, Credentials: true},
		"lets no page call":                {},
		"for the pages of every origin":    {Origins: []origin.Origin{"*"}, Credentials: true},
		"every page can take null on":      {Origins: []origin.Origin{"https://a.test", "null"}, Credentials: true},
		"* stands for every origin":        {Origins: []origin.Origin{"*", "null"}},
		"browsers take * for the name":     {Origins: []origin.Origin{"https://a.test"}, Expose: []Header{"*"}, Credentials: true},
		"* stands for all: remove it or t": {Origins: []origin.Origin{"null"}, Methods: []Method{"GET", "*"}},
		"* stands for all: remove it":      {Origins: []origin.Origin{"null"}, Headers: []Header{"*", "a"}},
		"* stands for all":                 {Origins: []origin.Origin{"null"}, Expose: []Header{"*", "a"}},
	} {
		var r config.Report
		cfg.Check(&r)
		if got := r.Problems(); want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, want)) {
			t.Errorf("%q: %+v", want, got)
		}
	}
}

// The budget: nothing for a request without an origin, or with one that is
// written out.
func TestAllocations(t *testing.T) {
	cfg := &Config{Origins: []origin.Origin{"https://shop.test"}, Credentials: false}
	handler := New(cfg, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	for _, origin := range []string{"", "https://shop.test", "https://evil.test"} {
		r := httptest.NewRequest("GET", "/", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
		x.Trail.Add(nil, exchange.Passed, "")
		for range 200 {
			x.OnHead(nil) // so that the hooks have room
		}
		n := testing.AllocsPerRun(20, func() { handler.ServeHTTP(&x.Writer, r) })
		if n > 0 {
			t.Errorf("%q: %v allocations", origin, n)
		}
	}
}
