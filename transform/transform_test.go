package transform

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

// load reads the section headers from YAML.
func load(text string) (*Headers, error) {
	var root struct {
		Headers *Headers `yaml:"headers"`
	}
	_, err := config.LoadBytes("t.yaml", []byte(text), &root, config.Options{})
	return root.Headers, err
}

func mustLoad(t testing.TB, text string) *Headers {
	t.Helper()
	h, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// run sends a request through the filter of cfg and returns the answer, the
// Exchange and the request as the target got it.
func run(t testing.TB, cfg *Headers, prepare func(x *exchange.Exchange, r *http.Request), target http.HandlerFunc) (*httptest.ResponseRecorder, *exchange.Exchange, *http.Request) {
	t.Helper()
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	if prepare != nil {
		prepare(x, r)
	}
	var seen *http.Request
	New(cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		if target != nil {
			target(w, r)
		}
	})).ServeHTTP(&x.Writer, r)
	x.Finish()
	return rec, x, seen
}

func TestNone(t *testing.T) {
	if New(nil) != nil || New(&Headers{}) != nil || New(mustLoad(t, "headers: {request: {set: {}}}")) != nil {
		t.Error("a filter of nothing")
	}
}

// Servers that read "_" for "-" must not find the client's word where a rule
// has spoken, nor in a trailer.
func TestRequestTwins(t *testing.T) {
	for _, test := range []struct {
		rules string
		want  string // what is left of the client's fields
	}{
		{"{set: {x-user: alice}, remove: [x-role]}", "X-User:alice X_other:1"},
		{"{set: {x_user: alice}, remove: [X_ROLE]}", "X_other:1 X_user:alice"},
		{"{add: {x-user: alice}}", "X-Role:root X-User:root,alice X_other:1 X_role:root X_user:root"},
		{"{set: {x-user: \"${principal.id}\"}}", "X-Role:root X-User: X_other:1 X_role:root"},
	} {
		_, _, r := run(t, mustLoad(t, "headers: {request: "+test.rules+"}"), func(_ *exchange.Exchange, r *http.Request) {
			r.Header = http.Header{"X_user": {"root"}, "X-User": {"root"}, "X_role": {"root"}, "X-Role": {"root"}, "X_other": {"1"}}
			r.Trailer = http.Header{"X-User": nil, "X_role": nil, "X-Sum": nil}
		}, nil)
		var got []string
		for name, values := range r.Header {
			got = append(got, name+":"+strings.Join(values, ","))
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: %s, want %s", test.rules, s, test.want)
		}
		if _, user := r.Trailer["X-User"]; user != strings.Contains(test.rules, "add") {
			t.Errorf("%s: trailers %v", test.rules, r.Trailer)
		}
		if _, sum := r.Trailer["X-Sum"]; !sum {
			t.Errorf("%s: trailers %v", test.rules, r.Trailer)
		}
	}
}

func TestRequest(t *testing.T) {
	cfg := mustLoad(t, `
headers:
  request:
    remove: [x-gone, x-both]
    set:
      x-both: new
      X-Tier: ${stageVariables.tier}
      x-who: "${principal.id}"
      x-sub: <${principal.subject}>
      x-what: ${path.kind}/${path.rest} from ${client.ip} as ${request.id}
      x-empty: ""
    add: {accept: application/json, x-new: a}
`)
	_, x, r := run(t, cfg, func(x *exchange.Exchange, r *http.Request) {
		x.Client = netip.MustParseAddr("2001:db8::1")
		x.Principal = exchange.NewPrincipal("jwt", "https://i", "ci")
		x.Params = append(x.Params, exchange.Param{Name: "kind", Value: "café"}, exchange.Param{Name: "rest", Value: "a/b"})
		x.Variables = map[string]string{"tier": "gold"}
		r.Header = http.Header{"X-Gone": {"1", "2"}, "X-Both": {"old"}, "X-Tier": {"platinum", "x"}, "Accept": {"text/html"}, "X-Kept": {"k"}, "X-Who": {"root"}}
	}, nil)
	want := http.Header{
		"X-Both": {"new"}, "X-Tier": {"gold"}, "X-Who": {"jwt:https://i|ci"}, "X-Sub": {"<ci>"}, "X-What": {"café/a/b from 2001:db8::1 as " + x.ID},
		"X-Empty": {""}, "Accept": {"text/html", "application/json"}, "X-New": {"a"}, "X-Kept": {"k"},
	}
	for name, values := range want {
		if !slices.Equal(r.Header[name], values) {
			t.Errorf("%s: %q, not %q", name, r.Header[name], values)
		}
	}
	if len(r.Header) != len(want) {
		t.Errorf("%v", r.Header)
	}
	if steps := x.Trail.Steps(); len(steps) != 1 || steps[0].Decision != exchange.Changed || steps[0].Rule.At.String() != "t.yaml:2:1" {
		t.Errorf("%+v at %s", steps, steps[0].Rule.At)
	}
}

