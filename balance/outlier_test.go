package balance

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ward is targets that Outliers watch over.
type ward struct {
	*Outliers
	targets []Target
	picker  *Picker
	changes []Ejection
}

func newWard(o OutlierOptions, weights ...int) *ward {
	ts, c := stated(weights...)
	w := &ward{targets: ts}
	w.Outliers = NewOutliers(c, func(e Ejection) { w.changes = append(w.changes, e) })
	w.Set(&o)
	w.Watch(ts)
	w.picker = NewPicker(ts, Options{Clock: c, Ramp: Ramp{Window: 10 * time.Second, From: 0.1}})
	return w
}

func (w *ward) report(i int, good bool, times int) {
	for range times {
		w.Report(&w.targets[i], false, good, "status 503", time.Now())
	}
}

func (w *ward) out(i int) bool {
	out, _, _ := w.targets[i].State.Ejected(w.clock)
	return out
}

var usual = OutlierOptions{Consecutive: 5, Window: 10 * time.Second, Minimum: 20, Ejection: 30 * time.Second, Longest: 100 * time.Second, Share: 0.5}

func TestEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(usual, 1, 1, 1, 1)
		w.report(0, false, 4)
		w.report(0, true, 1)
		w.report(0, false, 4)
		if w.out(0) {
			t.Fatal("out, though no five failures came in a row")
		}
		w.report(0, false, 1)
		if !w.out(0) {
			t.Fatal("in after five failures in a row")
		}
		if got := picks(w.picker, 300); got[0] != 0 {
			t.Errorf("picked while out: %v", got)
		}
		if len(w.changes) != 1 || !strings.Contains(w.changes[0].Why, "5 failures in a row, the last: status 503") || w.changes[0].For != 30*time.Second {
			t.Errorf("%+v", w.changes)
		}
		w.report(0, true, 3) // of requests that were under way
		if !w.out(0) {
			t.Error("old answers brought it back")
		}
		w.retry(t, 0, 30*time.Second, false)
		w.retry(t, 0, 60*time.Second, false)
		w.retry(t, 0, 90*time.Second, false)
		w.retry(t, 0, 100*time.Second, true)
		if c := w.changes[len(w.changes)-1]; c.Out || len(w.changes) != 5 {
			t.Errorf("%+v", w.changes)
		}
		if n := w.targets[0].State.Ejections(); n != 4 {
			t.Errorf("%d ejections", n)
		}
		if share := w.picker.Growing(0); share > 0.2 {
			t.Errorf("back with %.1f of its share at once", share)
		}
	})
}

// retry expects that the target is tried after d, once, and reports how that
// went.
func (w *ward) retry(t *testing.T, i int, d time.Duration, good bool) {
	t.Helper()
	time.Sleep(d - time.Second)
	if got := picks(w.picker, 100); got[i] != 0 {
		t.Errorf("picked too early: %v", got)
	}
	time.Sleep(time.Second)
	probes := 0
	var q Query
	for range 100 {
		q.Reset(nil)
		if w.picker.Choose(&q) == i {
			probes++
			if !q.Probe {
				t.Error("picked, and not told that this is a trial")
			}
		}
	}
	if probes != 1 {
		t.Errorf("%d trials at once", probes)
	}
	w.Report(&w.targets[i], true, good, "status 500", time.Now())
	if w.out(i) == good {
		t.Errorf("out: %v after a trial that went well: %v", w.out(i), good)
	}
}

// A trial that nobody hears of again, since the client went away, is made anew.
func TestTrialWithoutVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(usual, 1, 1)
		w.report(0, false, 5)
		time.Sleep(30 * time.Second)
		if got := picks(w.picker, 100); got[0] != 1 {
			t.Errorf("%v", got)
		}
		time.Sleep(5 * time.Second)
		if got := picks(w.picker, 100); got[0] != 1 {
			t.Errorf("%v", got)
		}
	})
}

