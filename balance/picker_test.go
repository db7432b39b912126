package balance

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func targets(weights ...int) []Target {
	out := make([]Target, len(weights))
	for i, w := range weights {
		out[i] = Target{Address: fmt.Sprintf("10.0.0.%d:8080", i), Weight: w, Health: NewHealth(nil), Load: new(atomic.Int64)}
	}
	return out
}

func ones(n int) []int { return slices.Repeat([]int{1}, n) }

// picks counts where n picks go.
func picks(p *Picker, n int) []int {
	out := make([]int, p.Len())
	for i := range n {
		out[p.Pick(mix(uint64(i)), nil)]++
	}
	return out
}

func TestRoundRobinIsExact(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1, 1}, {5, 1, 1}, {90, 10}, {300, 200, 500}, {7, 3, 2, 1}} {
		total := 0
		for _, w := range weights {
			total += w
		}
		if got := picks(NewPicker(targets(weights...), Options{}), 10*total); !slices.Equal(got, scale(weights, 10)) {
			t.Errorf("%v: %v", weights, got)
		}
	}
}

func scale(weights []int, by int) []int {
	out := slices.Clone(weights)
	for i := range out {
		out[i] *= by
	}
	return out
}

func TestRoundRobinIsSmooth(t *testing.T) {
	if got, want := schedule([]int{5, 1, 1}), []uint16{0, 0, 1, 0, 2, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestScheduleIsBounded(t *testing.T) {
	weights := []int{1, 999_983, 1_000_000}
	s := schedule(weights)
	if len(s) > maxTurns+len(weights) || !slices.Contains(s, 0) {
		t.Errorf("%d turns, the smallest weight among them: %v", len(s), slices.Contains(s, 0))
	}
	if s := schedule([]int{0, 3}); slices.Contains(s, 0) {
		t.Error("weight 0 has a turn")
	}
}

// What a sick target leaves is shared by all others, not by its neighbour.
func TestRoundRobinSharesWhatTheSickLeave(t *testing.T) {
	ts := targets(1, 1, 1, 1)
	p := NewPicker(ts, Options{})
	ts[1].Health.Unreachable("down")
	got := picks(p, 3000)
	if got[1] != 0 {
		t.Fatalf("a sick target was picked: %v", got)
	}
	for _, i := range []int{0, 2, 3} {
		if math.Abs(float64(got[i])-1000) > 50 {
			t.Errorf("%v", got)
		}
	}
}

func TestAllSick(t *testing.T) {
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		for _, n := range []int{1, 2, 5, 40} {
			for _, closed := range []bool{false, true} {
				ts := targets(ones(n)...)
				p := NewPicker(ts, Options{Method: m, Closed: closed})
				for i := range ts {
					ts[i].Health.Unreachable("down")
				}
				if got := p.Pick(7, nil); (got == None) != closed {
					t.Errorf("method %d, %d targets, closed %v: %d", m, n, closed, got)
				}
			}
		}
	}
	if got := NewPicker(nil, Options{}).Pick(0, nil); got != None {
		t.Errorf("of none: %d", got)
	}
}

func TestSkip(t *testing.T) {
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		p := NewPicker(targets(1, 1, 1), Options{Method: m})
		for key := range uint64(50) {
			first := p.Pick(key, nil)
			second := p.Pick(key, []int{first})
			third := p.Pick(key, []int{first, second})
			if first == second || second == third || first == third {
				t.Fatalf("method %d: %d, %d, %d", m, first, second, third)
			}
			if p.Pick(key, []int{0, 1, 2}) == None {
				t.Fatalf("method %d: nothing once all were tried", m)
			}
		}
	}
}

func TestLeastRequests(t *testing.T) {
	for _, n := range []int{4, exactUpTo, 100} {
		ts := targets(ones(n)...)
		p := NewPicker(ts, Options{Method: LeastRequests})
		const requests = 10_000
		for range requests {
			ts[p.Pick(0, nil)].Load.Add(1)
		}
		low, high := int64(math.MaxInt64), int64(0)
		for i := range ts {
			low, high = min(low, ts[i].Load.Load()), max(high, ts[i].Load.Load())
		}
		most := int64(1)
		if n > exactUpTo {
			most = 8 // two choices: log log n apart
		}
		if high-low > most {
			t.Errorf("%d targets: from %d to %d in flight", n, low, high)
		}
	}
}

func TestLeastRequestsByWeight(t *testing.T) {
	ts := targets(3, 1)
	p := NewPicker(ts, Options{Method: LeastRequests})
	for range 400 {
		ts[p.Pick(0, nil)].Load.Add(1)
	}
	if a := ts[0].Load.Load(); a < 298 || a > 302 {
		t.Errorf("%d of 400", a)
	}
}

// Of equals each is as likely as any other: a first one would get every
// request of a quiet service.
func TestLeastRequestsBreaksTiesEvenly(t *testing.T) {
	ts := targets(1, 1, 1, 1, 1)
	ts[2].Load.Add(5)
	got := picks(NewPicker(ts, Options{Method: LeastRequests}), 40_000)
	for i, n := range got {
		want := 10_000
		if i == 2 {
			want = 0
		}
		if math.Abs(float64(n-want)) > 500 {
			t.Errorf("%v", got)
		}
	}
}

