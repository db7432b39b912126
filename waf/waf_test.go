package waf

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/match"
)

type document struct {
	WAF    map[string]*Config `yaml:"waf"`
	Groups map[string]*Group  `yaml:"waf-rule-groups"`
}

// compiled returns the ACL edge of a configuration.
func compiled(t testing.TB, text string) *ACL {
	t.Helper()
	var doc document
	sources, err := config.LoadBytes(filepath.Join(t.TempDir(), "test.yaml"), []byte(text), &doc, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var report config.Report
	a := Compile(doc.WAF["edge"], Options{Account: "1", Groups: doc.Groups, Challenge: true}, &report)
	if err := config.NewErrors(&report, sources); err != nil {
		t.Fatal(err)
	}
	return a
}

// bound is an ACL with its counters.
type bound struct {
	keeper  *Keeper
	handler http.Handler
	passed  *http.Request // the last that went on
}

func bind(a *ACL, c Challenger) *bound {
	b := &bound{keeper: NewKeeper()}
	l := b.keeper.Begin()
	b.handler = New(a, Keepers{Counts: l, Challenge: c})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { b.passed = r }))
	l.Commit()
	return b
}

// ask sends a request, and returns its record and the status.
func (b *bound) ask(t testing.TB, method, target, body string, header ...string) (*exchange.Exchange, *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	x, r := exchange.Begin(w, r, &exchange.Conn{}, nil)
	x.Client = netip.MustParseAddr("192.0.2.1")
	if err := x.Path.Parse(target); err != nil {
		t.Fatal(err)
	}
	b.passed = nil
	b.handler.ServeHTTP(&x.Writer, r)
	x.Writer.Header() // as the entry does
	x.Finish()
	return x, w
}

// counts are what the rules did: RULE ACTION NUMBER.
func (b *bound) counts() string {
	found := make(map[string]bool)
	b.keeper.Each(func(s Stats) { found[fmt.Sprintf("%s %s %d", s.Rule, s.Action, s.Requests)] = true })
	b.keeper.EachFailure(func(f Failure) { found[fmt.Sprintf("failed %s %d", f.Reason, f.Requests)] = true })
	return strings.Join(slices.Sorted(maps.Keys(found)), ", ")
}

func TestNone(t *testing.T) {
	if New(nil, Keepers{}) != nil {
		t.Error("no ACL has a filter")
	}
}

// A body is read for rules that inspect one, and only when they are reached.
func TestBodyIsLeftAlone(t *testing.T) {
	for _, tc := range []struct {
		text string
		read bool
	}{
		{"{default: allow, rules: [{name: a, when: {path: /x}, action: block}]}", false},
		{"{rules: [{name: a, when: {address: 192.0.2.1}, action: allow}, {name: b, when: {body: {contains: x}}, action: block}]}", false},
		{"{rules: [{name: a, when: {all: [{path: /x}, {body: {contains: x}}]}, action: block}]}", false},
		{"{rules: [{name: a, when: {any: [{path: /y}, {body: {contains: x}}]}, action: block}]}", false},
		{"{rules: [{name: a, when: {body: {contains: x}}, action: block}]}", true},
	} {
		b := bind(compiled(t, "waf: {edge: "+tc.text+"}"), nil)
		x, _ := b.ask(t, "POST", "/y", "hello")
		if x.Body.Begun() != tc.read {
			t.Errorf("%s: the body is read: %v", tc.text, x.Body.Begun())
		}
	}
}

func TestBudget(t *testing.T) {
	const text = "waf: {edge: {on-error: %s, rules: [{name: a, when: {path: /x}, action: block}, {name: b, when: {path: /y}, action: block}]}}"
	for _, tc := range []struct {
		onError, target string
		status          int
		counts          string
	}{
		{"block", "/y", 403, "failed budget 1"},
		{"pass", "/y", 200, "failed budget 1"},
		{"pass", "/x", 403, "a block 1"}, // it was decided by then
	} {
		a := compiled(t, fmt.Sprintf(text, tc.onError))
		a.budget = 1 // every rule takes more
		b := bind(a, nil)
		x, w := b.ask(t, "GET", tc.target, "")
		if w.Code != tc.status || b.counts() != tc.counts {
			t.Errorf("%s %s: %d, %s", tc.onError, tc.target, w.Code, b.counts())
		}
		if tc.status == 403 && tc.target == "/y" && (x.Refused == nil || x.Refused.Reason != "waf-budget") {
			t.Errorf("refused: %+v", x.Refused)
		}
	}
}

// explosive is a statement with a mistake in it.
type explosive struct{}