// Strangers and routes without a parameter leave the values empty, and with
// them nothing of the client's.
func TestRequestOfStranger(t *testing.T) {
	cfg := mustLoad(t, "headers: {request: {set: {x-who: '${principal.id}', x-p: '${path.none}${stageVariables.none}', x-ip: '${client.ip}'}}}")
	_, _, r := run(t, cfg, func(x *exchange.Exchange, r *http.Request) { r.Header.Set("X-Who", "root") }, nil)
	if !slices.Equal(r.Header["X-Who"], []string{""}) || !slices.Equal(r.Header["X-P"], []string{""}) || !slices.Equal(r.Header["X-Ip"], []string{""}) {
		t.Errorf("%v", r.Header)
	}
}

// A value that no field can hold is left out, not mended: "a\nb" and " a" must
// not arrive as somebody else's name.
func TestUnfitValues(t *testing.T) {
	cfg := mustLoad(t, "headers: {request: {set: {x-who: '${principal.subject}'}, add: {x-all: '${principal.subject}'}}, response: {set: {x-back: '${principal.subject}'}}}")
	for _, subject := range []string{"a\r\nx-admin: 1", "a\nb", "a\x00", "a\x1b[2J", "a\x7f", " a", "a\t", "\x85\x00"} {
		rec, x, r := run(t, cfg, func(x *exchange.Exchange, r *http.Request) {
			x.Principal = exchange.NewPrincipal("jwt", "i", subject)
			r.Header.Set("X-Who", "the client's")
			r.Header.Set("X-All", "the client's")
		}, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Back", "the target's") })
		if len(r.Header["X-Who"]) != 0 || !slices.Equal(r.Header["X-All"], []string{"the client's"}) || len(rec.Header()["X-Back"]) != 0 {
			t.Errorf("%q: %v, %v", subject, r.Header, rec.Header())
		}
		steps := x.Trail.Steps()
		if len(steps) != 4 || steps[1].Decision != exchange.Failed || strings.Contains(steps[1].Detail, "a") && strings.Contains(steps[1].Detail, subject) {
			t.Errorf("%q: %+v", subject, steps)
		}
	}
	for _, subject := range []string{"é", "a b", "\xff"} {
		if _, _, r := run(t, cfg, func(x *exchange.Exchange, r *http.Request) { x.Principal = exchange.NewPrincipal("jwt", "i", subject) }, nil); r.Header.Get("X-Who") != subject {
			t.Errorf("%q: %v", subject, r.Header)
		}
	}
}

// What is set or removed cannot come from the client under a name that servers
// behind CGI and its like take for the same, nor in a trailer.
func TestAlikeNames(t *testing.T) {
	cfg := mustLoad(t, "headers: {request: {set: {x-who: '${principal.subject}', x_tier: gold}, remove: [x-admin], add: {x-more: b}}}")
	_, _, r := run(t, cfg, func(x *exchange.Exchange, r *http.Request) {
		r.Header = http.Header{"X_who": {"root"}, "x-WHO": {"root"}, "X-Tier": {"root"}, "X-Admin": {"1"}, "X_admin": {"1"}, "X.Admin": {"1"}, "X.who": {"root"}, "X-More": {"a"}, "X_more": {"a"}, "X-Whom": {"k"}}
		r.Trailer = http.Header{"X-Who": nil, "X_admin": nil, "X-Tier": nil, "X-More": nil, "X-Kept": nil}
	}, nil)
	want := http.Header{"X-Who": {""}, "X_tier": {"gold"}, "X-More": {"a", "b"}, "X_more": {"a"}, "X-Whom": {"k"}}
	if !reflect.DeepEqual(r.Header, want) || !reflect.DeepEqual(r.Trailer, http.Header{"X-More": nil, "X-Kept": nil}) {
		t.Errorf("%v, trailer %v", r.Header, r.Trailer)
	}
}

// What the environment brings is a value, not a template, and ${ can be written.
func TestTextIsNoTemplate(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_VALUE", "a${client.ip}b${")
	cfg := mustLoad(t, `headers: {request: {set: {x-a: "${env:GATEHOUSE_TEST_VALUE}", x-b: "$${client.ip} costs $5${stage.tier}", x-c: "$$${x}"}}}`)
	_, _, r := run(t, cfg, func(x *exchange.Exchange, r *http.Request) {
		x.Client = netip.MustParseAddr("192.0.2.1")
		x.Variables = map[string]string{"tier": "gold"}
	}, nil)
	if a, b, c := r.Header.Get("X-A"), r.Header.Get("X-B"), r.Header.Get("X-C"); a != "a${client.ip}b${" || b != "${client.ip} costs $5gold" || c != "$${x}" {
		t.Errorf("%q, %q, %q", a, b, c)
	}
}

// A credential that the file holds is not echoed with an error beside it.
func TestCredentialsAreNotEchoed(t *testing.T) {
	for _, text := range []string{
		"headers: {request: {set: {authorization: Bearer tiger, X-Api-Key: lion, x-csrf-token: puma, cookie: lynx, x-a: plain, x-b: '${nonsense}'}}}",
		"headers: {request: {sets: {x-a: plain, Authorization: Bearer tiger, X-Api-Key: lion}}}",
		"headers: {request: {set: {x-a: plain, Cookie: lynx, x-b: ]}}}",
	} {
		_, err := load(text)
		if err == nil || !strings.Contains(err.Error(), "plain") {
			t.Fatal(err)
		}
		for _, secret := range []string{"tiger", "lion", "puma", "lynx"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("it tells %s:\n%v", secret, err)
			}
		}
	}
}

func TestResponse(t *testing.T) {
	cfg := mustLoad(t, "headers: {response: {remove: [Server, x-powered-by], set: {x-frame-options: DENY, x-rid: '${request.id}'}, add: {vary: accept}}}")
	target := func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Server"], h["X-Powered-By"], h["X-Frame-Options"], h["Vary"] = []string{"s"}, []string{"p"}, []string{"ALLOW"}, []string{"origin"}
		_, _ = io.WriteString(w, "body")
	}
	rec, x, r := run(t, cfg, nil, target)
	h := rec.Header()
	if len(h["Server"])+len(h["X-Powered-By"]) != 0 || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Rid") != x.ID || !slices.Equal(h["Vary"], []string{"origin", "accept"}) || rec.Body.String() != "body" {
		t.Errorf("%v %q", h, rec.Body)
	}
	if len(r.Header) > 0 {
		t.Errorf("the request was changed: %v", r.Header)
	}
	// What the target itself refuses is its answer, too.
	rec, _, _ = run(t, cfg, nil, func(w http.ResponseWriter, r *http.Request) {
		exchange.Refuse(w, r, exchange.Refusal{Status: 502, Rule: &exchange.Rule{}})
	})
	if rec.Code != 502 || rec.Header().Get("X-Frame-Options") != "DENY" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

