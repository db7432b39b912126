package validate

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/config/tree"
	"gatehouse/exchange"
	"gatehouse/validate/schema"
)

// value returns a value of a definition that is written in JSON; nil for "".
func value(t testing.TB, text string) *tree.Value {
	t.Helper()
	if text == "" {
		return nil
	}
	v := tree.NewFile("d.json", []byte(text)).ParseJSON(func(p tree.Problem) { t.Fatalf("%s: %s", text, p.Message) })
	if v == nil {
		t.Fatal(text)
	}
	return v
}

func compiler(report *config.Report) *Compiler {
	return &Compiler{Schemas: schema.Compiler{Report: report, Resolve: func(*tree.File, string) (*tree.Value, error) { return nil, errors.New("nowhere") }}}
}

func operation(t testing.TB, s *Spec) *Operation {
	t.Helper()
	var report config.Report
	o := compiler(&report).Operation(s)
	for _, p := range report.Problems() {
		t.Fatal(p.Message)
	}
	return o
}

func all() *Config {
	return &Config{Parameters: true, Body: true, Limit: 1 << 20, Depth: 64, Values: 100_000}
}

// parameterOf returns a parameter by IN NAME STYLE, with ! behind its name where it is
// required and * behind its style where it is exploded.
func parameterOf(t testing.TB, text, schema string) Parameter {
	words := strings.Fields(text)
	p := Parameter{In: words[0], Style: "form", Schema: value(t, schema)}
	p.Name, p.Required = strings.CutSuffix(words[1], "!")
	if len(words) > 2 {
		p.Style, p.Explode = strings.CutSuffix(words[2], "*")
	}
	return p
}

// serve runs a request through the filter, and returns the status and what was
// found.
func serve(f http.Handler, r *http.Request, params ...exchange.Param) (int, string, string) {
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, r, &exchange.Conn{}, nil)
	_ = x.Path.Parse(r.URL.RequestURI())
	x.Params = append(x.Params, params...)
	f.ServeHTTP(&x.Writer, r)
	x.Finish()
	if x.Refused == nil {
		return rec.Code, "", rec.Body.String()
	}
	return rec.Code, x.Refused.Detail, rec.Body.String()
}

