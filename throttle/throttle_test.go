package throttle

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/exchange"
	"gatehouse/limit"
)

// gate is both filters around a target, as a route's chain has them.
type gate struct {
	chain  http.Handler
	served atomic.Int64
	header http.Header // what the target answers with
}

func newGate(lease *limit.Lease, levels ...Level) *gate {
	g := &gate{}
	g.chain = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.served.Add(1)
		for name, values := range g.header {
			w.Header()[name] = values
		}
	})
	for _, f := range []func(http.Handler) http.Handler{ByCaller(levels, lease), ByAddress(levels, lease)} {
		if f != nil {
			g.chain = f(g.chain)
		}
	}
	return g
}

type answer struct {
	*httptest.ResponseRecorder
	trail   []exchange.Step
	refused *exchange.Refusal
}

// ask sends a request from an address by a principal's subject, "" for a
// stranger.
func (g *gate) ask(address, subject string) answer {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	client := netip.MustParseAddr(address)
	x, r := exchange.Begin(rec, r, &exchange.Conn{Source: netip.AddrPortFrom(client, 1)}, nil)
	if subject != "" {
		x.Principal = exchange.NewPrincipal("jwt", "test", subject)
	}
	g.chain.ServeHTTP(&x.Writer, r)
	x.Finish()
	return answer{rec, append([]exchange.Step(nil), x.Trail.Steps()...), x.Refused}
}

// admitted asks n times and returns how often it was let in.
func (g *gate) admitted(n int, address, subject string) int {
	in := 0
	for range n {
		if g.ask(address, subject).Code == 200 {
			in++
		}
	}
	return in
}

func rate(s string) limit.Rate {
	var r limit.Rate
	if err := r.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return r
}

func lease() *limit.Lease { return limit.NewKeeper(limit.Options{}).Begin() }

func route(scope string, list ...Config) Level {
	return Level{Name: "route", Scope: scope, Throttles: list}
}

const ann, bob, eve = "192.0.2.1", "192.0.2.2", "198.51.100.9"

func TestNothingToDo(t *testing.T) {
	perIP := []Level{route("a", Config{Rate: rate("1/s"), Per: IP})}
	others := []Level{route("a", Config{Rate: rate("1/s"), Per: Route}), {Name: "api"}}
	if ByAddress(nil, lease()) != nil || ByCaller(nil, lease()) != nil || ByAddress(others, lease()) != nil || ByCaller(perIP, lease()) != nil {
		t.Error("a filter without a throttle is none")
	}
	if ByAddress(perIP, lease()) == nil || ByCaller(others, lease()) == nil {
		t.Error("a filter is missing")
	}
}

// What nobody offers is counted by caller, and takes nothing from what all
// share.
func TestPerCaller(t *testing.T) {
	levels := []Level{
		{Name: "api", Scope: "a", Throttles: []Config{{Rate: rate("1/h"), Per: Route}}},
		{Name: "stage", Scope: "a/b", Throttles: []Config{{Rate: rate("1/h"), Per: IP}, {Rate: rate("1/h"), Per: Route}, {Rate: rate("1/h"), Per: Principal}}},
	}
	l := lease()
	unknown, known := newGate(l, PerCaller(levels)...), newGate(l, levels...)
	if got := unknown.admitted(9, ann, ""); got != 1 {
		t.Errorf("%d of one address were let through, want 1", got)
	}
	if got := known.admitted(9, bob, "bob"); got != 1 {
		t.Errorf("%d were admitted, want 1: what all share is gone", got)
	}
	if len(levels[1].Throttles) != 3 {
		t.Error("the levels were changed")
	}
}