func (explosive) Match(*match.Request) bool { panic("boom") }

func TestMistake(t *testing.T) {
	for onError, status := range map[string]int{"block": 403, "pass": 200} {
		a := compiled(t, "waf: {edge: {on-error: "+onError+", rules: [{name: a, when: {path: /x}, action: block}]}}")
		a.rules[0].match = explosive{}
		b := bind(a, nil)
		if _, w := b.ask(t, "GET", "/y", ""); w.Code != status || b.counts() != "failed error 1" || (b.passed != nil) != (status == 200) {
			t.Errorf("%s: %d, %s", onError, w.Code, b.counts())
		}
	}
}

func TestGroups(t *testing.T) {
	const groups = `
waf-rule-groups:
  g:
    ip-sets: {here: [192.0.2.0/24]}
    rules:
      - {name: first, when: {ip-set: here}, labels: [seen], action: count}
      - {name: second, when: {all: [{label: seen}, {path: /x}]}, labels: [bad], action: block}
      - {name: third, when: {path: /x}, labels: [never], action: count}
`
	for _, tc := range []struct{ rules, want, labels string }{
		{"[{name: one, rule-group: g}]", "one/first count 1, one/second block 1", "awswaf:1:rulegroup:g:seen awswaf:1:rulegroup:g:bad"},
		{"[{name: one, rule-group: g, action: count}, {name: last, when: {label: {namespace: 'awswaf:1:rulegroup:g'}}, action: {block: {status: 418}}}]", "last block 1, one count 1, one/first count 1, one/second block 1", ""},
		{"[{name: one, rule-group: g, overrides: {second: count}}]", "Default_Action allow 1, one/first count 1, one/second count 1, one/third count 1", ""},
		{"[{name: one, rule-group: g, overrides: {first: allow}}]", "one/first allow 1", ""},
		{"[{name: one, when: {label: seen}, action: block}, {name: two, rule-group: g, overrides: {second: count}}, {name: three, when: {label: seen}, action: block}]", "Default_Action allow 1, two/first count 1, two/second count 1, two/third count 1", ""},
	} {
		b := bind(compiled(t, "waf: {edge: {rules: "+tc.rules+"}}"+groups), nil)
		x, _ := b.ask(t, "GET", "/x", "")
		if b.counts() != tc.want {
			t.Errorf("%s: %s, want %s", tc.rules, b.counts(), tc.want)
		}
		if got := strings.Join(x.Labels, " "); tc.labels != "" && got != tc.labels {
			t.Errorf("%s: labels %s", tc.rules, got)
		}
	}
}

// prover is a Challenger.
type prover struct{ cleared bool }

func (p prover) Cleared(*exchange.Exchange, *http.Request, string) bool { return p.cleared }

func (p prover) Challenge(w http.ResponseWriter, r *http.Request, acl string, rule *exchange.Rule) {
	exchange.Refuse(w, r, exchange.Refusal{Status: 202, Rule: rule, Reason: "challenge"})
}

func TestChallenge(t *testing.T) {
	const text = "waf: {edge: {rules: [{name: a, when: {path: /x}, labels: [asked], action: challenge}, {name: b, when: {label: asked}, action: {count: {insert-headers: {a: b}}}}]}}"
	for cleared, want := range map[bool]string{true: "Default_Action allow 1, a count 1, b count 1", false: "a challenge 1"} {
		b := bind(compiled(t, text), prover{cleared})
		_, w := b.ask(t, "GET", "/x", "", "x_amzn_waf_a", "forged", "X-Amzn-Waf-C", "forged")
		if b.counts() != want || (w.Code == 202) == cleared {
			t.Errorf("cleared %v: %d, %s", cleared, w.Code, b.counts())
		}
		if cleared && (len(b.passed.Header) != 1 || b.passed.Header.Get("X-Amzn-Waf-A") != "b") {
			t.Errorf("the service gets %v", b.passed.Header)
		}
	}
}