func served(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func TestParameters(t *testing.T) {
	const (
		integer  = `{"type": "integer"}`
		integers = `{"type": "array", "items": {"type": "integer"}, "maxItems": 3}`
		point    = `{"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}, "tags": {"type": "array"}}, "required": ["x"], "additionalProperties": false}`
	)
	for _, tc := range []struct{ parameter, schema, request, want string }{
		{"query n", integer, "?n=5", ""},
		{"query n", integer, "", ""},
		{"query n!", integer, "", "Missing required request parameters: [n]"},
		{"query n!", integer, "?n=", "Missing required request parameters: [n]"},
		{"query n", integer, "?n=x", "query.n: must be of the type integer"},
		{"query n", integer, "?n=5&n=6", "query.n: is there more than once"},
		{"query n", integer, "?n=%35", ""},
		{"query n", integer, "?%6e=x", "query.n: must be of the type integer"},
		{"query n", integer, "?n=%3", "query.n: is encoded wrongly"},
		{"query n", integer, "?n=%ff", "query.n: is encoded wrongly"},
		{"query n", integer, "?%ff=1", "query: a name that is encoded wrongly"},
		{"query n", integer, "?n=5.0", ""},
		{"query n", integer, "?n=05", "query.n: must be of the type integer"},
		{"query b", `{"type": "boolean"}`, "?b=true", ""},
		{"query b", `{"type": "boolean"}`, "?b=1", "query.b: must be of the type boolean"},
		{"query s", `{"type": "string", "maxLength": 2}`, "?s=12", ""},
		{"query s", `{"type": "string", "maxLength": 2}`, "?s=%C3%A4%C3%B6", ""},
		{"query s", `{"type": "string", "maxLength": 2}`, "?s=abc", "query.s: must have at most 2 characters"},
		{"query s", `{"enum": [1, "a"]}`, "?s=1", ""},
		{"query s", `{"enum": [1, "a"]}`, "?s=b", "query.s: must be one of the 2 values that are allowed"},
		{"query s", `{"type": ["integer", "null"]}`, "?s=null", ""},
		{"query s", `{"anyOf": [{"type": "integer"}, {"enum": ["all"]}]}`, "?s=all", ""},
		{"query s", `{"anyOf": [{"type": "integer"}, {"enum": ["all"]}]}`, "?s=some", "query.s: fits none of the 2 kinds that it may be of"},
		{"query s", "", "?s=anything", ""},
		{"query l form*", integers, "?l=1&l=2", ""},
		{"query l form*", integers, "?l=1&l=x", "query.l: /1 must be of the type integer"},
		{"query l form*", integers, "?l=1&l=2&l=3&l=4", "query.l: must have at most 3 items"},
		{"query l form", integers, "?l=1,2", ""},
		{"query l form", integers, "?l=1,x", "query.l: /1 must be of the type integer"},
		{"query l form", `{"type": "array", "items": {"type": "string", "maxLength": 3}}`, "?l=a%2Cb,c", ""},
		{"query l spaceDelimited", integers, "?l=1%202+3", ""},
		{"query l pipeDelimited", integers, "?l=1%7C2|3", ""},
		{"query l pipeDelimited", integers, "?l=1,2", "query.l: /0 must be of the type integer"},
		{"query p form*", point, "?x=1&y=2", ""},
		{"query p form*", point, "?y=2", `query.p: must have the member "x"`},
		{"query p! form*", point, "?z=2", "Missing required request parameters: [p]"},
		{"query p form*", point, "?x=1&tags=a&tags=b", ""},
		{"query p form*", point, "?x=1&x=2", "query.p: has a member more than once"},
		{"query p form", point, "?p=x,1,y,2", ""},
		{"query p form", point, "?p=x,1,y", "query.p: is no list of names and values"},
		{"query p form", point, "?p=x,1,z,2", "query.p: /z is no member that is known"},
		{"query p deepObject*", point, "?p[x]=1&p%5By%5D=2", ""},
		{"query p deepObject*", point, "?p[x]=1&p[tags]=a&p[tags]=b", ""},
		{"query p deepObject*", point, "?p[x]=1&p[z]=2", "query.p: /z is no member that is known"},
		{"query p deepObject*", point, "?p[x][y]=1", "query.p: has a member with a name that is not written [name]"},
		{"header X-N simple", integer, "X-N: 5", ""},
		{"header x-n! simple", integer, "", "Missing required request parameters: [x-n]"},
		{"header X-N simple", integer, "X-N: x", "header.X-N: must be of the type integer"},
		{"header X-L simple", integers, "X-L: 1, 2,3", ""},
		{"header X-L simple", integers, "X-L: 1, x", "header.X-L: /1 must be of the type integer"},
		{"header X-P simple*", point, "X-P: x=1,y=2", ""},
		{"header X-P simple", point, "X-P: x,1,y,2", ""},
		{"header Authorization! simple", integer, "", ""},
		{"cookie c", integer, "Cookie: a=b; c=5", ""},
		{"cookie c", integer, `Cookie: a=b; c="x"`, "cookie.c: must be of the type integer"},
		{"cookie c!", integer, "Cookie: a=b", "Missing required request parameters: [c]"},
		{"path id simple", integer, "5", ""},
		{"path id simple", integer, "x", "path.id: must be of the type integer"},
		{"path id simple", integers, "1,2", ""},
		{"path id label", integer, ".5", ""},
		{"path id label*", integers, ".1.2", ""},
		{"path id simple*", point, "x=1,y=2", ""},
	} {
		f := New(all(), operation(t, &Spec{Parameters: []Parameter{parameterOf(t, tc.parameter, tc.schema)}}))(http.HandlerFunc(served))
		r := httptest.NewRequest("GET", "/", nil)
		var params []exchange.Param
		switch name, field, header := strings.Cut(tc.request, ": "); {
		case strings.HasPrefix(tc.request, "?"):
			r = httptest.NewRequest("GET", "/"+tc.request, nil)
		case header:
			r.Header.Set(name, field)
		case tc.request != "":
			params = []exchange.Param{{Name: "id", Value: tc.request, Count: 1}}
		}
		status, got, _ := serve(f, r, params...)
		if got != tc.want || status != 200 && tc.want == "" || status != 400 && tc.want != "" {
			t.Errorf("%s %s, %s: got %d %q, want %q", tc.parameter, tc.schema, tc.request, status, got, tc.want)
		}
	}
}

func TestStyles(t *testing.T) {
	for _, text := range []string{"path id matrix", "header a deepObject", "query a fancy"} {
		var report config.Report
		compiler(&report).Operation(&Spec{Parameters: []Parameter{parameterOf(t, text, `{}`)}})
		if len(report.Problems()) != 1 {
			t.Errorf("%s: %v", text, report.Problems())
		}
	}
}

func TestManyParameters(t *testing.T) {
	f := New(all(), operation(t, &Spec{}))(http.HandlerFunc(served))
	for n, want := range map[int]int{1000: 200, 1001: 400} {
		if status, detail, _ := serve(f, httptest.NewRequest("GET", "/?"+strings.Repeat("a=1&", n), nil)); status != want {
			t.Errorf("%d parameters: %d %s", n, status, detail)
		}
	}
}

func TestBodies(t *testing.T) {
	object := `{"type": "object", "required": ["a"]}`
	spec := func(required bool, types ...string) *Spec {
		b := &Body{Required: required}
		for _, kind := range types {
			b.Types = append(b.Types, Content{Type: kind, Schema: value(t, object), Form: strings.Contains(kind, "form")})
		}
		return &Spec{Body: b}
	}
	for _, tc := range []struct {
		spec       *Spec
		kind, body string
		status     int
		want       string
	}{
		{spec(false, "application/json"), "application/json", `{"a": 1}`, 200, ""},
		{spec(false, "application/json"), "Application/JSON; Charset=UTF-8", `{"a": 1}`, 200, ""},
		{spec(false, "application/json"), "application/json; charset=latin1", `{"a": 1}`, 415, "none that the operation takes"},
		{spec(false, "application/json"), "application/json; charset", `{"a": 1}`, 415, "none that the operation takes"},
		{spec(false, "application/json"), "", `{"a": 1}`, 200, ""},
		{spec(false, "application/json"), "", `{}`, 400, `must have the member "a"`},
		{spec(false, "application/json"), "text/plain", `{"a": 1}`, 415, "none that the operation takes"},
		{spec(false, "application/json"), "application/json", ``, 200, ""},
		{spec(true, "application/json"), "application/json", ``, 400, "the body is missing"},
		{spec(true, "application/json"), "application/json", `[`, 400, "no JSON that is taken, at byte 1"},
		{spec(true, "application/merge-patch+json"), "application/merge-patch+json", `{}`, 400, `must have the member "a"`},
		{spec(true, "application/*"), "application/xml", `<a/>`, 200, ""},
		{spec(true, "*/*", "application/json"), "application/json", `{}`, 400, `must have the member "a"`},
		{spec(true, "*/*", "application/json"), "text/plain", `hi`, 200, ""},
		{spec(true, "application/x-www-form-urlencoded"), "application/x-www-form-urlencoded", `a=1`, 200, ""},
		{spec(true, "application/x-www-form-urlencoded"), "application/x-www-form-urlencoded", `b=1`, 400, `must have the member "a"`},
		{spec(true, "application/x-www-form-urlencoded"), "application/x-www-form-urlencoded", `a=1&a=2`, 400, "more than once"},
		{spec(true, "application/x-www-form-urlencoded"), "application/x-www-form-urlencoded", `a=%f`, 400, "is encoded wrongly"},
		{spec(true, "multipart/form-data"), "multipart/form-data; boundary=x", `--x`, 200, ""},
		{&Spec{}, "text/plain", "anything", 200, ""},
		{spec(true), "text/plain", "anything", 200, ""},
	} {
		f := New(all(), operation(t, tc.spec))(http.HandlerFunc(served))
		r := httptest.NewRequest("POST", "/", strings.NewReader(tc.body))
		if tc.kind != "" {
			r.Header.Set("Content-Type", tc.kind)
		}
		if status, got, _ := serve(f, r); status != tc.status || !strings.Contains(got, tc.want) {
			t.Errorf("%q %s: got %d %q, want %d %q", tc.kind, tc.body, status, got, tc.status, tc.want)
		}
	}
}

func TestSeveralContentTypes(t *testing.T) {
	f := New(all(), operation(t, &Spec{Body: &Body{Types: []Content{{Type: "application/json"}}}}))(http.HandlerFunc(served))
	r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header["Content-Type"] = []string{"application/json", "text/plain"}
	if status, _, _ := serve(f, r); status != 415 {
		t.Errorf("got %d", status)
	}
}

// A body that was checked is still there for the target.
func TestBodyPasses(t *testing.T) {
	var got string
	f := New(all(), operation(t, &Spec{Body: &Body{Types: []Content{{Type: "application/json", Schema: value(t, `{"type": "object"}`)}}}}))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b := make([]byte, 100)
		n, _ := r.Body.Read(b)
		got = string(b[:n])
	}))
	serve(f, httptest.NewRequest("POST", "/", strings.NewReader(`{"a": 1}`)))
	if got != `{"a": 1}` {
		t.Errorf("got %q", got)
	}
}

