package respond

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

type section struct {
	API   *Config `yaml:"api"`
	Route *Config `yaml:"route"`
}

func load(text string) (section, error) {
	var s section
	_, err := config.LoadBytes("test.yaml", []byte(text), &s, config.Options{})
	return s, err
}

// evil is what a client may send.
const evil = `</script>"'<img src=x onerror=alert(1)>` + "\x1b[31m\r\nx: y\u2028${context.path}"

// find knows a few variables; path is the client's.
func find(name string) (Variable, bool) {
	text := func(f func(x *exchange.Exchange) string) (Variable, bool) {
		return Variable{Append: func(b []byte, x *exchange.Exchange, _ *http.Request) []byte { return append(b, f(x)...) }}, true
	}
	switch name {
	case "requestId":
		return text(func(x *exchange.Exchange) string { return x.ID })
	case "error.message", "error.messageString":
		return text(func(x *exchange.Exchange) string { return x.Refused.Message })
	case "error.responseType":
		return text(func(x *exchange.Exchange) string { return x.Refused.Kind.String() })
	case "path":
		return text(func(x *exchange.Exchange) string { return evil })
	case "requestTimeEpoch":
		return Variable{Number: true, Append: func(b []byte, _ *exchange.Exchange, _ *http.Request) []byte { return append(b, "1772600767089"...) }}, true
	}
	return Variable{}, false
}

// refuse answers a request with a refusal by the section's API within its
// route.
func refuse(t *testing.T, text string, f exchange.Refusal, accept ...string) (*httptest.ResponseRecorder, *exchange.Exchange) {
	t.Helper()
	s, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/orders/42?q=a%20b&q=c", nil)
	r.Header["Accept"] = accept
	r.Header.Set("X-Evil", strings.NewReplacer("\r", "", "\n", "", "\x1b", "").Replace(evil))
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, r, &exchange.Conn{}, nil)
	x.ID = "the-id"
	_ = x.Path.Parse("/orders/42?q=a%20b&q=c")
	x.Params = append(x.Params, exchange.Param{Name: "id", Value: "42"})
	x.Variables = map[string]string{"tier": "gold", "a-b": "dashed"}
	x.Responses = New(s.Route.Over(s.API), find)
	f.Rule = &exchange.Rule{Filter: "test"}
	exchange.Refuse(&x.Writer, r, f)
	x.Finish()
	return rec, x
}

func TestTypes(t *testing.T) {
	const text = `
api:
  UNAUTHORIZED: {headers: {x-is: unauthorized}}
  DEFAULT_4XX: {status: 418, headers: {x-is: 4xx}}
  DEFAULT_5XX: {headers: {x-is: 5xx}}
  MISSING_AUTHENTICATION_TOKEN: {headers: {x-is: missing}}
route:
  UNAUTHORIZED: {headers: {x-is: of the route}}
`
	for _, tc := range []struct {
		refusal exchange.Refusal
		status  int
		is      string
	}{
		{exchange.Refusal{Status: 401}, 401, "of the route"},
		{exchange.Refusal{Status: 401, Kind: exchange.ExpiredToken}, 401, "of the route"},
		{exchange.Refusal{Status: 404}, 404, "missing"},
		{exchange.Refusal{Status: 403}, 418, "4xx"},
		{exchange.Refusal{Status: 429}, 418, "4xx"},
		{exchange.Refusal{Status: 502}, 502, "5xx"},
		{exchange.Refusal{Status: 503, Kind: exchange.AuthorizerFailure}, 503, "5xx"},
	} {
		rec, x := refuse(t, text, tc.refusal)
		if rec.Code != tc.status || rec.Header().Get("X-Is") != tc.is || !strings.HasPrefix(rec.Body.String(), `{"message":`) {
			t.Errorf("%+v: %d %s %s", tc.refusal, rec.Code, rec.Header().Get("X-Is"), rec.Body)
		}
		if steps := x.Trail.Steps(); steps[len(steps)-1].Rule.Filter != "gateway-responses" || !steps[len(steps)-1].Rule.At.IsValid() {
			t.Errorf("%+v: the trail says %+v", tc.refusal, steps)
		}
	}
	if rec, _ := refuse(t, `api: {THROTTLED: {status: 420}}`, exchange.Refusal{Status: 403}); rec.Code != 403 {
		t.Error("the form of another type")
	}
}

