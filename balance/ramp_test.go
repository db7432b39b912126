package balance

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// stated returns targets with States on a Clock of their own.
func stated(weights ...int) ([]Target, Clock) {
	c := NewClock()
	ts := targets(weights...)
	for i := range ts {
		ts[i].State = NewState(c, false)
	}
	return ts, c
}

func shareOf(counts []int, i int) float64 {
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(counts[i]) / float64(n)
}

func near(t *testing.T, what string, got, want, off float64) {
	t.Helper()
	if math.Abs(got-want) > off {
		t.Errorf("%s: %.3f, want %.3f", what, got, want)
	}
}

// A new target's share grows evenly from a tenth to the full one, by every
// method.
func TestRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
			for _, n := range []int{4, 20} {
				ts, c := stated(ones(n)...)
				time.Sleep(time.Hour)
				ts[1].State = NewState(c, true)
				p := NewPicker(ts, Options{Method: m, Clock: c, Ramp: Ramp{Window: 100 * time.Second, From: 0.1}})
				expect := func(what string, factor float64) {
					t.Helper()
					want := factor / (factor + float64(n-1))
					if m == LeastRequests && n <= exactUpTo { // it takes part that often, among equals
						want = factor / float64(n)
					}
					near(t, what, shareOf(picks(p, 20_000), 1), want, 0.02)
				}
				expect("at once", 0.1)
				time.Sleep(50 * time.Second)
				expect("halfway", 0.5)
				near(t, "how far", p.Growing(1), 0.5, 0.01)
				time.Sleep(50 * time.Second)
				expect("in the end", 1)
				if ts[1].State.grown.Load() == 0 {
					t.Error("that it has grown is not remembered")
				}
			}
		}
	})
}

// Under load, least-requests gives a new target no more than its share of the
// requests in flight.
func TestRampUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, c := stated(ones(5)...)
		time.Sleep(time.Hour)
		ts[0].State = NewState(c, true)
		p := NewPicker(ts, Options{Method: LeastRequests, Clock: c, Ramp: Ramp{Window: 100 * time.Second, From: 0.1}})
		time.Sleep(20 * time.Second)
		for range 840 {
			ts[p.Pick(0, nil)].Load.Add(1)
		}
		near(t, "requests in flight", float64(ts[0].Load.Load()), 840*0.2/4.2, 4)
	})
}

// Targets that come together share evenly: there is nobody to be spared by.
func TestRampOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock()
		ts := targets(3, 1)
		for i := range ts {
			ts[i].State = NewState(c, true)
		}
		for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
			p := NewPicker(ts, Options{Method: m, Clock: c, Ramp: Ramp{Window: time.Minute, From: 0.1}})
			want := 0.75
			if m == LeastRequests {
				want = 1 // with nothing in flight
			}
			near(t, "of the heavier", shareOf(picks(p, 20_000), 0), want, 0.03)
		}
	})
}

// A target whose health comes back grows anew.
func TestRampAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, c := stated(1, 1)
		p := NewPicker(ts, Options{Clock: c, Ramp: Ramp{Window: 10 * time.Second, From: 0.1}})
		near(t, "before", shareOf(picks(p, 10_000), 0), 0.5, 0.01)
		ts[0].Health.Unreachable("down")
		near(t, "down", shareOf(picks(p, 1000), 0), 0, 0)
		time.Sleep(time.Minute)
		ts[0].Health.observe(nil, CheckOptions{Healthy: 1, Unhealthy: 1})
		time.Sleep(5 * time.Second)
		near(t, "halfway back", shareOf(picks(p, 30_000), 0), 0.5/1.5, 0.02)
		time.Sleep(5 * time.Second)
		near(t, "back", shareOf(picks(p, 10_000), 0), 0.5, 0.01)
	})
}