func TestWhomAThrottleCounts(t *testing.T) {
	for _, tc := range []struct {
		per  Per
		want [4]int // ann from home and from work, bob from home, a stranger from home
	}{
		{Route, [4]int{2, 0, 0, 0}},
		{IP, [4]int{2, 2, 0, 0}},
		{Principal, [4]int{2, 0, 2, 2}},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(lease(), route("a", Config{Rate: rate("2/s"), Per: tc.per}))
			got := [4]int{g.admitted(5, ann, "ann"), g.admitted(5, bob, "ann"), g.admitted(5, ann, "bob"), g.admitted(5, ann, "")}
			if got != tc.want {
				t.Errorf("per %s: %v were admitted, want %v", tc.per, got, tc.want)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(lease(), route("a", Config{Rate: rate("6/m"), Burst: 2, Per: IP}))
		for i, want := range []string{`"route-ip";r=1;t=10`, `"route-ip";r=0;t=20`} {
			a := g.ask(ann, "")
			if a.Code != 200 || a.Header().Get("RateLimit") != want || a.Header().Get("RateLimit-Policy") != `"route-ip";q=2;w=20` {
				t.Errorf("request %d: %d %v", i, a.Code, a.Header())
			}
			if len(a.trail) != 1 || a.trail[0].Decision != exchange.Passed || a.trail[0].Rule.Name != "route 6/m burst 2 per ip" {
				t.Errorf("request %d: trail %+v", i, a.trail)
			}
		}
		time.Sleep(500 * time.Millisecond)
		a := g.ask(ann, "")
		for name, want := range map[string]string{
			"RateLimit": `"route-ip";r=0;t=10`, "RateLimit-Policy": `"route-ip";q=2;w=20`, "Retry-After": "10",
			"Content-Type": "application/json", "X-Amzn-Errortype": "TooManyRequestsException",
		} {
			if got := a.Header().Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if a.Code != 429 || strings.TrimSpace(a.Body.String()) != `{"message":"Too Many Requests"}` {
			t.Errorf("got %d %s", a.Code, a.Body)
		}
		if a.refused == nil || a.refused.Reason != "rate-ip" || a.refused.Rule.Filter != "throttle" || a.refused.Detail != "the next token comes in 9.5s" {
			t.Errorf("refusal %+v", a.refused)
		}
		if g.served.Load() != 2 {
			t.Errorf("the target served %d", g.served.Load())
		}
		time.Sleep(9500 * time.Millisecond) // as Retry-After said
		if got := g.admitted(5, ann, ""); got != 1 {
			t.Errorf("%d were admitted after the wait, want 1", got)
		}
	})
}

func TestSeveralLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lease()
		gateway := Level{Name: "gateway", Scope: "gateway", Throttles: []Config{{Rate: rate("100/s"), Per: IP}}}
		stage := Level{Name: "stage", Scope: "shop/prod", Throttles: []Config{{Rate: rate("6/s"), Per: Route}}}
		orders := newGate(l, gateway, stage, route("shop/prod/orders", Config{Rate: rate("3/s"), Per: Principal}, Config{Rate: rate("50/s"), Per: IP}, Config{Rate: rate("1000/h"), Burst: 40, Per: IP}))
		items := newGate(l, gateway, stage, route("shop/prod/items", Config{Rate: rate("4/s"), Per: Principal}))
		a := orders.ask(ann, "ann")
		want := []string{
			`"route-principal";q=3;w=1, "stage";q=6;w=1`,
			`"gateway-ip";q=100;w=1, "route-ip";q=50;w=1, "route-ip-2";q=40;w=144`,
		}
		if got := a.Header()["Ratelimit-Policy"]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("policies\n%q, want\n%q", got, want)
		}
		if got := a.Header()["Ratelimit"]; len(got) != 1 || got[0] != `"route-principal";r=2;t=1` {
			t.Errorf("limit %q: the tightest is to be told", got)
		}
		// 3 of ann's orders, then 3 of the stage are left for her items, of 4.
		if got := orders.admitted(5, ann, "ann"); got != 2 {
			t.Errorf("%d more orders, want 2", got)
		}
		if got := items.admitted(5, ann, "ann"); got != 3 {
			t.Errorf("%d items, want 3", got)
		}
		if a := items.ask(bob, "bob"); a.Code != 429 || a.Header().Get("RateLimit") != `"stage";r=0;t=1` || a.refused.Rule.Name != "stage 6/s burst 6 per route" {
			t.Errorf("got %d %v %+v", a.Code, a.Header(), a.refused)
		}
	})
}

// Who is refused by one throttle is not charged for the others of the step.
func TestRefusedRequestsChargeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(lease(), route("a", Config{Rate: rate("0.001/s"), Burst: 5, Per: Route}, Config{Rate: rate("0.0001/s"), Burst: 2, Per: Principal}))
		if got := g.admitted(100, ann, "ann"); got != 2 {
			t.Fatalf("ann was admitted %d times", got)
		}
		if got := g.admitted(2, bob, "bob"); got != 2 {
			t.Errorf("ann's refused requests took from what she shares with bob: %d", got)
		}
		// The route's last token is eve's; then bob is refused by the route alone
		// and keeps his own.
		if got := g.admitted(2, eve, "eve"); got != 1 {
			t.Errorf("eve: %d", got)
		}
		time.Sleep(1000 * time.Second)
		if got := g.admitted(3, eve, "eve"); got != 1 {
			t.Errorf("eve after the route's next token: %d, want 1: her refused request took from her own", got)
		}
	})
}

func TestRefusedStepsLeaveLaterOnesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(lease(), route("a", Config{Rate: rate("0.001/s"), Burst: 3, Per: Route}, Config{Rate: rate("0.001/s"), Burst: 1, Per: IP}))
		if got := g.admitted(100, eve, ""); got != 1 {
			t.Fatal(got)
		}
		if got := g.admitted(2, ann, "") + g.admitted(2, bob, ""); got != 2 {
			t.Errorf("a flood from one address starved two others: %d", got)
		}
	})
}

