package test

import (
	"fmt"
	"sync"
	"testing"
)

// TestConcurrentIsExact: of many at once over both protocols, and over a reload,
// exactly as many of a route are under way as may be, and another route has its
// own count.
func TestConcurrentIsExact(t *testing.T) {
	released := make(chan struct{})
	service, address := newShadow(t, released)
	r := start(t, fmt.Sprintf(`
apis:
  shop:
    domains: [localhost]
    authorize: none
    limits: {concurrent: 3}
    routes: [{match: GET /slow, target: "http://%[1]s"}, {match: GET /other, target: mock}]
`, address), nil)
	ask := func(i int, target string) int {
		return protocols[i%2].send(t, r, message{method: "GET", target: target, host: "localhost"}).status
	}
	var under sync.WaitGroup
	for i := range 3 {
		under.Go(func() {
			if status := ask(i, "/slow"); status != 500 { // what the service says
				t.Errorf("%d", status)
			}
		})
	}
	awaitCopies(t, service, 3)
	for i := range 4 {
		if i == 2 {
			if err := r.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if status := ask(i, "/slow"); status != 503 {
			t.Errorf("the fourth got %d", status)
		}
		if status := ask(i, "/other"); status != 200 {
			t.Errorf("another route got %d", status)
		}
	}
	close(released)
	under.Wait()
	if status := ask(0, "/slow"); status != 500 {
		t.Errorf("afterwards: %d", status)
	}
}
