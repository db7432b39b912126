package transform

import (
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

// at returns an Exchange for a target of which the parameters, "name=first+count",
// were matched.
func at(t testing.TB, target string, params ...string) *exchange.Exchange {
	t.Helper()
	x, _ := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	if err := x.Path.Parse(target); err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		name, place, _ := strings.Cut(p, "=")
		first, count := int(place[0]-'0'), int(place[2]-'0')
		x.Params = append(x.Params, exchange.Param{Name: name, First: first, Count: count, Value: strings.Join(x.Path.Segments[first:first+count], "/")})
	}
	return x
}

var scope = Scope{
	Params:    []string{"id", "part", "proxy"},
	Greedy:    "proxy",
	Variables: map[string]string{"v": "v2", "deep": "a b/c", "slash": "/x/", "dots": "..", "brace": "{id}", "empty": ""},
}

func TestRewrite(t *testing.T) {
	for _, test := range []struct{ rewrite, target, params, want string }{
		{"/", "/orders/42", "", "/"},
		{"/v1/orders", "/orders/", "", "/v1/orders"},
		{"/v1/orders/", "/orders", "", "/v1/orders/"},
		{"/v1/orders/{id}", "/orders/42", "id=1+1", "/v1/orders/42"},
		{"/v1/orders/{id}/", "/orders/42", "id=1+1", "/v1/orders/42/"},
		{"/{part}/{id}", "/orders/42/lines", "id=1+1 part=2+1", "/lines/42"},
		{"/x-{id}.{part}!", "/orders/42/lines", "id=1+1 part=2+1", "/x-42.lines!"},
		{"/{id}{part}", "/orders/42/lines", "id=1+1 part=2+1", "/42lines"},
		{"/caf%C3%A9/~a%7eb/c d/é", "/", "", ""},
		{"/caf%C3%A9/~a%7eb/é/a'b", "/", "", "/caf%C3%A9/~a~b/%C3%A9/a'b"},
		{"/v1/{id}", "/orders/a%2fb%3Bc%25d%20e%5C", "id=1+1", "/v1/a%2Fb%3Bc%25d%20e%5C"},
		{"/v1/{id}", "/orders/a;b", "id=1+1", "/v1/a;b"},
		{"/v1/{id}?", "/", "", ""},
		{"/v1/{proxy}", "/files/a/b%20c/d", "proxy=1+3", "/v1/a/b%20c/d"},
		{"/v1/{proxy+}", "/files/a/b%2fc", "proxy=1+2", "/v1/a/b%2Fc"},
		{"/v1/{proxy*}", "/files/a/", "proxy=1+1", "/v1/a/"},
		{"/v1/{proxy}/", "/files/a", "proxy=1+1", "/v1/a/"},
		{"/v1/{proxy}/", "/files/a/", "proxy=1+1", "/v1/a/"},
		{"/v1/{proxy}/tail", "/files/a/b/", "proxy=1+2", "/v1/a/b/tail"},
		{"/v1/{proxy}/tail", "/files/", "proxy=1+0", "/v1/tail"},
		{"/v1/{proxy}", "/files", "proxy=1+0", "/v1"},
		{"/v1/{proxy}", "/files/", "proxy=1+0", "/v1/"},
		{"/v1/{proxy}", "/", "proxy=0+0", "/v1/"},
		{"/{proxy}", "/", "proxy=0+0", "/"},
		{"/{proxy}", "/files", "proxy=1+0", "/"},
		{"/{proxy}", "/files/a/b", "proxy=1+2", "/a/b"},
		{"/{id}/{proxy}", "/files/a/b/c", "id=1+1 proxy=2+2", "/a/b/c"},
		{"/${stageVariables.v}/orders/{id}", "/orders/42", "id=1+1", "/v2/orders/42"},
		{"/x-${stage.v}-{id}", "/orders/42", "id=1+1", "/x-v2-42"},
		{"/${stageVariables.deep}", "/", "", ""},
	} {
		var report config.Report
		r := CompileRewrite(test.rewrite, config.Pos{}, scope, &report)
		if test.want == "" {
			if r != nil || len(report.Problems()) != 1 {
				t.Errorf("%s: compiled", test.rewrite)
			}
			continue
		}
		if r == nil {
			t.Errorf("%s: %+v", test.rewrite, report.Problems())
			continue
		}
		x := at(t, test.target, strings.Fields(test.params)...)
		if got := string(r.Append([]byte("x"), x)); got != "x"+test.want {
			t.Errorf("%s of %s: %s, not %s", test.rewrite, test.target, got[1:], test.want)
		}
	}
	if CompileRewrite("", config.Pos{}, scope, nil) != nil {
		t.Error("a rewrite of nothing")
	}
}

