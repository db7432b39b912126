package route_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/exchange"
	"gatehouse/route"
)

func TestParsePattern(t *testing.T) {
	for text, want := range map[string]string{
		"/":                       "",
		"/orders":                 "=orders",
		"/orders/":                "=orders",
		"/orders/{id}":            "=orders {id}",
		"/orders/{id}/":           "=orders {id}",
		"/{a}/{b}/c":              "{a} {b} =c",
		"/files/{proxy+}":         "=files {proxy+}",
		"/files/{proxy*}":         "=files {proxy*}",
		"/{proxy+}":               "{proxy+}",
		"/caf%C3%A9/%7Eme/a%20b":  "=café =~me =a b",
		"/café":                   "=café",
		"/.well-known/x.y/...":    "=.well-known =x.y =...",
		"/{a-b_c.d}/@x:y,z=1&2+3": "{a-b_c.d} =@x:y,z=1&2+3",
		"/{ID}/{id}":              "{ID} {id}",
	} {
		p, err := route.ParsePattern(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := describe(p); got != want || p.String() != text {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}

func describe(p route.Pattern) string {
	var out []string
	for _, part := range p.Parts {
		form := map[route.Kind]string{route.Literal: "=$", route.Param: "{$}", route.Plus: "{$+}", route.Star: "{$*}"}[part.Kind]
		out = append(out, strings.Replace(form, "$", part.Text, 1))
	}
	return strings.Join(out, " ")
}

func TestPatternErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "the path is missing",
		"orders/{id}":                   `a path begins with /: write "/orders/{id}"`,
		"//":                            "empty segment",
		"/a//b":                         "empty segment",
		"/a//":                          "empty segment",
		"/a/./b":                        "dot-segment",
		"/a/%2e%2E":                     "dot-segment",
		`/a\b`:                          "backslash",
		"/a%2Fb":                        "encoded-slash): match it with {name}",
		"/a;b":                          "semicolon",
		"/a%25":                         "encoded-percent",
		"/a%zz":                         "broken percent encoding",
		"/a b":                          "control byte or a space",
		"/a%00":                         "control byte",
		"/a%ff":                         "not UTF-8",
		"/a#b":                          "not a path",
		"/a?b=c":                        "narrow the route by its query key",
		"/a/*":                          "write {name} for one segment",
		"/a/**":                         "write {name} for one segment",
		"/:id":                          "write {name} for one segment",
		"/{id}.json":                    `/{name}/: "{id}.json" is not`,
		"/v{id}":                        "a whole segment",
		"/{a}{b}":                       "a whole segment",
		"/{a":                           "a whole segment",
		"/a}":                           "a whole segment",
		"/{a}}":                         "a whole segment",
		"/{{a}":                         "a whole segment",
		"/{}":                           "{} has no name",
		"/{+}":                          "{+} has no name",
		"/{a b}":                        `a name with " "`,
		"/{é}":                          "a name with",
		"/{a++}":                        `a name with "+"`,
		"/{id}/x/{id}":                  "the parameter {id} stands there twice",
		"/{id}/{id+}":                   "the parameter {id} stands there twice",
		"/{proxy+}/x":                   "{proxy+} takes the rest of the path, so it must stand at the end",
		"/{a*}/{b+}":                    "must stand at the end",
		strings.Repeat("/a", 129):       "more than 128 segments",
		"/" + strings.Repeat("a", 9000): "more than 8192 bytes",
	} {
		if _, err := route.ParsePattern(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
}

func TestPatternParams(t *testing.T) {
	for text, want := range map[string]struct {
		names  []string
		greedy string
	}{
		"/":               {nil, ""},
		"/a/{b}/{c}":      {[]string{"b", "c"}, ""},
		"/{b}/{rest+}":    {[]string{"b", "rest"}, "rest"},
		"/a/b/c/{proxy*}": {[]string{"proxy"}, "proxy"},
	} {
		p, err := route.ParsePattern(text)
		if err != nil || !slices.Equal(p.Params(), want.names) || p.Greedy() != want.greedy {
			t.Errorf("%s: %v, greedy %q, %v", text, p.Params(), p.Greedy(), err)
		}
	}
}

func TestParseMatch(t *testing.T) {
	for text, want := range map[string]string{
		"GET /orders/{id}":    "GET /orders/{id}",
		" GET   /orders ":     "GET /orders",
		"ANY /{proxy+}":       "ANY /{proxy+}",
		"POST,GET /orders":    "GET,POST /orders",
		"PROPFIND,QUERY /dav": "QUERY,PROPFIND /dav",
		"GET":                 `! "GET" is no METHOD PATH: write GET /orders/{id}, or ANY /{proxy+}`,
		"":                    `! "" is no METHOD PATH`,
		"/orders":             `! "/orders" is no METHOD PATH`,
		"get /orders":         "! methods are written in capitals: GET",
		"any /orders":         "! methods are written in capitals: ANY",
		"GTE /orders":         `! unknown method "GTE": did you mean "GET"?`,
		"FROBNICATE /orders":  `! unknown method "FROBNICATE": write GET, HEAD, POST`,
		"GET,ANY /orders":     "! ANY stands for every method and for itself alone",
		"GET,GET /orders":     "! the method GET is named twice",
		"GET, POST /orders":   "! a method is missing: write GET, or GET,POST without spaces",
		"TRACE /orders":       "! the method TRACE is served by no route",
		"CONNECT /orders":     "! the method CONNECT is served by no route",
		"GET orders":          `! a path begins with /: write "/orders"`,
		"GET /a b":            "! control byte or a space",
	} {
		m, err := route.ParseMatch(text)
		wrong, bad := strings.CutPrefix(want, "! ")
		switch {
		case bad && (err == nil || !strings.Contains(err.Error(), wrong)):
			t.Errorf("%q: %v, not %q", text, err, wrong)
		case !bad && (err != nil || m.String() != want):
			t.Errorf("%q: %v, %v", text, m, err)
		}
	}
}

func TestMethods(t *testing.T) {
	for text, want := range map[string]struct {
		allow string
		has   string
		not   string
	}{
		"GET":         {"GET, HEAD", "GET HEAD", "POST get FOO TRACE"},
		"POST,DELETE": {"POST, DELETE", "POST DELETE", "GET HEAD"},
		"HEAD":        {"HEAD", "HEAD", "GET"},
		"ANY":         {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", "GET FOO PROPFIND", "TRACE CONNECT"},
	} {
		m, err := route.ParseMethods(text)
		if err != nil || m.String() != text || m.Allow() != want.allow {
			t.Errorf("%s: %s, allow %q, %v", text, m, m.Allow(), err)
		}
		for _, method := range strings.Fields(want.has) {
			if !m.Has(method) {
				t.Errorf("%s has no %s", text, method)
			}
		}
		for _, method := range strings.Fields(want.not) {
			if m.Has(method) {
				t.Errorf("%s has %s", text, method)
			}
		}
	}
}

// FuzzParsePattern: a pattern is refused, or every literal in it matches the
// path that it looks like, and nothing in it can be read in two ways.
func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{"/", "/a/{b}/{c+}", "/caf%C3%A9", "/{a*}", "/{", "/a;b", "/..", "//", "/{a}{b}", "/%7B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := route.ParsePattern(text)
		if err != nil {
			return
		}
		var b []byte
		for _, part := range p.Parts {
			b = append(b, '/')
			if part.Kind == route.Literal {
				b = exchange.AppendSegment(b, part.Text)
			} else {
				b = append(b, 'x')
			}
		}
		if len(b) == 0 {
			b = []byte("/")
		}
		var path exchange.Path
		if err := path.Parse(string(b)); err != nil || path.Oddities != 0 || len(path.Segments) != len(p.Parts) {
			t.Fatalf("%q: its path %q: %v, oddities %s", text, b, err, path.Oddities)
		}
		for i, part := range p.Parts {
			if part.Kind == route.Literal && part.Text != path.Segments[i] {
				t.Fatalf("%q: segment %d is %q in a request", text, i, path.Segments[i])
			}
		}
		again, err := route.ParsePattern(strings.TrimRight(text, "/") + "/")
		if err != nil || !slices.Equal(again.Parts, p.Parts) {
			t.Fatalf("%q: with a final slash %v, %v", text, again, err)
		}
	})
}