func TestAnswers(t *testing.T) {
	const text = "waf: {edge: {default: {block: {status: 404, headers: {x-a: b}, body: '<p>no</p>', content-type: text/html}}, rules: [{name: a, when: {path: /x}, action: {block: {status: 302, headers: {location: /y}}}}]}}"
	b := bind(compiled(t, text), nil)
	_, w := b.ask(t, "GET", "/", "")
	if w.Code != 404 || w.Body.String() != "<p>no</p>" || w.Header().Get("Content-Type") != "text/html" || w.Header().Get("X-A") != "b" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if _, w = b.ask(t, "GET", "/x", ""); w.Code != 302 || w.Header().Get("Location") != "/y" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if _, w = b.ask(t, "POST", "/", "", "Content-Type", "application/grpc"); w.Code != 200 || w.Header().Get("Grpc-Status") == "" || w.Body.Len() > 0 {
		t.Errorf("gRPC: %d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestDetails(t *testing.T) {
	long := strings.Repeat("a", 200) + "EVIL" + strings.Repeat("b", 200)
	for _, tc := range []struct{ when, method, target, body, header, want string }{
		{"{query: {contains: EVIL}}", "GET", "/?" + long, "", "", "query contains: ..." + strings.Repeat("a", 20) + "EVIL" + strings.Repeat("b", 56) + "..."},
		{"{query: {contains: EVIL}}", "GET", "/?access%5ftoken=abc&x=EVIL", "", "", "query contains: (redacted)"},
		{"{body: {contains: EVIL}}", "POST", "/", "password=hunter2&x=EVIL", "", "body contains: (redacted)"},
		{"{header: {name: authorization, contains: EVIL}}", "GET", "/", "", "Bearer EVIL", "header authorization contains: (redacted)"},
		{"{argument: {name: access_token, contains: EVIL}}", "GET", "/?access_token=EVIL", "", "", "argument access_token contains: (redacted)"},
		{"{json: {contains: EVIL}}", "POST", "/", `{"user": {"password": "EVIL"}}`, "", "json /user/password contains: (redacted)"},
		{"{cookies: {contains: EVIL}}", "GET", "/", "", "", ""},
		{"{address: 192.0.2.1}", "GET", "/", "", "", "address"},
	} {
		b := bind(compiled(t, "waf: {edge: {rules: [{name: a, when: "+tc.when+", action: block}]}}"), nil)
		x, _ := b.ask(t, tc.method, tc.target, tc.body, "Authorization", tc.header)
		steps := x.Trail.Steps()
		if got := steps[len(steps)-1].Detail; got != tc.want {
			t.Errorf("%s: %q, want %q", tc.when, got, tc.want)
		}
	}
}

// A reload that changes an ACL keeps what was counted of rules that stay.
func TestCountsOutliveReloads(t *testing.T) {
	b := bind(compiled(t, "waf: {edge: {rules: [{name: a, when: {path: /x}, action: block}, {name: b, when: {path: /y}, action: block}]}}"), nil)
	b.ask(t, "GET", "/x", "")
	b.ask(t, "GET", "/y", "")
	l := b.keeper.Begin()
	New(compiled(t, "waf: {edge: {rules: [{name: c, when: {path: /z}, action: block}, {name: a, when: {path: /x}, action: count}]}}"), Keepers{Counts: l})
	l.Commit()
	if got := b.counts(); got != "a block 1" {
		t.Error(got)
	}
}

// everyday is an ACL as many have it.
const everyday = `
waf:
  edge:
    ip-sets: {office: [192.0.3.0/24]}
    rules:
      - {name: office, when: {ip-set: office}, action: allow}
      - {name: admin, when: {path: {starts-with: /admin}}, action: block}
      - {name: scanners, when: {header: {name: user-agent, matches: "(?i)(sqlmap|nikto|nmap)"}}, action: block}
      - {name: bots, when: {header: {name: user-agent, contains: bot, transform: lowercase}}, labels: [bot], action: count}
      - {name: methods, when: {not: {method: [GET, HEAD, POST, PUT, DELETE]}}, action: block}
`

// injections is what libinjection looks at, which allocates by itself.
const injections = "      - {name: injection, when: {sqli: [query, cookies]}, action: block}\n"

func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("pools forget under the race detector")
	}
	a := compiled(t, everyday)
	l := NewKeeper().Begin()
	h := New(a, Keepers{Counts: l})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	l.Commit()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("User-Agent", "mozilla/5.0")
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	if err := x.Path.Parse("/orders/42?id=17&page=2"); err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(&x.Writer, r)
	if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(&x.Writer, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEveryday(b *testing.B) {
	for name, text := range map[string]string{"plain": everyday, "injections": everyday + injections} {
		b.Run(name, func(b *testing.B) { benchmark(b, text) })
	}
}

func benchmark(b *testing.B, text string) {
	a := compiled(b, text)
	l := NewKeeper().Begin()
	h := New(a, Keepers{Counts: l})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	l.Commit()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36")
	r.Header.Set("Cookie", "session=0123456789abcdef; theme=dark; _ga=GA1.2.3.4")
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	if err := x.Path.Parse("/orders/42?id=17&page=2"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&x.Writer, r)
	}
}
