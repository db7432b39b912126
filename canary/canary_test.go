package canary

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

func load(text string) (*Config, error) {
	var s struct {
		Canary *Config `yaml:"canary"`
	}
	_, err := config.LoadBytes("test.yaml", []byte("canary: "+text), &s, config.Options{})
	return s.Canary, err
}

// end answers with its own name.
type end struct {
	name   string
	claims string // the cookie's value that it takes for its own
}

func (e end) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	fmt.Fprintf(w, "%s tier=%s", e.name, x.Variables["tier"])
}

func (e end) Claims(_ *exchange.Exchange, r *http.Request) bool {
	v, _ := exchange.Cookie(r, "session")
	return e.claims != "" && v == e.claims
}

func chain(t testing.TB, text string) http.Handler {
	t.Helper()
	c, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	release := &Release{
		Config: c, Name: "to next", Scope: "shop/prod", Variables: c.Within(map[string]string{"tier": "gold", "other": "o"}),
		Stable: end{"stable", "s"}, Canary: end{"canary", "c"},
	}
	return New(release)(release.Target())
}

// ask sends one request, and returns who answered and how the trail tells it.
func ask(h http.Handler, change func(*exchange.Exchange, *http.Request)) (string, exchange.Step) {
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	x.Client = netip.MustParseAddr("192.0.2.1")
	x.Variables = map[string]string{"tier": "gold"}
	if change != nil {
		change(x, r)
	}
	h.ServeHTTP(&x.Writer, r)
	step := x.Trail.Steps()[0]
	x.Finish()
	x.Release()
	return rec.Body.String(), step
}

func headers(pairs ...string) func(*exchange.Exchange, *http.Request) {
	return func(_ *exchange.Exchange, r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Header.Add(pairs[i], pairs[i+1])
		}
	}
}

func TestAsked(t *testing.T) {
	const both = `{header: {x-canary: always, x-team: "*"}, cookie: canary, variables: {tier: tin}}`
	const weighted = `{header: {x-canary: always}, cookie: {release: next}, weight: 100}`
	for _, tc := range []struct {
		config string
		asks   []string
		want   string
	}{
		{both, nil, "stable tier=gold"},
		{both, []string{"X-Canary", "always"}, "stable tier=gold"},
		{both, []string{"X-Canary", "always", "X-Team", "a"}, "canary tier=tin"},
		{both, []string{"X-Canary", "always", "X-Team", "a", "X-Team", "b"}, "stable tier=gold"},
		{both, []string{"X-Canary", "other", "X-Team", "a"}, "stable tier=gold"},
		{both, []string{"Cookie", "canary=always"}, "canary tier=tin"},
		{both, []string{"Cookie", "canary=yes"}, "stable tier=gold"},
		{both, []string{"X-Canary", "never", "Cookie", "canary=always"}, "stable tier=gold"},
		{weighted, nil, "canary tier=gold"},
		{weighted, []string{"X-Canary", "never"}, "stable tier=gold"},
		{weighted, []string{"Cookie", "release=never"}, "stable tier=gold"},
		{weighted, []string{"Cookie", "release=next"}, "canary tier=gold"},
		{`{cookie: {canary: "*"}}`, []string{"Cookie", "canary=anything"}, "canary tier=gold"},
		{`{cookie: {canary: "*"}}`, []string{"Cookie", "canary=never"}, "stable tier=gold"},
		{`{header: {x-canary: "1"}, weight: 0}`, nil, "stable tier=gold"},
	} {
		got, step := ask(chain(t, tc.config), headers(tc.asks...))
		who, _, _ := strings.Cut(tc.want, " ")
		if got != tc.want || !strings.HasPrefix(step.Detail, who+": ") || step.Rule.Filter != "canary" || !step.Rule.At.IsValid() {
			t.Errorf("%s %v: %q %+v", tc.config, tc.asks, got, step)
		}
	}
}

