package route_test

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/exchange"
	"gatehouse/route"
)

// shapes are ways in which tables grow. Each returns n routes and requests that
// are spread over them.
var shapes = map[string]func(n int) (routes []string, targets []string){
	"literal": func(n int) (routes, targets []string) {
		for i := range n {
			routes = append(routes, fmt.Sprintf("GET /service%d/version%d/resource%d/list", i%100, i%7, i))
			targets = append(targets, fmt.Sprintf("/service%d/version%d/resource%d/list", i%100, i%7, i))
		}
		return routes, targets
	},
	"param": func(n int) (routes, targets []string) {
		for i := range n {
			routes = append(routes, fmt.Sprintf("GET /{tenant}/x%d/{id}/y%d/{part}", i, i%3))
			targets = append(targets, fmt.Sprintf("/acme/x%d/4711/y%d/lines", i, i%3))
		}
		return routes, targets
	},
	"rest": func(n int) (routes, targets []string) {
		methods := []string{"GET", "POST", "GET", "PUT", "DELETE"}
		for i := range n {
			paths := []string{"/things%d", "/things%d", "/things%d/{id}", "/things%d/{id}", "/things%d/{id}/{proxy+}"}
			asked := []string{"/things%d", "/things%d", "/things%d/42", "/things%d/42", "/things%d/42/a/b"}
			routes = append(routes, methods[i%5]+" "+fmt.Sprintf(paths[i%5], i/5))
			targets = append(targets, fmt.Sprintf(asked[i%5], i/5))
		}
		return routes, targets
	},
}

func shaped(t testing.TB, shape string, n int) (*route.Table[string], []route.Request) {
	routes, targets := shapes[shape](n)
	table := build(t, stage(routes...))
	var requests []route.Request
	// At most 1,000 of them, so that the requests themselves stay in the cache.
	for i := 0; i < n; i += max(1, n/1000) {
		q := route.Request{Host: "api.shop.test", Path: new(exchange.Path)}
		q.Method, _, _ = strings.Cut(routes[i], " ")
		if err := q.Path.Parse(targets[i]); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, q)
	}
	return table, requests
}

func BenchmarkLookup(b *testing.B) {
	for _, shape := range []string{"literal", "param", "rest"} {
		for _, n := range []int{10, 1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", shape, n), func(b *testing.B) {
				table, requests := shaped(b, shape, n)
				params := make([]exchange.Param, 0, 8)
				b.ReportAllocs()
				b.ResetTimer()
				i := 0
				for b.Loop() {
					if r := table.Lookup(requests[i], params); r.Outcome != route.Found {
						b.Fatalf("%s: %s", requests[i].Path.Raw, r.Outcome)
					}
					if i++; i == len(requests) {
						i = 0
					}
				}
			})
		}
	}
}

// The budget of a lookup: no allocation, found or not.
func TestLookupAllocations(t *testing.T) {
	for shape := range shapes {
		table, requests := shaped(t, shape, 1000)
		params := make([]exchange.Param, 0, 8)
		missing := request(t, "PATCH /nowhere/at/all?x=1 x=y")
		other := requests[0]
		other.Method = "PATCH"
		n := testing.AllocsPerRun(10, func() {
			for _, q := range requests {
				if table.Lookup(q, params).Outcome != route.Found {
					t.Fatalf("%s is not found", q.Path.Raw)
				}
			}
			table.Lookup(missing, params)
			table.Lookup(other, params)
		})
		if n > 0 {
			t.Errorf("%s: %v allocations", shape, n)
		}
	}
}