// As a target's share grows keys come to it, and none move between the others.
func TestRampMovesFewKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, c := stated(ones(10)...)
		before := NewPicker(ts[:9:9], Options{Method: Hash, Clock: c})
		time.Sleep(time.Hour)
		ts[9].State = NewState(c, true)
		p := NewPicker(ts, Options{Method: Hash, Clock: c, Ramp: Ramp{Window: 100 * time.Second, From: 0.01}})
		last := make([]int, 20_000)
		for i := range last {
			last[i] = before.Pick(mix(uint64(i)), nil)
		}
		for range 11 {
			for i := range last {
				now := p.Pick(mix(uint64(i)), nil)
				if now != last[i] && now != 9 {
					t.Fatalf("a key moved from %d to %d", last[i], now)
				}
				last[i] = now
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestPriorities(t *testing.T) {
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		ts, c := stated(3, 1, 1, 1)
		ts[2].Priority, ts[3].Priority = 1, 2
		p := NewPicker(ts, Options{Method: m, Clock: c, Room: 100})
		got := picks(p, 40)
		if got[2]+got[3] != 0 || got[0] == 0 {
			t.Errorf("method %d: %v: the first priority alone", m, got)
		}
		leave(ts)
		ts[0].Health.Unreachable("down")
		if got := picks(p, 40); got[1] != 40 {
			t.Errorf("method %d: %v: what is left of it", m, got)
		}
		if i := p.Pick(0, []int{1}); i != 2 {
			t.Errorf("method %d: another attempt goes to %d", m, i)
		}
		leave(ts)
		ts[1].Health.Unreachable("down")
		if got := picks(p, 40); got[2] != 40 {
			t.Errorf("method %d: %v: the second priority", m, got)
		}
		leave(ts)
		ts[2].State.used.Store(100)
		var q Query
		if i := p.Choose(&q); i != Full {
			t.Errorf("method %d: %d: a busy priority is not left for the next", m, i)
		}
	}
}

func leave(ts []Target) {
	for i := range ts {
		ts[i].State.used.Store(0)
	}
}

// Weights hold among many targets too, where least-requests draws two.
func TestLeastRequestsByWeightOfMany(t *testing.T) {
	weights := ones(40)
	weights[3], weights[17] = 10, 5
	ts := targets(weights...)
	p := NewPicker(ts, Options{Method: LeastRequests})
	for range 53 * 100 {
		ts[p.Pick(0, nil)].Load.Add(1)
	}
	near(t, "of weight 10", float64(ts[3].Load.Load()), 1000, 60)
	near(t, "of weight 5", float64(ts[17].Load.Load()), 500, 40)
}

func TestRoom(t *testing.T) {
	ts, c := stated(1, 1)
	p := NewPicker(ts, Options{Clock: c, Room: 2})
	var q Query
	for range 4 {
		q.Reset(nil)
		if i := p.Choose(&q); i < 0 || !q.Entry {
			t.Fatal(i)
		}
	}
	q.Reset(nil)
	if i := p.Choose(&q); i != Full || q.Entry || len(q.Passed()) != 2 || q.Passed()[0].Why != Busy {
		t.Errorf("%d, %+v", i, q)
	}
	ts[1].State.Leave()
	q.Reset(nil)
	if i := p.Choose(&q); i != 1 {
		t.Errorf("%d", i)
	}
	for i := range ts {
		ts[i].Health.Unreachable("down")
	}
	q.Reset(nil)
	if i := p.Choose(&q); i != Full {
		t.Errorf("%d: room holds whatever the health", i)
	}
}

// A target that is wanted is picked while it is usable, and another one where it
// is not.
func TestWant(t *testing.T) {
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		ts, c := stated(1, 1, 1)
		p := NewPicker(ts, Options{Method: m, Clock: c, Room: 2})
		ts[1].Load.Store(5)
		want := func(skip []int, ok bool) {
			t.Helper()
			q := Query{Want: 2}
			q.Reset(skip)
			if i := p.Choose(&q); i < 0 || (i == 1) != ok {
				t.Errorf("method %d: %d", m, i)
			}
		}
		want(nil, true)
		want([]int{1}, false)
		want(nil, true)
		want(nil, false) // it has no room
		leave(ts)
		ts[1].Health.Unreachable("down")
		want(nil, false)
	}
	plain := NewPicker(targets(1, 1, 1), Options{})
	for range 6 {
		if i := plain.Choose(&Query{Want: 3}); i != 2 {
			t.Errorf("%d", i)
		}
	}
}

// The cost of a pick with all that can be asked of it, nothing being wrong.
func BenchmarkPickStated(b *testing.B) {
	names := map[Method]string{RoundRobin: "round-robin", LeastRequests: "least-requests", Hash: "hash"}
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		ts, c := stated(ones(5)...)
		p := NewPicker(ts, Options{Method: m, Clock: c, Room: 100, Ramp: Ramp{Window: time.Minute, From: 0.1}})
		b.Run(names[m], func(b *testing.B) {
			b.ReportAllocs()
			var q Query
			for i := uint64(0); b.Loop(); i++ {
				q.Key = i
				q.Reset(nil)
				p.Target(p.Choose(&q)).State.Leave()
			}
		})
	}
}

func TestChooseAllocatesNothing(t *testing.T) {
	ts, c := stated(ones(5)...)
	ts[2].Health.Unreachable("down")
	ts[3].State = NewState(c, true)
	var q Query
	for _, m := range []Method{RoundRobin, LeastRequests, Hash} {
		p := NewPicker(ts, Options{Method: m, Clock: c, Room: 100, Ramp: Ramp{Window: time.Hour, From: 0.1}})
		if n := testing.AllocsPerRun(100, func() {
			q.Reset(nil)
			p.Target(p.Choose(&q)).State.Leave()
		}); n != 0 {
			t.Errorf("method %d: %v allocations", m, n)
		}
	}
}