// Without sticky the share is exact, request by request.
func TestShareIsExact(t *testing.T) {
	for config, want := range map[string]int{`{weight: 10}`: 40, `{weight: 0.5}`: 2, `{weight: 0}`: 0, `{weight: 100}`: 400} {
		h, n := chain(t, config), 0
		for range 400 {
			if got, _ := ask(h, nil); strings.HasPrefix(got, "canary") {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d of 400, want %d", config, n, want)
		}
	}
}

// Sticky clients stay where they are, also when the share grows, and about as
// many as it says are drawn.
func TestSticky(t *testing.T) {
	who := map[string]func(int) func(*exchange.Exchange, *http.Request){
		"principal": func(i int) func(*exchange.Exchange, *http.Request) {
			return func(x *exchange.Exchange, _ *http.Request) {
				x.Principal = exchange.NewPrincipal("jwt", "https://login.test", fmt.Sprint("user ", i))
			}
		},
		"client": func(i int) func(*exchange.Exchange, *http.Request) {
			return func(x *exchange.Exchange, _ *http.Request) {
				x.Client = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i >> 8), byte(i), 9, 15: byte(i)})
			}
		},
		"cookie:id": func(i int) func(*exchange.Exchange, *http.Request) {
			return headers("Cookie", fmt.Sprint("id=", i))
		},
	}
	for by, client := range who {
		small, large := chain(t, fmt.Sprintf(`{weight: 10, sticky: "%s"}`, by)), chain(t, fmt.Sprintf(`{weight: 30, sticky: "%s"}`, by))
		in := 0
		for i := range 2000 {
			first, _ := ask(small, client(i))
			again, _ := ask(small, client(i))
			grown, _ := ask(large, client(i))
			if first != again || strings.HasPrefix(first, "canary") && !strings.HasPrefix(grown, "canary") {
				t.Fatalf("%s: client %d went %q, %q, %q", by, i, first, again, grown)
			}
			if strings.HasPrefix(first, "canary") {
				in++
			}
		}
		if in < 140 || in > 260 {
			t.Errorf("%s: %d of 2000, not about 200", by, in)
		}
	}
}

// Strangers, and clients without the cookie, are told apart by address; an IPv6
// client stays the same within its /64.
func TestStickyStrangers(t *testing.T) {
	h := chain(t, `{weight: 50, sticky: principal}`)
	both := map[string]bool{}
	for i := range 64 {
		var all []string
		for j := range 4 {
			got, _ := ask(h, func(x *exchange.Exchange, _ *http.Request) {
				x.Client = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(i), 14: byte(j), 15: 1})
			})
			all = append(all, got)
		}
		if all[0] != all[1] || all[0] != all[2] || all[0] != all[3] {
			t.Errorf("one /64 went different ways: %v", all)
		}
		both[all[0]] = true
	}
	if len(both) != 2 {
		t.Errorf("%v", both)
	}
}

// A client whose session a target has stays there, unless the release is
// promoted or rolled back.
func TestSessions(t *testing.T) {
	for _, tc := range []struct{ config, session, want string }{
		{`{weight: 1}`, "c", "canary"}, {`{weight: 99}`, "s", "stable"}, {`{weight: 99.9999, sticky: client}`, "s", "stable"},
		{`{weight: 0}`, "c", "stable"}, {`{weight: 100}`, "s", "canary"},
		{`{weight: 1, header: {x: "*"}}`, "c", "canary"},
	} {
		h := chain(t, tc.config)
		for range 8 {
			if got, _ := ask(h, headers("Cookie", "session="+tc.session)); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s with a session of %s: %s", tc.config, tc.session, got)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for text, says := range map[string]string{
		`{sticky: client}`:                "nothing leads to the canary",
		`{cookie: c, sticky: client}`:     "write weight, too",
		`{weight: 101}`:                   "0 to 100",
		`{weight: 10, sticky: header:x}`:  "principal, client or cookie:NAME",
		`{weight: 10, sticky: "cookie:"}`: "principal, client or cookie:NAME",
		`{header: {x: never}}`:            "cannot ask for the canary",
		`{cookie: "a b"}`:                 "write the cookie's name",
		`{cookie: {a: b, c: d}}`:          "write the cookie's name",
		`{cookie: {}}`:                    "write the cookie's name",
		`{cookie: {a: never}}`:            "for staying away",
	} {
		c, err := load(text)
		var report config.Report
		if err == nil {
			c.Check(&report)
			err = config.NewErrors(&report, nil)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", text, err, says)
		}
	}
}

func TestAllocations(t *testing.T) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, text := range []string{`{weight: 10}`, `{weight: 10, sticky: client, header: {x-canary: always}, cookie: canary}`} {
		c, err := load(text)
		if err != nil {
			t.Fatal(err)
		}
		h := New(&Release{Config: c, Stable: next, Canary: next})(next)
		x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
		x.Client = netip.MustParseAddr("192.0.2.1")
		x.Trail.Add(&exchange.Rule{}, exchange.Passed, "")
		if n := testing.AllocsPerRun(20, func() { h.ServeHTTP(&x.Writer, r) }); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