// As on a route: who has no credential is refused between the two filters.
func newGuardedGate(l *limit.Lease, levels ...Level) *gate {
	g := &gate{}
	inner := ByCaller(levels, l)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { g.served.Add(1) }))
	g.chain = ByAddress(levels, l)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if exchange.From(r).Principal == nil {
			exchange.Refuse(w, r, exchange.Refusal{Status: 401, Rule: &exchange.Rule{Filter: "auth"}})
			return
		}
		inner.ServeHTTP(w, r)
	}))
	return g
}

func stranger(i int) string {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

// Strangers in numbers, each asking far more than it may: customers, old and
// new, get all that their own throttles allow, and what is shared is theirs.
func TestStrangersStarveNoCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewKeeper(limit.Options{Addresses: 8192, Names: 1024}).Begin()
		g := newGuardedGate(l, route("a", Config{Rate: rate("10/s"), Per: IP}, Config{Rate: rate("5/s"), Per: Principal}, Config{Rate: rate("20/s"), Per: Route}))
		for second := range 5 {
			for i := range 2000 {
				for range 12 {
					g.ask(stranger(i), "")
				}
			}
			for i, address := range []string{ann, bob, eve} {
				if got := g.admitted(9, address, fmt.Sprint("customer ", i, second)); got != 5 {
					t.Fatalf("second %d: customer %d was admitted %d times, want 5", second, i, got)
				}
			}
			time.Sleep(time.Second)
		}
	})
}

// Ever new strangers, far more than the table of addresses holds: who was there
// before and keeps calling is served, and strangers together get one bucket
// beyond the table.
func TestMoreStrangersThanTheTableHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewKeeper(limit.Options{Addresses: 2048}).Begin()
		g := newGuardedGate(l, route("a", Config{Rate: rate("1/s"), Burst: 10, Per: IP}, Config{Rate: rate("50/s"), Per: Principal}))
		if got := g.admitted(5, ann, "ann"); got != 5 {
			t.Fatal(got)
		}
		for second := range 8 {
			let := 0
			for i := range 6000 {
				a := g.ask(stranger(second<<16|i), "")
				if a.Code == 401 {
					let++
				}
			}
			if let > 2048+10 {
				t.Errorf("second %d: %d strangers passed", second, let)
			}
			if a := g.ask(ann, "ann"); a.Code != 200 {
				t.Fatalf("second %d: ann got %d %+v", second, a.Code, a.refused)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestReloadUnderLoad(t *testing.T) {
	keeper := limit.NewKeeper(limit.Options{})
	load := func(burst int) *gate {
		lease := keeper.Begin()
		defer lease.Commit()
		return newGate(lease, route("a", Config{Rate: rate("1/d"), Burst: burst, Per: Route}, Config{Rate: rate("1/d"), Burst: burst, Per: IP}))
	}
	var current atomic.Pointer[gate]
	current.Store(load(500))
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if current.Load().ask(ann, "").Code == 200 {
					admitted.Add(1)
				}
			}
		})
	}
	for range 100 {
		current.Store(load(500))
	}
	wg.Wait()
	if got := admitted.Load(); got != 500 {
		t.Errorf("%d admitted over 100 reloads, want exactly 500", got)
	}
}

func TestPassingCostsNoAllocation(t *testing.T) {
	g := newGate(lease(), route("a", Config{Rate: rate("1000000/s"), Burst: 1 << 30, Per: Route}, Config{Rate: rate("1000000/s"), Burst: 1 << 30, Per: IP}, Config{Rate: rate("1000000/s"), Burst: 1 << 30, Per: Principal}))
	x := &exchange.Exchange{Client: netip.MustParseAddr(ann), Principal: exchange.NewPrincipal("jwt", "a", "b")}
	f := g.chain.(*filter)
	if n := testing.AllocsPerRun(100, func() { f.take(x) }); n != 0 {
		t.Errorf("taking costs %v allocations", n)
	}
	head := &exchange.Head{Exchange: x, Header: make(http.Header)}
	n := testing.AllocsPerRun(100, func() {
		clear(head.Header)
		f.tell(head)
	})
	if n > 1 {
		t.Errorf("telling costs %v allocations, want 2 at most", n)
	}
}

func BenchmarkThrottle(b *testing.B) {
	levels := []Level{
		{Name: "gateway", Scope: "gateway", Throttles: []Config{{Rate: rate("1000000/s"), Burst: 1 << 30, Per: IP}}},
		route("a", Config{Rate: rate("1000000/s"), Burst: 1 << 30, Per: Principal}),
	}
	g := newGate(lease(), levels...)
	x := &exchange.Exchange{Client: netip.MustParseAddr(ann), Principal: exchange.NewPrincipal("jwt", "https://login.shop.test", "ann@shop.test")}
	head := &exchange.Head{Exchange: x, Header: make(http.Header)}
	outer := g.chain.(*filter)
	inner := outer.next.(*filter)
	b.ReportAllocs()
	for b.Loop() {
		x.RateLimit.Policy = ""
		outer.take(x)
		inner.take(x)
		clear(head.Header)
		inner.tell(head)
		outer.tell(head)
	}
}
