package route_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/route"
)

// build makes a table from routes as "METHOD PATH", whose values they are.
func build(t testing.TB, stages ...route.Stage[string]) *route.Table[string] {
	t.Helper()
	var report config.Report
	table := route.Build(stages, &report)
	for _, p := range report.Problems() {
		t.Errorf("%s: %s", p.Pos, p.Message)
	}
	return table
}

func stage(routes ...string) route.Stage[string] {
	s := route.Stage[string]{Name: "test", Default: "default"}
	for i, text := range routes {
		s.Routes = append(s.Routes, parsed(text, i+1))
	}
	return s
}

// parsed reads "METHOD PATH", behind it conditions as ?name=value and
// @header=value.
func parsed(text string, line int) route.Route[string] {
	fields := strings.Fields(text)
	m, err := route.ParseMatch(fields[0] + " " + fields[1])
	if err != nil {
		panic(err)
	}
	r := route.Route[string]{Match: m, Value: text, At: config.Pos{File: "f", Line: line, Column: 1}, Headers: map[string]string{}, Query: map[string]string{}}
	for _, c := range fields[2:] {
		name, value, _ := strings.Cut(c[1:], "=")
		if c[0] == '?' {
			r.Query[name] = value
		} else {
			r.Headers[name] = value
		}
	}
	return r
}

// request reads "METHOD [HOST]TARGET", behind it headers as name=value.
func request(t testing.TB, text string) route.Request {
	t.Helper()
	fields := strings.Fields(text)
	host, target, _ := strings.Cut(fields[1], "/")
	q := route.Request{Method: fields[0], Host: host, Path: new(exchange.Path), Header: http.Header{}}
	if err := q.Path.Parse("/" + target); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, h := range fields[2:] {
		name, value, _ := strings.Cut(h, "=")
		q.Header.Add(name, value)
	}
	return q
}

// result writes a Result as tests name it.
func result(r route.Result[string]) string {
	var b strings.Builder
	switch r.Outcome {
	case route.Found:
		b.WriteString(r.Value)
	case route.NoMethod:
		b.WriteString("405 " + r.Allow.Allow())
	default:
		b.WriteString(r.Outcome.String())
	}
	for _, p := range r.Params {
		fmt.Fprintf(&b, " %s=%s", p.Name, p.Value)
	}
	return b.String()
}