// How long a target stays out is forgiven with the time that it stays in.
func TestEjectionIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(usual, 1, 1, 1)
		last := func() time.Duration { return w.changes[len(w.changes)-1].For }
		w.report(0, false, 5)
		w.retry(t, 0, 30*time.Second, false)
		w.retry(t, 0, 60*time.Second, true)
		w.report(0, false, 5)
		if last() != 90*time.Second {
			t.Errorf("at once again: out for %s", last())
		}
		w.retry(t, 0, 90*time.Second, true)
		time.Sleep(time.Hour)
		w.report(0, false, 5)
		if last() != 30*time.Second {
			t.Errorf("an hour later: out for %s", last())
		}
	})
}

func TestEjectionByRatio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := usual
		o.Consecutive, o.Ratio = 0, 0.5
		w := newWard(o, 1, 1)
		for range 9 {
			w.report(0, true, 1)
			w.report(0, false, 1)
		}
		if w.out(0) {
			t.Error("out for fewer requests than the minimum")
		}
		time.Sleep(11 * time.Second)
		w.report(0, false, 4)
		if w.out(0) {
			t.Error("what is older than the window counts")
		}
		w.report(0, true, 16)
		w.report(0, false, 11)
		if w.out(0) {
			t.Error("out for less than half of the requests")
		}
		w.report(0, false, 1)
		if !w.out(0) || !strings.Contains(w.changes[0].Why, "16 of 32 requests failed within 10s") {
			t.Errorf("%+v", w.changes)
		}
	})
}

// However bad they are, not too many are out, and never all that are left.
func TestEjectionSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			n    int
			most float64
			want int
		}{{1, 1, 0}, {2, 0.1, 1}, {2, 1, 1}, {3, 0.5, 1}, {4, 0.5, 2}, {10, 0.3, 3}, {10, 1, 9}} {
			o := usual
			o.Share = c.most
			w := newWard(o, ones(c.n)...)
			for i := range c.n {
				w.report(i, false, 50)
			}
			if out, spared := w.Counts(); out != c.want || spared == 0 {
				t.Errorf("%d of %d out at %.1f, %d spared; want %d", out, c.n, c.most, spared, c.want)
			}
		}
		w := newWard(usual, 1, 1, 1, 1)
		w.targets[1].Health.Unreachable("down")
		w.targets[2].Health.Unreachable("down")
		w.report(0, false, 5)
		w.report(3, false, 5)
		if !w.out(0) || w.out(3) {
			t.Error("the last one that is usable was taken out")
		}
		w.targets[3].Health.Unreachable("down")
		if i := w.picker.Pick(0, nil); i != 0 {
			t.Errorf("%d: where no other is healthy, an ejected target is better than none", i)
		}
		// Those with which it was let go leave.
		w = newWard(usual, 1, 1, 1, 1)
		w.report(0, false, 5)
		w.report(1, false, 5)
		w.Watch(w.targets[:2])
		if out, _ := w.Counts(); out != 1 {
			t.Errorf("%d of two are out", out)
		}
		w.Set(nil)
		if w.out(0) || w.out(1) {
			t.Error("out though nothing is to be taken out any more")
		}
	})
}

func TestOutliersConcurrently(t *testing.T) {
	o := usual
	o.Ratio, o.Ejection, o.Longest = 0.3, time.Microsecond, time.Millisecond
	w := newWard(o, ones(6)...)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			var q Query
			for i := range 3000 {
				q.Reset(nil)
				n := w.picker.Choose(&q)
				w.Report(&w.targets[n], q.Probe, (i+g+n)%3 > 0, "bad", time.Now())
				if i%500 == 0 {
					w.Watch(w.targets)
				}
			}
		})
	}
	all.Wait()
	if out, _ := w.Counts(); out > 3 {
		t.Errorf("%d of 6 are out", out)
	}
}

func BenchmarkGuarded(b *testing.B) {
	w := newWard(usual, ones(5)...)
	breaker := NewBreaker(NewClock(), func(BreakerChange) {})
	breaker.Set(&BreakerOptions{Ratio: 0.5, Window: 10 * time.Second, Minimum: 20, Open: 5 * time.Second, Trials: 1})
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		p := breaker.Allow()
		w.Report(&w.targets[0], false, true, "", at)
		breaker.Report(p.Trial, true, at)
	}
}