func TestBodies(t *testing.T) {
	for _, tc := range []struct{ body, media, want string }{
		{`application/json: '{"message": $context.error.messageString, "id": "$context.requestId", "at": $context.requestTimeEpoch, "status": $context.status, "none": $context.identity.user}'`,
			"application/json", `{"message": "Forbidden", "id": "the-id", "at": 1772600767089, "status": 403, "none": null}`},
		{`application/problem+json: '{"title": "${context.error.message} for ${stageVariables.tier}, ${stage.a-b}", "q": $method.request.querystring.q, "p": $method.request.path.id, "$${": "$5 $"}'`,
			"application/problem+json", `{"title": "Forbidden for gold, dashed", "q": "a b", "p": "42", "${": "$5 $"}`},
		{`text/plain: "$context.error.messageString: $context.error.responseType."`, "text/plain; charset=utf-8", `"Forbidden": ACCESS_DENIED.`},
		{`text/html: "<p title='$context.path'>$context.error.message</p>"`, "text/html; charset=utf-8",
			`<p title='&lt;/script&gt;&#34;&#39;&lt;img src=x onerror=alert(1)&gt;` + "\x1b[31m\r\nx: y\u2028${context.path}'>Forbidden</p>"},
		{`text/css: "body { color: red }"`, "text/css; charset=utf-8", `body { color: red }`},
		{`application/xml: "<e id='$context.requestId'>$context.path</e>"`, "application/xml",
			"<e id='the-id'>&#60;/script&#62;&#34;&#39;&#60;img src=x onerror=alert(1)&#62;\ufffd[31m\ufffd\ufffdx: y\u2028${context.path}</e>"},
		{`text/plain: "$context.path"`, "text/plain; charset=utf-8", `</script>"'<img src=x onerror=alert(1)>` + "\ufffd[31m\ufffd\ufffdx: y\ufffd${context.path}"},
	} {
		rec, _ := refuse(t, "api: {DEFAULT_4XX: {bodies: {"+tc.body+"}}}", exchange.Refusal{Status: 403})
		if got := rec.Body.String(); got != tc.want || rec.Header().Get("Content-Type") != tc.media || rec.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s:\n%q\n%q %v", tc.body, got, tc.want, rec.Header())
		}
	}
}

