package throttle

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"gatehouse/exchange"
	"gatehouse/limit"
)

// atOnceGate serves requests that end when they are told to.
type atOnceGate struct {
	chain  http.Handler
	inside chan struct{}
	leave  chan struct{}
}

func newAtOnceGate(slots *limit.Slots, levels ...ConcurrentLevel) *atOnceGate {
	g := &atOnceGate{inside: make(chan struct{}), leave: make(chan struct{})}
	g.chain = AtOnce(levels, slots)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		g.inside <- struct{}{}
		if _, more := <-g.leave; !more {
			panic("broken")
		}
	}))
	return g
}

func (g *atOnceGate) ask(subject, key string) (int, string) {
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, httptest.NewRequest("GET", "/", nil), &exchange.Conn{Source: netip.MustParseAddrPort(ann + ":1")}, nil)
	if subject != "" {
		x.Principal = exchange.NewPrincipal("jwt", "test", subject)
	}
	if key != "" {
		x.APIKey = &exchange.APIKey{ID: key}
	}
	defer func() { _ = recover() }()
	g.chain.ServeHTTP(&x.Writer, r)
	x.Finish()
	return rec.Code, rec.Header().Get("Retry-After")
}

func TestAtOnce(t *testing.T) {
	if AtOnce([]ConcurrentLevel{{Name: "api"}}, limit.NewSlots()) != nil {
		t.Error("a filter without a limit is none")
	}
	slots := limit.NewSlots()
	level := ConcurrentLevel{Name: "route", Scope: "a", Limit: &Concurrent{Limit: 2, Per: Principal}}
	g, again := newAtOnceGate(slots, level), newAtOnceGate(slots, level) // after a reload
	var under sync.WaitGroup
	enter := func(g *atOnceGate, subject string) {
		under.Go(func() { g.ask(subject, "") })
		<-g.inside
	}
	enter(g, "ann")
	enter(g, "ann")
	for _, g := range []*atOnceGate{g, again} {
		if code, retry := g.ask("ann", ""); code != 429 || retry != "1" {
			t.Errorf("a third one: %d, Retry-After %q", code, retry)
		}
	}
	enter(again, "bob")
	enter(g, "")          // a stranger, by address
	g.leave <- struct{}{} // one is served, and the others panic
	close(g.leave)
	close(again.leave)
	under.Wait()
	for _, name := range []string{"jwt:test|ann", "jwt:test|bob", ann} {
		if n := slots.Held("a route", name); n != 0 {
			t.Errorf("%s still holds %d", name, n)
		}
	}
}

func TestAtOnceCostsNoAllocation(t *testing.T) {
	slots := limit.NewSlots()
	p := exchange.NewPrincipal("jwt", "a", "b")
	c := concurrent{scope: "a", most: 3, per: Principal}
	x := &exchange.Exchange{Principal: p}
	if n := testing.AllocsPerRun(100, func() {
		name := c.name(x)
		slots.Acquire(c.scope, name, c.most)
		slots.Release(c.scope, name)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
