package route_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/route"
)

// naive looks a request up as the documentation says it, route by route.
func naive(routes []route.Route[string], q route.Request) string {
	var fit []route.Route[string]
	for _, r := range routes {
		if matches(r.Match.Pattern.Parts, q.Path.Segments) && met(r, q) {
			fit = append(fit, r)
		}
	}
	slices.SortStableFunc(fit, func(a, b route.Route[string]) int {
		if c := slices.Compare(ranks(a), ranks(b)); c != 0 {
			return c
		}
		if c := methodRank(a, q.Method) - methodRank(b, q.Method); c != 0 {
			return c
		}
		return conditions(b) - conditions(a)
	})
	var allow route.Methods
	for _, r := range fit {
		if r.Match.Methods.Has(q.Method) {
			return r.Value + params(r.Match.Pattern.Parts, q.Path.Segments)
		}
		allow |= r.Match.Methods
	}
	if allow != 0 {
		return "405 " + allow.Allow()
	}
	return "no route"
}

func matches(parts []route.Part, segments []string) bool {
	for i, p := range parts {
		switch {
		case p.Kind == route.Star:
			return true
		case i == len(segments):
			return false
		case p.Kind == route.Plus:
			return true
		case p.Kind == route.Literal && p.Text != segments[i]:
			return false
		}
	}
	return len(parts) == len(segments)
}

func met(r route.Route[string], q route.Request) bool {
	for name, value := range r.Headers {
		if got := q.Header.Get(name); got == "" || value != "*" && got != value {
			return false
		}
	}
	query, _ := url.ParseQuery(q.Path.Query)
	for name, value := range r.Query {
		if got, there := query[name]; !there || value != "*" && !slices.Contains(got, value) {
			return false
		}
	}
	return true
}

func conditions(r route.Route[string]) int { return len(r.Headers) + len(r.Query) }

// ranks writes a pattern so that the more specific one sorts first: literal,
// parameter, one or more, none or more, segment by segment. Where one pattern
// has ended, only a Star can match the same path.
func ranks(r route.Route[string]) []int {
	var out []int
	for _, p := range r.Match.Pattern.Parts {
		out = append(out, int(p.Kind))
	}
	return out
}

func methodRank(r route.Route[string], method string) int {
	switch {
	case strings.Contains(","+r.Match.Methods.String()+",", ","+method+","):
		return 0
	case r.Match.Methods == route.Any:
		return 2
	}
	return 1 // GET for a HEAD, or no match at all
}

func params(parts []route.Part, segments []string) string {
	out := ""
	for i, p := range parts {
		switch p.Kind {
		case route.Param:
			out += " " + p.Text + "=" + segments[i]
		case route.Plus, route.Star:
			out += " " + p.Text + "=" + strings.Join(segments[i:], "/")
		}
	}
	return out
}

// gather makes a table of the routes without those that conflict.
func gather(routes []route.Route[string]) (*route.Table[string], []route.Route[string]) {
	var report config.Report
	s := route.Stage[string]{Routes: routes, Default: "default"}
	table := route.Build([]route.Stage[string]{s}, &report)
	wrong := map[config.Pos]bool{}
	for _, p := range report.Problems() {
		wrong[p.Pos] = true
	}
	return table, slices.DeleteFunc(slices.Clone(routes), func(r route.Route[string]) bool { return wrong[r.At] })
}

// Any table answers any request as the naive matcher does.
func TestLookupIsNaive(t *testing.T) {
	tables := 3000
	if testing.Short() {
		tables = 300
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	for range tables {
		var routes []route.Route[string]
		for line := range 1 + rng.IntN(30) {
			text := pick("GET", "POST", "HEAD", "ANY", "GET,PUT", "PUT") + " "
			for i := range rng.IntN(5) {
				text += "/" + pick("a", "b", "a", "c%20d", fmt.Sprintf("{p%d}", i))
			}
			text += pick("", "", "", "/{rest+}", "/{rest*}")
			if strings.HasSuffix(text, " ") {
				text += "/"
			}
			routes = append(routes, parsed(text+pick("", "", " @x=1", " @x=*", " @x=1 @y=2", " ?v=1", " ?v=*", " @x=1 ?v=2"), line+1))
		}
		table, kept := gather(routes)
		for range 60 {
			text := pick("GET", "POST", "HEAD", "PUT", "DELETE", "TRACE") + " h.test"
			for range rng.IntN(6) {
				text += "/" + pick("a", "b", "a", "c%20d", "e")
			}
			q := request(t, text+pick("/", "")+pick("", "", "?v=1", "?w&v", "?v=%32&v=1", "?V=1&v+=1"))
			if rng.IntN(2) == 0 {
				q.Header.Set("X", pick("1", "2"))
			}
			if rng.IntN(3) == 0 {
				q.Header.Set("Y", "2")
			}
			if got, want := result(table.Lookup(q, nil)), naive(kept, q); got != want {
				t.Fatalf("%s %v: %q, not %q, among\n%s", text, q.Header, got, want, list(kept))
			}
		}
	}
}

func list(routes []route.Route[string]) string {
	var b strings.Builder
	for _, r := range routes {
		fmt.Fprintln(&b, r.Value)
	}
	return b.String()
}

// FuzzLookup: as TestLookupIsNaive, with the fuzzer's own tables and requests.
// Routes stand on lines, as "METHOD PATH".
func FuzzLookup(f *testing.F) {
	f.Add("GET /a\nPOST /a\nANY /{x}", "GET", "/a")
	f.Add("GET /a/{b}/c\nGET /{a}/b/c\nPUT /a/b/{c+}\nANY /{x*}", "PUT", "/a/b/c/")
	f.Add("HEAD /\nGET /{x*}\nGET /{x+}", "HEAD", "/")
	f.Add("GET /caf%C3%A9\nGET /{x}", "GET", "/caf%c3%a9")
	f.Fuzz(func(t *testing.T, text, method, target string) {
		var path exchange.Path
		if len(text) > 4096 || path.Parse(target) != nil {
			return
		}
		var routes []route.Route[string]
		for i, line := range strings.Split(text, "\n") {
			if m, err := route.ParseMatch(line); err == nil {
				routes = append(routes, route.Route[string]{Match: m, Value: m.String(), At: config.Pos{File: "f", Line: i + 1}})
			}
		}
		table, kept := gather(routes)
		q := route.Request{Host: "h.test", Method: method, Path: &path}
		if got, want := result(table.Lookup(q, nil)), naive(kept, q); got != want {
			t.Fatalf("%s %s: %q, not %q, among\n%s", method, target, got, want, list(kept))
		}
	})
}