// Whatever a client sends, a body stays what it was written to be.
func TestNothingIsInjected(t *testing.T) {
	rec, _ := refuse(t, `api: {DEFAULT_4XX: {bodies: {application/json: '{"a": "$context.path", "b": $method.request.header.x-evil, "c": {"d": "x$context.path-"}}'}}}`, exchange.Refusal{Status: 403})
	var got struct {
		A, B string
		C    struct{ D string }
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.A != evil || got.C.D != "x"+evil+"-" || strings.ContainsAny(rec.Body.String(), "<>\r\n\x1b") {
		t.Errorf("%v: %s", err, rec.Body)
	}
	const html = `<a href='$context.path' onclick=\"f('$context.path')\">x</a><script>var p = $context.path, q = '$context.path';</script><style>p { color: $context.path }</style><input value=$context.path>`
	rec, _ = refuse(t, `api: {DEFAULT_4XX: {bodies: {text/html: "`+html+`"}}}`, exchange.Refusal{Status: 403})
	if body := rec.Body.String(); strings.Contains(body, "<img") || strings.Count(body, "</script>") != 1 || strings.Count(body, "<") != 7 {
		t.Error(body)
	}
	rec, x := refuse(t, `api: {DEFAULT_4XX: {headers: {x-path: "$context.path", x-id: "id $context.requestId", location: "https://login.test/?back=$method.request.querystring.q&id=$method.request.header.x-evil"}}}`, exchange.Refusal{Status: 403})
	h := rec.Header()
	if _, there := h["X-Path"]; there || h.Get("X-Id") != "id the-id" || !strings.HasPrefix(h.Get("Location"), "https://login.test/?back=a+b&id=%3C%2Fscript%3E%22%27%3Cimg+src%3Dx+onerror") {
		t.Errorf("%v", h)
	}
	if steps := x.Trail.Steps(); steps[len(steps)-1].Decision != exchange.Failed {
		t.Errorf("%+v", steps)
	}
}

func TestChoose(t *testing.T) {
	offers := []media{{"application", "json"}, {"text", "html"}, {"text", "plain"}}
	for accept, want := range map[string]int{
		"*/*": 0, "text/html": 1, "TEXT/HTML": 1, "text/*": 1, "text/plain, text/*;q=0.5": 2, "image/png": 0, "": 0,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": 1,
		"text/html;q=0.5, application/json;q=0.4":                         1,
		"text/html;q=0, */*;q=0.1":                                        0,
		"text/html;level=1;q=0.9, application/json;q=0.2":                 1,
		"application/json;q=0.0, text/plain;q=0.001":                      2,
		"text/html;q=2, application/json;q=0.1":                           0,
		"text/html;q=0.1234, application/json;q=0.1":                      0,
		";;,,/,*/html, text/plain":                                        2,
		strings.Repeat("a/b,", maxRanges) + "text/html":                   0,
	} {
		if got := choose([]string{accept}, offers); got != want {
			t.Errorf("%q: %v", accept, offers[got])
		}
	}
	if choose(nil, offers) != 0 || choose([]string{"text/html;q=0.5", "text/plain"}, offers) != 2 {
		t.Error("fields")
	}
}

func TestNegotiated(t *testing.T) {
	const text = `api: {DEFAULT_4XX: {bodies: {application/json: '{"json": 1}', text/html: "<p>html</p>"}}}`
	for accept, want := range map[string]string{"text/html,*/*;q=0.8": "<p>html</p>", "*/*": `{"json": 1}`} {
		rec, _ := refuse(t, text, exchange.Refusal{Status: 403}, accept)
		if rec.Body.String() != want || rec.Header().Get("Vary") != "Accept" {
			t.Errorf("%s: %s %v", accept, rec.Body, rec.Header())
		}
	}
}

func TestErrors(t *testing.T) {
	for text, says := range map[string]string{
		`UNAUTHORISED: {status: 400}`:                                            `did you mean "UNAUTHORIZED"?`,
		`THROTTLED: {}`:                                                          "says nothing",
		`THROTTLED: {status: 199}`:                                               "200 to 599",
		`THROTTLED: {headers: {"x y": a}}`:                                       "is not a name",
		`THROTTLED: {headers: {content-type: text/html}}`:                        "stands before it",
		`THROTTLED: {headers: {transfer-encoding: chunked}}`:                     "nothing may change",
		`THROTTLED: {headers: {x-amzn-requestid: a}}`:                            "nothing may change",
		`THROTTLED: {headers: {x-a: "a\nb"}}`:                                    "control byte",
		`THROTTLED: {headers: {x-a: a, X-A: b}}`:                                 "there twice",
		`THROTTLED: {headers: {x-a: "$context.requestID"}}`:                      "did you mean $context.requestId?",
		`THROTTLED: {headers: {x-a: "$context.refused.detail"}}`:                 "not for clients",
		`THROTTLED: {headers: {x-a: "$context.integration.error"}}`:              "not for clients",
		`THROTTLED: {headers: {x-a: "$context.authorizer.error"}}`:               "not for clients",
		`THROTTLED: {headers: {x-a: "$context.upstream.target"}}`:                "not for clients",
		`THROTTLED: {headers: {x-a: "${path.id}"}}`:                              "unknown variable ${path.id}",
		`THROTTLED: {headers: {x-a: "${context.path"}}`:                          "unknown variable",
		`THROTTLED: {bodies: {json: "{}"}}`:                                      "no media type",
		`THROTTLED: {bodies: {"text/*": "x"}}`:                                   "no media type",
		`THROTTLED: {bodies: {"text/html; charset=latin1": "x"}}`:                "in UTF-8",
		`THROTTLED: {bodies: {application/json: "{message: x}"}}`:                "no JSON",
		`THROTTLED: {bodies: {application/json: '{"a": "\$context.path"}'}}`:     "no JSON",
		`THROTTLED: {bodies: {application/json: '$input.body'}}`:                 "unknown variable $input.body",
		`THROTTLED: {bodies: {text/css: "a { b: $context.path }"}}`:              "only bodies in JSON, HTML, XML",
		`THROTTLED: {bodies: {image/svg+xml: "<script>$context.path</script>"}}`: "with a script may hold no variables",
		`THROTTLED: {bodies: {text/html: "<a href=$context.path'"}}`:             "cannot be escaped",
		`THROTTLED: {bodies: {text/html: a, TEXT/HTML: b}}`:                      "there twice",
		`THROTTLED: {bodies: "x"}`:                                               "write bodies by media type",
	} {
		if _, err := load("api: {" + text + "}"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", text, err, says)
		}
	}
}

// What comes from a file is text, but for the variables that have no braces.
func TestFromEnvironment(t *testing.T) {
	t.Setenv("PAGE", "<p>${context.path} $context.requestId</p><script>let a = `${b}`</script>")
	rec, _ := refuse(t, `api: {DEFAULT_4XX: {bodies: {text/html: "${env:PAGE}"}}}`, exchange.Refusal{Status: 403})
	if got := rec.Body.String(); got != "<p>${context.path} the-id</p><script>let a = `${b}`</script>" {
		t.Error(got)
	}
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"a": "$context.path"}`, `<p title='$context.path'>$context.path</p>`, `<script>x = "$context.path"</script>`, `$context.path`, `${context.path}`, `$${`, `["$method.request.header.x", $context.status]`} {
		f.Add(seed, evil)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		for _, m := range []string{"application/json", "text/html", "application/xml", "text/plain"} {
			_, _, w, err := Body{Media: m, Text: Text{Value: text}}.compile()
			if err != nil {
				continue
			}
			out, err := w.write(func(b []byte, _ *piece) ([]byte, bool) { return append(b, value...), false })
			if err != nil {
				t.Fatalf("%s %q: %v", m, text, err)
			}
			if m == "application/json" && !json.Valid(out) {
				t.Fatalf("%q with %q is no JSON: %q", text, value, out)
			}
		}
	})
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"text/html,*/*;q=0.8", "a/b;q=0.5;x=y", ";q=1", "text/plain;q=1.000"} {
		f.Add(seed)
	}
	offers := []media{{"application", "json"}, {"text", "html"}}
	f.Fuzz(func(t *testing.T, accept string) {
		if i := choose([]string{accept}, offers); i < 0 || i >= len(offers) {
			t.Fatal(i)
		}
	})
}

func BenchmarkRespond(b *testing.B) {
	s, err := load(`api: {THROTTLED: {headers: {x-id: "$context.requestId"}, bodies: {application/json: '{"message": $context.error.messageString, "id": "$context.requestId"}', text/html: "<p>$context.error.message $context.requestId</p>"}}}`)
	if err != nil {
		b.Fatal(err)
	}
	forms := New(s.API, find)
	for _, accept := range []string{"application/json", "text/html"} {
		b.Run(accept, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept", accept)
			x := &exchange.Exchange{ID: "the-id", Refused: &exchange.Refusal{Status: 429, Kind: exchange.Throttled, Message: "Too Many Requests"}}
			for range b.N {
				x.Trail = exchange.Trail{}
				forms.Respond(x, r, http.Header{})
			}
		})
	}
}
