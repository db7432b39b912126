package limit

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newLimit returns a limit in a keeper of its own.
func newLimit(rate float64, burst int, o Options) *Limit {
	return NewKeeper(o).Begin().Limit("test", PerSecond(rate), burst)
}

func take(t *testing.T, l *Limit, k Key, want bool) Result {
	t.Helper()
	r := l.Take(k)
	if r.OK != want {
		t.Fatalf("took %v, want %v (%+v)", r.OK, want, r)
	}
	return r
}

func TestBucketOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(10, 3, Options{})
		for name, k := range map[string]Key{"all": l.All(), "address": l.Address(netip.MustParseAddr("192.0.2.1")), "name": l.Name("jwt:a|b")} {
			t.Log(name)
			for left := 2; left >= 0; left-- {
				r := take(t, l, k, true)
				if r.Remaining != left || r.Reset != time.Duration(3-left)*100*time.Millisecond || r.Retry != 0 {
					t.Fatalf("%d left: %+v", left, r)
				}
			}
			r := take(t, l, k, false)
			if r.Remaining != 0 || r.Reset != 300*time.Millisecond || r.Retry != 100*time.Millisecond {
				t.Fatalf("empty: %+v", r)
			}
			time.Sleep(100*time.Millisecond - time.Nanosecond)
			take(t, l, k, false) // refused ones cost nothing
			time.Sleep(time.Nanosecond)
			take(t, l, k, true) // exactly at its time
			take(t, l, k, false)
			time.Sleep(time.Hour)
			for range 3 {
				take(t, l, k, true)
			}
			take(t, l, k, false)
		}
	})
}

// Rounding must not lose or grant anything over a long time, whatever the rate.
func TestBucketIsExact(t *testing.T) {
	for _, rate := range []string{"10/s", "3/s", "7/m", "1000/h", "5/d", "0.7/s", "999999/s"} {
		synctest.Test(t, func(t *testing.T) {
			var r Rate
			if err := r.UnmarshalText([]byte(rate)); err != nil {
				t.Fatal(err)
			}
			l := NewKeeper(Options{}).Begin().Limit("test", r, 5)
			k := l.Name("caller")
			interval := float64(time.Second) / r.PerSecond()
			begin := time.Now()
			admitted := 0
			for range 30000 {
				if l.Take(k).OK {
					admitted++
				}
				time.Sleep(time.Duration(interval * rand.Float64()))
			}
			// The bucket is never full again, so all that the rate gives is taken.
			exact := 5 + float64(time.Since(begin))/interval
			if float64(admitted) > exact+1e-3 || float64(admitted) < exact-3 {
				t.Errorf("%s: %d admitted, the rate gives %f", rate, admitted, exact)
			}
		})
	}
}

// A caller that asks all the time gets exactly the rate.
func TestBucketGivesTheWholeRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(7, 5, Options{})
		k := l.Name("caller")
		admitted := 0
		for range 100_000 {
			if l.Take(k).OK {
				admitted++
			}
			time.Sleep(time.Millisecond)
		}
		// 5 at once, then 7 a second for 99.999 s.
		if want := 5 + 699; admitted != want {
			t.Errorf("%d admitted, want %d", admitted, want)
		}
	})
}

func TestConcurrentTakesAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(100, 250, Options{})
		for name, k := range map[string]Key{"all": l.All(), "name": l.Name("caller")} {
			var admitted atomic.Int64
			round := func(want int64) {
				t.Helper()
				admitted.Store(0)
				var wg sync.WaitGroup
				for range 32 {
					wg.Go(func() {
						for range 100 {
							if l.Take(k).OK {
								admitted.Add(1)
							}
						}
					})
				}
				wg.Wait()
				if got := admitted.Load(); got != want {
					t.Errorf("%s: %d admitted, want exactly %d", name, got, want)
				}
			}
			round(250)
			round(0)
			time.Sleep(time.Second)
			round(100)
			time.Sleep(70 * time.Millisecond)
			round(7)
			time.Sleep(time.Hour)
			round(250)
		}
	})
}

// With the real clock no more is admitted than the rate allows.
func TestConcurrentTakesInRealTime(t *testing.T) {
	l := newLimit(10_000, 100, Options{})
	k := l.Name("caller")
	var admitted atomic.Int64
	begin := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for time.Since(begin) < 300*time.Millisecond {
				if l.Take(k).OK {
					admitted.Add(1)
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	most := 100 + int64(time.Since(begin).Seconds()*10_000) + 1
	if got := admitted.Load(); got > most || got < 100 {
		t.Errorf("%d admitted, at most %d may be, and the burst should", got, most)
	}
}

func TestGive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(1, 2, Options{Names: 1})
		for _, k := range []Key{l.All(), l.Name("caller")} {
			take(t, l, k, true)
			r := take(t, l, k, true)
			l.Give(k, take(t, l, k, false)) // nothing was taken
			take(t, l, k, false)
			l.Give(k, r)
			take(t, l, k, true)
			time.Sleep(time.Hour)
			l.Give(k, r) // a full bucket does not overflow
			take(t, l, k, true)
			take(t, l, k, true)
			take(t, l, k, false)
		}
	})
}