func TestRewriteErrors(t *testing.T) {
	for text, want := range map[string]string{
		"v1":                           "begins with /",
		"{id}":                         "begins with /",
		"http://evil/":                 "begins with /",
		"//":                           "empty segment",
		"//evil.test/":                 "empty segment",
		"/a//b":                        "empty segment",
		"/a//":                         "empty segment",
		"/a/../b":                      "dot-segment",
		"/a/%2e%2e":                    "dot-segment",
		"/a;b":                         "semicolon",
		"/a%2fb":                       "encoded-slash",
		`/a\b`:                         "backslash",
		"/a%zz":                        "broken percent",
		"/a b":                         "a space",
		"/a?b=c":                       "the query passes",
		"/a#b":                         "the query passes",
		"/a\n":                         "control byte",
		"/{id":                         "a { without its }",
		"/id}":                         "a } without its {",
		"/proxy}":                      "a } without its {",
		"/{proxy":                      "a { without its }",
		"/{id}}":                       "a } without its {",
		"/{}":                          `unknown path parameter ""`,
		"/{di}":                        `unknown path parameter "di"`,
		"/{id+}":                       "{id} is one segment: write {id}",
		"/{proxy++}":                   "segment of its own",
		"/x-{proxy}":                   "segment of its own",
		"/{proxy}.json":                "segment of its own",
		"/.{id}":                       "could become a dot segment",
		"/{id}..":                      "could become a dot segment",
		"/${request.id}":               "not ${request.id}",
		"/${client.ip}":                "not ${client.ip}",
		"/${nonsense}":                 "not ${nonsense}",
		"/${stageVariables.w}":         `unknown stage variable "w"`,
		"/${stageVariables.dots}":      "dot-segment",
		"/${stageVariables.slash}":     "empty segment",
		"/${stageVariables.brace}":     `holds "{id}", which no path can`,
		"/${stageVariables.empty}":     "",
		"/a/${stageVariables.empty}/b": "empty segment",
		"/${stageVariables.v":          "a ${ without its }",
	} {
		var report config.Report
		r := CompileRewrite(text, config.Pos{File: "f", Line: 3, Column: 4}, scope, &report)
		p := report.Problems()
		if want == "" {
			if r == nil {
				t.Errorf("%q: %+v", text, p)
			}
			continue
		}
		if r != nil || len(p) != 1 || !strings.Contains(p[0].Message, want) || p[0].Pos.String() != "f:3:4" {
			t.Errorf("%q: %+v, not %q", text, p, want)
		}
	}
}

func TestRewriteAllocations(t *testing.T) {
	var report config.Report
	r := CompileRewrite("/v1/{id}/{proxy}", config.Pos{}, scope, &report)
	x := at(t, "/orders/42/a/b", "id=1+1", "proxy=2+2")
	b := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(20, func() { r.Append(b, x) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRewrite: a rewrite is refused, or makes for every path one that is read
// as no more and no less than it says.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{"/v1/{id}", "/{proxy}", "/a/{proxy+}/b/", "/x-{id}.{part}", "/caf%C3%A9/${stageVariables.v}", "/.{id}", "/{id", "//", "/a%2f"} {
		f.Add(seed, "/orders/42/lines/a/b/")
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		var report config.Report
		r := CompileRewrite(text, config.Pos{}, scope, &report)
		if (r == nil) != (len(report.Problems()) > 0 || text == "") {
			t.Fatalf("%q: %v, %+v", text, r, report.Problems())
		}
		var path exchange.Path
		if r == nil || path.Parse(target) != nil || len(path.Segments) < 3 || path.Oddities != 0 {
			return
		}
		x := at(t, target)
		n := len(path.Segments)
		x.Params = []exchange.Param{{Name: "id", First: 1, Count: 1}, {Name: "part", First: 2, Count: 1}, {Name: "proxy", First: 3, Count: n - 3}}
		got := string(r.Append(nil, x))
		var again exchange.Path
		if err := again.Parse(got); err != nil || again.Oddities != 0 || again.Canonical() != got {
			t.Fatalf("%q of %q: %q: %v, oddities %s, canonical %q", text, target, got, err, again.Oddities, again.Canonical())
		}
		x.Release()
	})
}