// Values that one request changed are not those of the next.
func TestValuesAreNotShared(t *testing.T) {
	cfg := mustLoad(t, "headers: {request: {set: {x-a: one}}}")
	_, _, r := run(t, cfg, nil, func(w http.ResponseWriter, r *http.Request) { r.Header["X-A"][0] = "two" })
	if _, _, again := run(t, cfg, nil, nil); again.Header.Get("X-A") != "one" || r.Header.Get("X-A") != "two" {
		t.Errorf("%v", again.Header)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"{request: {set: {connection: close}}}", "the header Connection belongs to the connection"},
		{"{request: {set: {Content-Length: '1'}}}", "the header Content-Length belongs"},
		{"{request: {add: {te: trailers}}}", "the header Te belongs"},
		{"{response: {remove: [transfer-encoding]}}", "the header Transfer-Encoding belongs"},
		{"{response: {set: {http2-settings: x}}}", "the header Http2-Settings belongs"},
		{"{request: {set: {expect: 100-continue}}}", "the header Expect belongs"},
		{"{request: {set: {host: a}}}", "a service says by its own host"},
		{"{response: {set: {host: a}}}", ""},
		{"{response: {set: {X-Amzn-RequestId: a}}}", "names the request in every answer"},
		{"{request: {set: {'a b': c}}}", `"a b" is not a name`},
		{"{request: {remove: ['']}}", `"" is no name of a header`},
		{"{request: {set: {X-A: a, x-a: b}}}", "the header X-A is there twice"},
		{"{request: {set: {x-a: '${principal.di}'}}}", `unknown variable "principal.di"; did you mean "principal.id"?`},
		{"{request: {set: {x-a: '${path.}'}}}", `unknown variable "path."`},
		{"{request: {set: {x-a: '${nonsense}'}}}", `unknown variable "nonsense"`},
		{"{request: {set: {x-a: '${request.id'}}}", "a ${ without its }"},
		{`{request: {set: {x-a: "a\nb"}}}`, "holds a control byte"},
		{"{request: {set: {x-a: ' a'}}}", "begins or ends with a space"},
		{"{request: {set: {x-a: [a]}}}", "a header's value is one text"},
		{"{request: {set: {x-a: }}}", "a header's value is one text"},
		{"{request: {set: {x-a: '${env:ABSENT_}'}}}", "the environment variable ABSENT_ is not set"},
		{"{request: {sets: {a: b}}}", "sets"},
		{"{request: {remove: [a]}, response: {set: {x: '${path.id} ${stageVariables.tier} ${stage.tier}'}}}", ""},
	} {
		_, err := load("headers: " + test.text)
		got := ""
		if errs := config.AsErrors(err); errs != nil {
			for _, p := range errs.Problems() {
				got += p.Message + "; " + p.Hint
			}
		}
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, not %q", test.text, got, test.want)
		}
	}
}

