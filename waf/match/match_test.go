package match

import (
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/field"
)

func TestFind(t *testing.T) {
	for _, tc := range []struct {
		p       Position
		s, want string
		at      int
	}{
		{Exactly, "abc", "abc", 0},
		{Exactly, "abc", "ab", -1},
		{Exactly, "", "", 0},
		{StartsWith, "abc", "ab", 0},
		{StartsWith, "abc", "bc", -1},
		{EndsWith, "abc", "bc", 1},
		{EndsWith, "abc", "ab", -1},
		{Contains, "abc", "b", 1},
		{Contains, "abc", "B", -1},
		// The five cases of AWS's documentation.
		{ContainsWord, "BadBot", "BadBot", 0},
		{ContainsWord, "BadBot;", "BadBot", 0},
		{ContainsWord, ";BadBot", "BadBot", 1},
		{ContainsWord, "-BadBot;", "BadBot", 1},
		{ContainsWord, "ABadBot BadBots BadBot_ BadBot", "BadBot", 24},
		{ContainsWord, "BadBot1", "BadBot", -1},
		{ContainsWord, "_BadBot", "BadBot", -1},
	} {
		if at := find(tc.p, tc.s, tc.want); at != tc.at {
			t.Errorf("%q %v %q: %d, want %d", tc.s, tc.p, tc.want, at, tc.at)
		}
	}
}