func TestHashIsEven(t *testing.T) {
	for _, weights := range [][]int{ones(3), ones(10), ones(100), {3, 1}, {1, 2, 3, 4}} {
		p := NewPicker(targets(weights...), Options{Method: Hash})
		total := 0
		for _, w := range weights {
			total += w
		}
		const keys = 200_000
		for i, n := range picks(p, keys) {
			want := float64(keys) * float64(weights[i]) / float64(total)
			if math.Abs(float64(n)-want) > want/10 {
				t.Errorf("%d targets: target %d of weight %d has %d keys, want about %.0f", len(weights), i, weights[i], n, want)
			}
		}
	}
}

// A target that comes or goes moves its own keys and no others.
func TestHashMovesFewKeys(t *testing.T) {
	for _, weights := range [][]int{ones(10), {1, 2, 3, 1, 2, 3, 1, 2, 3, 2}} {
		all := targets(weights...)
		ten := NewPicker(all, Options{Method: Hash})
		nine := NewPicker(slices.Clone(all[:9]), Options{Method: Hash})
		const keys = 100_000
		moved := 0
		for i := range keys {
			key := KeyOf(fmt.Sprint("key-", i))
			a, b := ten.Pick(key, nil), nine.Pick(key, nil)
			if a != b {
				moved++
				if a != 9 {
					t.Fatalf("a key moved from %d to %d, both of which stayed", a, b)
				}
			}
		}
		share := float64(weights[9]) / float64(sum(weights))
		if got := float64(moved) / keys; math.Abs(got-share) > share/10 {
			t.Errorf("%v: %.3f of the keys moved, want %.3f", weights, got, share)
		}
	}
}

func sum(weights []int) int {
	n := 0
	for _, w := range weights {
		n += w
	}
	return n
}

func TestHashDoesNotDependOnOrder(t *testing.T) {
	a := targets(ones(5)...)
	b := slices.Clone(a)
	slices.Reverse(b)
	p, q := NewPicker(a, Options{Method: Hash}), NewPicker(b, Options{Method: Hash})
	for key := range uint64(1000) {
		if a[p.Pick(key, nil)].Address != b[q.Pick(key, nil)].Address {
			t.Fatal("the same key finds another target in another order")
		}
	}
}

// KeyOf and the lots are the same in every process and version: gateways of
// one cluster must agree while they are being replaced.
func TestHashIsStable(t *testing.T) {
	if got, want := KeyOf("192.0.2.1"), uint64(0x4d0e1bc6845259f5); got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
	p := NewPicker(targets(ones(7)...), Options{Method: Hash})
	var got []int
	for i := range 8 {
		got = append(got, p.Pick(KeyOf(fmt.Sprint("user-", i)), nil))
	}
	if want := []int{4, 6, 1, 4, 2, 0, 6, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestHashBound(t *testing.T) {
	ts := targets(ones(4)...)
	p := NewPicker(ts, Options{Method: Hash, Bound: 1.25})
	hot := KeyOf("everybody asks for this")
	for range 1000 {
		ts[p.Pick(hot, nil)].Load.Add(1)
	}
	for i := range ts {
		if n := ts[i].Load.Load(); n > 313 {
			t.Errorf("target %d has %d of 1000 in flight", i, n)
		}
	}
	first := p.Pick(hot, nil)
	for i := range ts {
		ts[i].Load.Store(0)
	}
	if again, more := p.Pick(hot, nil), p.Pick(hot, nil); again != more || first == None {
		t.Error("a quiet service does not keep to the key's target")
	}
}

func TestSplit(t *testing.T) {
	s := NewSplit([]int{90, 0, 10})
	var got [3]int
	for range 1000 {
		got[s.Next()]++
	}
	if got != [3]int{900, 0, 100} {
		t.Errorf("%v", got)
	}
}

func TestPickConcurrently(t *testing.T) {
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		ts := targets(ones(20)...)
		p := NewPicker(ts, Options{Method: m, Bound: 1.5})
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := range 2000 {
					n := p.Pick(uint64(i*g), nil)
					ts[n].Load.Add(1)
					if i%100 == 0 {
						ts[n].Health.Unreachable("test")
						ts[n].Health.observe(nil, CheckOptions{Healthy: 1, Unhealthy: 1})
					}
					ts[n].Load.Add(-1)
				}
			})
		}
		all.Wait()
		for i := range ts {
			if n := ts[i].Load.Load(); n != 0 {
				t.Errorf("target %d: %d in flight", i, n)
			}
		}
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	skip := []int{1}
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		for _, n := range []int{1, 5, 50} {
			p := NewPicker(targets(ones(n)...), Options{Method: m, Bound: 1.25})
			if got := testing.AllocsPerRun(100, func() { p.Pick(KeyOf("10.1.2.3"), skip) }); got != 0 {
				t.Errorf("method %d, %d targets: %v allocations", m, n, got)
			}
		}
	}
}

func BenchmarkPick(b *testing.B) {
	names := map[Method]string{RoundRobin: "round-robin", LeastRequests: "least-requests", Hash: "hash"}
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		for _, n := range []int{2, 10, 100} {
			p := NewPicker(targets(ones(n)...), Options{Method: m})
			b.Run(fmt.Sprint(names[m], "/", n), func(b *testing.B) {
				b.ReportAllocs()
				for i := uint64(0); b.Loop(); i++ {
					p.Pick(i, nil)
				}
			})
		}
	}
}