func TestCheckScope(t *testing.T) {
	cfg := mustLoad(t, "headers: {request: {set: {x-a: '${path.id} ${path.di}', x-b: '${stageVariables.teir}'}}, response: {add: {x-c: '${stageVariables.tier}'}}}")
	var r config.Report
	cfg.CheckScope(Scope{Route: "GET /{id}", Stage: "prod", Params: []string{"id"}, Variables: map[string]string{"tier": "gold"}}, &r)
	var got []string
	for _, p := range r.Problems() {
		got = append(got, p.Message+"; "+p.Hint)
	}
	if want := []string{`unknown path parameter of GET /{id} "di"; did you mean "id"?`, `unknown stage variable of prod "teir"; did you mean "tier"?`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if at := r.Problems()[0].Pos.String(); at != "t.yaml:1:32" {
		t.Error(at)
	}
	var none *Headers
	none.CheckScope(Scope{}, &r)
}

func TestAllocations(t *testing.T) {
	cfg := mustLoad(t, "headers: {request: {set: {x-a: one, x-b: '${principal.id}'}, remove: [x-c]}}")
	handler := New(cfg)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	x.Principal = exchange.NewPrincipal("jwt", "i", "s")
	handler.ServeHTTP(&x.Writer, r)
	if n := testing.AllocsPerRun(20, func() { handler.ServeHTTP(&x.Writer, r) }); n > 3 {
		t.Errorf("%v allocations, at most one a header and one a value", n)
	}
}