func TestPrecedence(t *testing.T) {
	table := build(t, stage(
		"GET /",
		"GET /orders",
		"POST /orders",
		"GET /orders/{id}",
		"GET /orders/mine",
		"DELETE /orders/{id}",
		"ANY /orders/{id}/lines",
		"GET /orders/{id}/{part}",
		"GET /{kind}/mine/lines",
		"GET /files/{proxy+}",
		"POST /files/{proxy*}",
		"GET /files/{name}/raw",
		"GET /site/{proxy*}",
		"ANY /{proxy+}",
		"HEAD /head",
		"GET /head",
		"PATCH /caf%C3%A9",
	))
	for text, want := range map[string]string{
		"GET /":                  "GET /",
		"HEAD /":                 "GET /",
		"POST /":                 "405 GET, HEAD",
		"GET /orders":            "GET /orders",
		"GET /orders/":           "GET /orders",
		"POST /orders":           "POST /orders",
		"PUT /orders":            "ANY /{proxy+} proxy=orders",
		"GET /orders/42":         "GET /orders/{id} id=42",
		"GET /orders/42/":        "GET /orders/{id} id=42",
		"HEAD /orders/42":        "GET /orders/{id} id=42",
		"GET /orders/mine":       "GET /orders/mine",
		"DELETE /orders/mine":    "DELETE /orders/{id} id=mine", // the literal path has no DELETE
		"PUT /orders/mine":       "ANY /{proxy+} proxy=orders/mine",
		"GET /orders/42/lines":   "ANY /orders/{id}/lines id=42",
		"TRACE /orders/42/lines": "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
		"GET /orders/42/notes":   "GET /orders/{id}/{part} id=42 part=notes",
		"GET /orders/mine/lines": "ANY /orders/{id}/lines id=mine", // orders before {kind}: left to right
		"GET /carts/mine/lines":  "GET /{kind}/mine/lines kind=carts",
		"GET /orders/1/2/3":      "ANY /{proxy+} proxy=orders/1/2/3",
		"GET /files/a":           "GET /files/{proxy+} proxy=a",
		"POST /files/a":          "POST /files/{proxy*} proxy=a",
		"GET /files":             "ANY /{proxy+} proxy=files", // {proxy+} wants one
		"POST /files":            "POST /files/{proxy*} proxy=",
		"GET /files/a/raw":       "GET /files/{name}/raw name=a",
		"GET /files/a/raw/b":     "GET /files/{proxy+} proxy=a/raw/b",
		"GET /site":              "GET /site/{proxy*} proxy=",
		"GET /site/":             "GET /site/{proxy*} proxy=",
		"GET /site/a/b/":         "GET /site/{proxy*} proxy=a/b",
		"GET /site/a%20b/c":      "GET /site/{proxy*} proxy=a b/c",
		"GET /site/a/b%20c/":     "GET /site/{proxy*} proxy=a/b c",
		"GET /ORDERS/42":         "ANY /{proxy+} proxy=ORDERS/42",
		"HEAD /head":             "HEAD /head",
		"GET /head":              "GET /head",
		"PATCH /caf%c3%a9":       "PATCH /caf%C3%A9",
		"FOO /anything/else":     "ANY /{proxy+} proxy=anything/else",
		"get /orders":            "ANY /{proxy+} proxy=orders",
	} {
		if got := result(table.Lookup(request(t, text), nil)); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

func TestMethodNotAllowed(t *testing.T) {
	s := stage("GET /a", "POST /a", "PUT /{x}", "DELETE /{x+}", "GET /b/{y}", "PROPFIND /a")
	for text, want := range map[string]string{
		"PATCH /a":   "405 GET, HEAD, POST, PUT, DELETE, PROPFIND",
		"PATCH /b":   "405 PUT, DELETE",
		"POST /b/c":  "405 GET, HEAD, DELETE",
		"OPTIONS /c": "405 PUT, DELETE",
		"GET /":      "no route",
	} {
		if got := result(build(t, s).Lookup(request(t, text), nil)); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
	s.Options = true
	r := build(t, s).Lookup(request(t, "PATCH /b"), nil)
	if r.Allow.Allow() != "PUT, DELETE, OPTIONS" || r.Value != "default" {
		t.Errorf("%+v", r)
	}
	if r := build(t, s).Lookup(request(t, "GET /"), nil); r.Outcome != route.NoRoute || r.Value != "default" {
		t.Errorf("%+v", r)
	}
}

func TestConditions(t *testing.T) {
	table := build(t, stage(
		"GET /a",
		"GET /a ?v=2",
		"GET /a ?v=2 @x-beta=yes",
		"GET /a ?v=*",
		"GET /a ?w=3", // after ?v=* by declaration
		"POST /a ?v=1",
		"PUT /b ?v=1",
		"GET /{any} @x-beta=*",
		"GET /c @x-beta=yes",
		"GET /sp ?a+b=c%20d", // names and values stand as they are
	))
	for text, want := range map[string]string{
		"GET /a":                          "GET /a",
		"GET /a?v=2":                      "GET /a ?v=2",
		"GET /a?v=1&v=2":                  "GET /a ?v=2",
		"GET /a?v=%32":                    "GET /a ?v=2",
		"GET /a?%76=2":                    "GET /a ?v=2",
		"GET /a?v=2%":                     "GET /a ?v=*",
		"GET /a?v":                        "GET /a ?v=*",
		"GET /a?v=20":                     "GET /a ?v=*",
		"GET /a?V=2":                      "GET /a",
		"GET /a?xv=2":                     "GET /a",
		"GET /a?w=3":                      "GET /a ?w=3",
		"GET /a?w=3&v=9":                  "GET /a ?v=*",
		"GET /a?v=2 x-beta=yes":           "GET /a ?v=2 @x-beta=yes",
		"GET /a?v=2 x-beta=no":            "GET /a ?v=2",
		"GET /a?v=2 X-Beta=no X-Beta=yes": "GET /a ?v=2 @x-beta=yes",
		"HEAD /a?v=2":                     "GET /a ?v=2",
		"POST /a?v=1":                     "POST /a ?v=1",
		"POST /a":                         "405 GET, HEAD", // what POST asks for is not said
		"POST /a x-beta=1":                "405 GET, HEAD",
		"PUT /b":                          "no route", // no method would help
		"DELETE /b":                       "no route",
		"DELETE /b?v=1":                   "405 PUT",
		"GET /c x-beta=no":                "GET /{any} @x-beta=* any=c",
		"GET /c x-beta=yes":               "GET /c @x-beta=yes",
		"GET /sp?a+b=c%20d":               "no route",
		"GET /sp?a%2bb=c%2520d":           "GET /sp ?a+b=c%20d",
	} {
		if got := result(table.Lookup(request(t, text), nil)); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}

func TestPreflight(t *testing.T) {
	table := build(t, stage("PUT /a @x-key=1", "PUT /a", "GET /a @accept=text/html", "DELETE /b"))
	for text, want := range map[string]string{
		"OPTIONS /a Origin=https://x Access-Control-Request-Method=PUT":                                        "PUT /a",
		"OPTIONS /a Origin=https://x Access-Control-Request-Method=PUT Access-Control-Request-Headers=a,X-KEY": "PUT /a @x-key=1",
		"OPTIONS /a Origin=https://x Access-Control-Request-Method=PUT Access-Control-Request-Headers=x-keys":  "PUT /a",
		"OPTIONS /a Origin=https://x Access-Control-Request-Method=GET":                                        "GET /a @accept=text/html",
		"OPTIONS /b Origin=https://x Access-Control-Request-Method=PUT":                                        "405 DELETE",
		"OPTIONS /b Origin=https://x":                                     "none",
		"OPTIONS /b Access-Control-Request-Method=DELETE":                 "none",
		"DELETE /b Origin=https://x Access-Control-Request-Method=DELETE": "none",
	} {
		q := request(t, text)
		r := httptest.NewRequest(q.Method, "/", nil)
		r.Header = q.Header
		x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
		x.Path = *q.Path
		got := "none"
		if asked, ok := route.PreflightOf(x, r); ok {
			got = result(table.Lookup(asked, nil))
		}
		if got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
		if own := route.Of(x, r); own.Method != q.Method || own.Preflight || own.Path != &x.Path {
			t.Errorf("%s: as it stands: %+v", text, own)
		}
		x.Release()
	}
}

func TestHosts(t *testing.T) {
	on := func(name, prefix string, hosts ...string) route.Stage[string] {
		s := stage("GET /x", "GET /{p+}")
		s.Name, s.Hosts, s.Default = name, hosts, name+" default"
		for i := range s.Routes {
			s.Routes[i].Value = name
		}
		if prefix != "" {
			s.Prefix = strings.Split(prefix[1:], "/")
		}
		return s
	}
	table := build(t,
		on("exact", "", "api.shop.test", "www.shop.test"),
		on("beta", "/beta", "api.shop.test"),
		on("deep", "/beta/v2", "api.shop.test"),
		on("wild", "", "*.shop.test"),
		on("longer", "", "*.eu.shop.test"),
		on("below", "/below", "only.test"),
		on("any", ""),
		on("any beta", "/beta"),
	)
	for text, want := range map[string]string{
		"GET api.shop.test/x":           "exact 0",
		"GET www.shop.test/y/z":         "exact 0 p=y/z",
		"GET api.shop.test/beta/x":      "beta 1",
		"GET api.shop.test/beta/y":      "beta 1 p=y",
		"GET api.shop.test/betamax/x":   "exact 0 p=betamax/x",
		"GET api.shop.test/beta/v2/x":   "deep 2",
		"GET api.shop.test/beta/v2/y/z": "deep 2 p=y/z",
		"GET api.shop.test/beta/v3/x":   "beta 1 p=v3/x",
		"GET www.shop.test/beta/x":      "exact 0 p=beta/x",
		"GET a.shop.test/x":             "wild 0",
		"GET a.b.shop.test/x":           "wild 0",
		"GET a.eu.shop.test/x":          "longer 0",
		"GET eu.shop.test/x":            "wild 0",
		"GET shop.test/x":               "any 0",
		"GET .shop.test/x":              "any 0",
		"GET a..shop.test/x":            "any 0",
		"GET xshop.test/x":              "any 0",
		"GET other.test/beta/x":         "any beta 1",
		"GET /x":                        "any 0",
		"GET only.test/below/x":         "below 1",
		"GET only.test/x":               "no stage",
		"GET api.shop.test/beta":        "no route beta default",
		"POST api.shop.test/beta/v2/x":  "405 deep default",
		"GET only.test/":                "no stage",
	} {
		r := table.Lookup(request(t, text), nil)
		got := r.Value
		switch r.Outcome {
		case route.Found:
			got = fmt.Sprint(r.Value, " ", r.Prefix)
			for _, p := range r.Params {
				got += " " + p.Name + "=" + p.Value
				if p.First != r.Prefix || p.Count != 1+strings.Count(p.Value, "/") {
					t.Errorf("%s: the parameter is said to be segment %d and %d more", text, p.First, p.Count)
				}
			}
		case route.NoRoute:
			got = "no route " + got
		case route.NoMethod:
			got = "405 " + got
		default:
			got = r.Outcome.String()
		}
		if got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
	if r := build(t, on("exact", "", "api.shop.test")).Lookup(request(t, "GET other.test/x"), nil); r.Outcome != route.NoHost || r.Value != "" {
		t.Errorf("%+v", r)
	}
	if r := build(t, on("wild", "", "*.shop.test")).Lookup(request(t, "GET localhost/x"), nil); r.Outcome != route.NoHost {
		t.Errorf("%+v", r)
	}
}

// Parameters are appended to those given, without an allocation where there is
// room, and leave them as they are where no route matches.
func TestParamsAppend(t *testing.T) {
	table := build(t, stage("GET /a/{b}/{c+}"))
	given := append(make([]exchange.Param, 0, 8), exchange.Param{Name: "first", Value: "1"})
	r := table.Lookup(request(t, "GET /a/b/c/d"), given)
	if got := result(r); got != "GET /a/{b}/{c+} first=1 b=b c=c/d" || &r.Params[0] != &given[0] {
		t.Error(got)
	}
	if r := table.Lookup(request(t, "GET /b"), given); len(r.Params) != 1 {
		t.Errorf("%+v", r)
	}
	// A semicolon or an encoded slash stays in its segment.
	r = table.Lookup(request(t, "GET /a/b%2fc/d;e/f%20"), nil)
	if got := result(r); got != "GET /a/{b}/{c+} b=b/c c=d;e/f " || r.Params[0].Count != 1 || r.Params[1].First != 2 || r.Params[1].Count != 2 {
		t.Errorf("%s %+v", got, r.Params)
	}
}

func TestLookupConcurrently(t *testing.T) {
	table := build(t, stage("GET /a/{b}", "GET /a/{b+} ?v=1", "POST /c"))
	var all sync.WaitGroup
	for i := range 4 {
		q := request(t, fmt.Sprintf("GET /a/%d?v=1", i))
		all.Go(func() {
			for range 500 {
				if r := table.Lookup(q, nil); r.Value != "GET /a/{b}" || r.Params[0].Value != fmt.Sprint(i) {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	all.Wait()
}