func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"validate: true": "on true true", "validate: false": "off", "validate: {}": "on true true", "validate: {body: false}": "on true false", "validate: {body: false, parameters: false}": "off",
		"validate:": "write true, false", "validate: [a]": "write true, false", "validate: {depth: 0}": "wanted 1 to 1000", "validate: {limit: 1GiB}": "wanted 1 to 64MiB", "validate: {bodies: true}": `did you mean "body"`,
	} {
		var d struct {
			config.At
			Validate *Config `yaml:"validate"`
		}
		_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
		got := "off"
		switch {
		case err != nil:
			got = err.Error()
		case d.Validate.Wanted():
			got = "on false false"
			if d.Validate.Parameters && d.Validate.Body {
				got = "on true true"
			} else if d.Validate.Parameters {
				got = "on true false"
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if New(nil, &Operation{}) != nil || New(all(), nil) != nil || New(&Config{Off: true}, &Operation{}) != nil {
		t.Error("a filter that checks nothing")
	}
}

func TestDigest(t *testing.T) {
	of := func(required bool, schema string) [32]byte {
		return operation(t, &Spec{Parameters: []Parameter{{Name: "a", In: "query", Style: "form", Required: required, Schema: value(t, schema)}}}).Digest()
	}
	same := of(true, `{"type": "integer"}`)
	if same != of(true, `{"type": "integer", "description": "other"}`) {
		t.Error("a description counts")
	}
	if same == of(false, `{"type": "integer"}`) || same == of(true, `{"type": "string"}`) {
		t.Error("a change does not count")
	}
}