func TestAddresses(t *testing.T) {
	l := newLimit(1, 1, Options{})
	key := func(s string) Key { return l.Address(netip.MustParseAddr(s)) }
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"::", "::1", true},
		{"::", "0.0.0.0", false},
	} {
		if got := key(tc.a) == key(tc.b); got != tc.same {
			t.Errorf("%s and %s: same bucket %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
	if key("192.0.2.1") == l.Name("192.0.2.1") || l.Address(netip.Addr{}) == l.All() {
		t.Error("keys of different kinds are equal")
	}
}

func TestScopesAreApart(t *testing.T) {
	lease := NewKeeper(Options{}).Begin()
	a, b := lease.Limit("a", PerSecond(1), 1), lease.Limit("b", PerSecond(1), 1)
	again := lease.Limit("a", PerSecond(1), 1)
	for _, key := range []func(*Limit) Key{(*Limit).All, func(l *Limit) Key { return l.Name("caller") }} {
		take(t, a, key(a), true)
		take(t, b, key(b), true)
		take(t, again, key(again), false)
	}
}

func TestReloadKeepsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keeper := NewKeeper(Options{})
		load := func(rate float64, burst int) *Limit {
			lease := keeper.Begin()
			defer lease.Commit()
			return lease.Limit("shop/prod", PerSecond(rate), burst)
		}
		l := load(1, 10)
		for _, k := range []Key{l.All(), l.Name("caller"), l.Address(netip.MustParseAddr("192.0.2.1"))} {
			l := load(1, 10)
			for range 4 {
				take(t, l, k, true)
			}
			same := load(1, 10)
			if r := take(t, same, k, true); r.Remaining != 5 {
				t.Errorf("the same limit: %+v", r)
			}
			larger := load(1, 100)
			if r := take(t, larger, k, true); r.Remaining != 4 {
				t.Errorf("a larger burst grants nothing by itself: %+v", r)
			}
			smaller := load(1, 2)
			if r := take(t, smaller, k, true); r.Remaining != 1 {
				t.Errorf("tokens are clamped to the new burst: %+v", r)
			}
			faster := load(100, 10)
			time.Sleep(30 * time.Millisecond)
			if r := take(t, faster, k, true); r.Remaining != 3 {
				t.Errorf("the new rate adds from now on: %+v", r)
			}
			time.Sleep(time.Hour)
		}
	})
}

// What a bucket gained under the old rate, and has not been asked for since, is
// its caller's: a slower rate does not take it, a faster one does not grant more.
func TestReloadKeepsWhatWasGained(t *testing.T) {
	for _, tc := range []struct {
		name         string
		before, then float64 // rates
		burst, later int
		idle, wait   time.Duration // before and after the reload
		want         int           // tokens then
	}{
		{"slower, after all was regained", 1, 0.001, 10, 10, time.Hour, 0, 10},
		{"slower, after some was regained", 1, 0.001, 10, 10, 4 * time.Second, 0, 4},
		{"slower, and some time after", 1, 0.01, 10, 10, 4 * time.Second, 100 * time.Second, 5},
		{"faster", 0.001, 100, 10, 10, 4 * time.Second, 0, 0},
		{"faster, and some time after", 0.5, 100, 10, 10, 4 * time.Second, 20 * time.Millisecond, 4},
		{"a smaller burst", 1, 1, 10, 3, time.Hour, 0, 3},
		{"a larger burst", 1, 1, 10, 30, time.Hour, 5 * time.Second, 15},
	} {
		synctest.Test(t, func(t *testing.T) {
			keeper := NewKeeper(Options{})
			load := func(rate float64, burst int) *Limit {
				lease := keeper.Begin()
				defer lease.Commit()
				return lease.Limit("shop/prod", PerSecond(rate), burst)
			}
			l := load(tc.before, tc.burst)
			for _, k := range []Key{l.All(), l.Name("caller")} {
				for l := load(tc.before, tc.burst); l.Take(k).OK; {
				}
				time.Sleep(tc.idle)
				load(tc.then, tc.later)
				l := load(tc.then, tc.later) // a reload that changes nothing
				time.Sleep(tc.wait)
				got := 0
				for l.Take(k).OK {
					got++
				}
				if got != tc.want {
					t.Errorf("%s: %d tokens, want %d", tc.name, got, tc.want)
				}
			}
		})
	}
}

// However often rates change, what is kept of them is bounded, and a bucket that
// was left alone all the while gains what the rates gave.
func TestManyReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keeper := NewKeeper(Options{})
		var l *Limit
		load := func(rate float64) {
			lease := keeper.Begin()
			defer lease.Commit()
			l = lease.Limit("shop/prod", PerSecond(rate), 1000)
		}
		load(1)
		k := l.Name("caller")
		for l.Take(k).OK {
		}
		for i := range 100 {
			load(float64(1 + i%2))
			time.Sleep(time.Second)
		}
		got := 0
		for l.Take(k).OK {
			got++
		}
		if got < 100 || got > 200 {
			t.Errorf("%d tokens after 100 s at rates of 1 and 2", got)
		}
		depth := 0
		for f := l.scope.refill.Load(); f != nil; f = f.before {
			depth++
		}
		if depth > maxRefills {
			t.Errorf("%d rates are kept", depth)
		}
	})
}

func TestAbortedReloadChangesNothing(t *testing.T) {
	keeper := NewKeeper(Options{})
	lease := keeper.Begin()
	l := lease.Limit("a", PerSecond(0.001), 1)
	lease.Commit()
	take(t, l, l.All(), true)
	aborted := keeper.Begin()
	aborted.Limit("a", PerSecond(1000), 1000)
	aborted.Limit("b", PerSecond(1000), 1000)
	aborted.Abort()
	take(t, l, l.All(), false)
	again := keeper.Begin().Limit("a", PerSecond(0.001), 1)
	take(t, again, again.All(), false)
}

func TestKnownKeysCostNoAllocation(t *testing.T) {
	l := newLimit(1000, 10, Options{})
	address, name := netip.MustParseAddr("2001:db8::1"), "jwt:https://login.test|ann"
	l.Take(l.Address(address))
	l.Take(l.Name(name))
	n := testing.AllocsPerRun(1000, func() {
		l.Take(l.All())
		l.Take(l.Address(address))
		l.Give(l.Name(name), l.Take(l.Name(name)))
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