func TestSize(t *testing.T) {
	for o, want := range map[Operator]string{Equal: "1", NotEqual: "0 2", LessOrEqual: "0 1", Less: "0", GreaterOrEqual: "1 2", Greater: "2"} {
		var got []string
		for n, s := range []string{"", "a", "ab"} {
			if _, _, ok := (&Size{o, 1}).test(s); ok {
				got = append(got, string(rune('0'+n)))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", o, got, want)
		}
	}
}

func TestInjections(t *testing.T) {
	low, high := &SQLi{}, &SQLi{High: true}
	for _, s := range []string{"1' or '1'='1", "1 union select 1,2,3--", "'; drop table users--", "name=x&id=1' or 1=1--", "admin'--", "1 AND sleep(5)"} {
		if _, _, ok := low.test(s); !ok {
			t.Errorf("low lets %q pass", s)
		}
	}
	for _, s := range []string{"uni%6fn all select 1", "un/**/ion select", "x; exec xp_cmdshell('dir')", "select a from information_schema.tables", "1 order by 5--", "@@version", "x' waitfor delay '0:0:5'", "' || pg_sleep(10)"} {
		if s == "un/**/ion select" {
			continue // two words once the comment is a space, as in SQL
		}
		if _, _, ok := high.test(s); !ok {
			t.Errorf("high lets %q pass", s)
		}
	}
	for _, s := range []string{"", "a", "the union of workers", "select a book from the shelf", "it's fine, isn't it", "O'Brien", "Rock & Roll", "name=John&city=Paris", "price = 5", "2024-01-01T10:00:00Z", "order by phone", "a-b--c", `{"note":"drop me a line; update soon"}`} {
		for name, test := range map[string]*SQLi{"low": low, "high": high} {
			if _, _, ok := test.test(s); ok {
				t.Errorf("%s takes %q for SQL", name, s)
			}
		}
	}
	for s, want := range map[string]bool{
		"<script>alert(1)</script>": true, "x=1&y=<img src=x onerror=alert(1)>": true, `" onmouseover="alert(1)`: true, "<svg/onload=alert(1)>": true,
		"": false, "a < b and c > d": false, "I <3 you": false, "name=John": false,
	} {
		if _, _, ok := (XSS{}).test(s); ok != want {
			t.Errorf("XSS in %q: %v", s, ok)
		}
	}
}

// Texts that are made to take long take no longer than others of their length.
func TestLinear(t *testing.T) {
	high := &SQLi{High: true}
	for _, unit := range []string{"'", "/*", "1'", "select(", "a=", "&", "<", "\\", "@@", "union ", "--", ";", "\"'`"} {
		s := strings.Repeat(unit, 32<<10/len(unit))
		began := time.Now()
		high.test(s)
		XSS{}.test(s)
		if d := time.Since(began); d > 2*time.Minute {
			t.Errorf("32 KiB of %q take %v", unit, d)
		} else {
			t.Logf("%q: %v", unit, d)
		}
	}
}

func TestLabels(t *testing.T) {
	c := &Compiler{Plan: &field.Plan{}, Report: &config.Report{}, Scope: Scope{Context: "awswaf:1:webacl:edge", Account: "1"}}
	labels := []string{"awswaf:1:webacl:edge:a:b:name", "awswaf:1:rulegroup:shared:team:x", "gatehouse:crs:attack-sqli"}
	for _, tc := range []struct {
		key       string
		namespace bool
		want      bool
	}{
		{"name", false, true}, {"b:name", false, true}, {"a:b:name", false, true}, {"me", false, false}, {"a", false, false},
		{"a", true, true}, {"a:b", true, true}, {"b", true, true}, {"b:", true, true}, {"name", true, false},
		{"x", false, false}, {"awswaf:1:rulegroup:shared:team:x", false, true}, {"awswaf:2:rulegroup:shared:team:x", false, true},
		{"awswaf:1:rulegroup:shared", true, true}, {"awswaf:1:rulegroup:share", true, false}, {"awswaf:1:webacl:edge:name", false, false},
		{"gatehouse:crs:attack-sqli", false, true}, {"gatehouse:crs", true, true},
	} {
		m := (&Label{tc.key, tc.namespace}).compile(c, config.Pos{})
		r := &Request{}
		r.X = &exchange.Exchange{Labels: labels}
		if got := m.Match(r); got != tc.want {
			t.Errorf("%s (namespace %v): %v", tc.key, tc.namespace, got)
		}
	}
}

func TestSource(t *testing.T) {
	in := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") }
	for _, tc := range []struct {
		source Source
		header []string
		want   bool
	}{
		{Source{Header: "X-A"}, []string{"192.0.2.1, 1.1.1.1"}, true},
		{Source{Header: "X-A"}, []string{"1.1.1.1, 192.0.2.1"}, false},
		{Source{Header: "X-A", Place: Last}, []string{"192.0.2.1", "1.1.1.1, ::ffff:192.0.2.1"}, true},
		{Source{Header: "X-A", Place: Every}, []string{"1.1.1.1,2.2.2.2", "192.0.2.1"}, true},
		{Source{Header: "X-A", Place: Every}, []string{"1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4, 5.5.5.5, 192.0.2.1"}, false},
		{Source{Header: "X-A"}, nil, false},
		{Source{Header: "X-A", Missing: true}, nil, true},
		{Source{Header: "X-A", Missing: true}, []string{"unknown"}, true},
		{Source{Header: "X-A", Place: Every}, []string{"192.0.2.1, nonsense"}, false},
		{Source{}, nil, true},
	} {
		r := &Request{}
		r.R = httptest.NewRequest("GET", "/", nil)
		r.X = &exchange.Exchange{Client: netip.MustParseAddr("192.0.2.1")}
		r.R.Header["X-A"] = tc.header
		if tc.header == nil {
			delete(r.R.Header, "X-A")
		}
		if got := tc.source.matches(r, in); got != tc.want {
			t.Errorf("%+v of %q: %v", tc.source, tc.header, got)
		}
	}
}

// counter counts by key.
type counter map[string]int

func (c counter) Over(key []byte) bool { c[string(key)]++; return c[string(key)] > 10 }

func TestRateKeys(t *testing.T) {
	var doc struct {
		When *Statement `yaml:"when"`
	}
	for _, tc := range []struct {
		text  string
		a, b  string // requests that are told apart
		apart bool
	}{
		{"{limit: 10, key: ip}", "", "", false},
		{"{limit: 10, key: all}", "A: 1", "A: 2", false},
		{"{limit: 10, key: [{header: a}, {header: b}]}", "A: 12\nB: 3", "A: 1\nB: 23", true},
		{"{limit: 10, key: [{header: a}, {header: b}]}", "A: 1\nA: 2\nB: 3", "A: 1\nB: 2\nB: 3", true},
		{"{limit: 10, key: {cookie: id}}", "Cookie: id=1; x=1", "Cookie: x=2; id=1", false},
		{"{limit: 10, key: {ip: x-client}}", "X-Client: 192.0.2.1", "X-Client: 192.0.2.2", true},
		{"{limit: 10, key: {ip: x-client}}", "X-Client: 2001:db8::1", "X-Client: 2001:db8::2", false},
		{"{limit: 10, window: 1m, key: [ip, method, path]}", "", "", false},
	} {
		if _, err := config.LoadBytes(filepath.Join(t.TempDir(), "test.yaml"), []byte("when: {rate: "+tc.text+"}"), &doc, config.Options{}); err != nil {
			t.Fatal(err)
		}
		plan := &field.Plan{}
		c := &Compiler{Plan: plan, Report: &config.Report{}, Counted: true}
		m := c.Compile(doc.When)
		if len(c.Rates) != 1 || c.Rates[0].Limit != 10 {
			t.Fatal(c.Rates)
		}
		counts := counter{}
		over := 0
		for _, header := range []string{tc.a, tc.b} {
			for range 10 {
				q := httptest.NewRequest("GET", "/", nil)
				for line := range strings.SplitSeq(header, "\n") {
					if name, value, ok := strings.Cut(line, ": "); ok {
						q.Header.Add(name, value)
					}
				}
				x, q := exchange.Begin(httptest.NewRecorder(), q, &exchange.Conn{}, nil)
				x.Client = netip.MustParseAddr("192.0.2.1")
				var r Request
				r.Begin(plan, field.Limits{}, []Counter{counts}, x, q)
				if m.Match(&r) {
					over++
				}
			}
		}
		if apart := over == 0; apart != tc.apart {
			t.Errorf("%s: %q and %q: %d over, %d keys", tc.text, tc.a, tc.b, over, len(counts))
		}
	}
	// Without the key nothing is counted.
	m := (&RateBased{Limit: 10, Keys: []Key{{Field: &field.Spec{Kind: field.Header, Name: "a"}}}}).compile(&Compiler{Plan: &field.Plan{}, Report: &config.Report{}, Counted: true}, config.Pos{})
	plan := &field.Plan{}
	plan.Slot(&field.Spec{Kind: field.Header, Name: "a"}, nil)
	x, q := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	var r Request
	counts := counter{}
	r.Begin(plan, field.Limits{}, []Counter{counts}, x, q)
	if m.Match(&r) || len(counts) != 0 {
		t.Error("a request without the key is counted")
	}
}

// FuzzStatement holds that what is written as a statement is read or refused, and
// that what was read decides about a request.
func FuzzStatement(f *testing.F) {
	for _, seed := range []string{
		"{path: {starts-with: /admin}}", "{all: [{method: GET}, {not: {country: [KP]}}]}", "{header: {name: a, contains: b, transform: [lowercase]}}",
		"{sqli: {field: [body, query], sensitivity: high}}", "{json: {at: /a, scope: keys, equals: x, invalid: match}}", "{rate: {limit: 10, key: [ip, {header: a}]}}",
		"{body: {size: '> 1KiB', oversize: match}}", "{label: {namespace: a}}", "{address: {in: 10.0.0.0/8, from: x}}", "{cookie: {name: a}}", "{any: []}",
	} {
		f.Add(seed)
	}
	name := filepath.Join(f.TempDir(), "test.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		var doc struct {
			When *Statement `yaml:"when"`
		}
		if _, err := config.LoadBytes(name, []byte("when: "+text), &doc, config.Options{}); err != nil || doc.When == nil {
			return
		}
		plan := &field.Plan{}
		report := &config.Report{}
		c := &Compiler{Plan: plan, Report: report, Counted: true}
		m := c.Compile(doc.When)
		if len(report.Problems()) > 0 {
			return
		}
		x, q := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(`{"a": 1}`)), &exchange.Conn{}, nil)
		var r Request
		counters := make([]Counter, len(c.Rates))
		for i := range counters {
			counters[i] = counter{}
		}
		r.Begin(plan, field.Limits{Body: 1 << 10}, counters, x, q)
		m.Match(&r)
	})
}
