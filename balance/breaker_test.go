package balance

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []BreakerChange
		b := NewBreaker(NewClock(), func(c BreakerChange) { changes = append(changes, c) })
		report := func(good bool, n int) {
			for range n {
				b.Report(false, good, time.Now())
			}
		}
		report(false, 100)
		if b.Allow().Refused {
			t.Fatal("opens without options")
		}
		b.Set(&BreakerOptions{Ratio: 0.5, Window: 10 * time.Second, Minimum: 20, Open: 5 * time.Second, Trials: 2})
		report(false, 19)
		if b.Allow().Refused {
			t.Fatal("open after fewer requests than the minimum")
		}
		time.Sleep(11 * time.Second)
		report(true, 11)
		report(false, 10)
		if b.Allow().Refused {
			t.Fatal("open for less than half")
		}
		report(false, 1)
		p := b.Allow()
		if !p.Refused || p.Wait != 5*time.Second || p.Why != "11 of 22 requests failed within 10s" || !b.Stats().Open {
			t.Fatalf("%+v", p)
		}
		report(true, 100) // of requests that were under way
		if !b.Allow().Refused {
			t.Error("old answers closed it")
		}
		time.Sleep(5 * time.Second)
		trial := b.Allow()
		if !trial.Trial || trial.Refused || !b.Allow().Refused || !b.Stats().Trying {
			t.Errorf("one trial at a time: %+v", trial)
		}
		b.Report(true, false, time.Now())
		if p := b.Allow(); !p.Refused || p.Wait != 5*time.Second {
			t.Errorf("after a trial that failed: %+v", p)
		}
		time.Sleep(5 * time.Second)
		_ = b.Allow() // the client of this trial goes away
		if p := b.Allow(); !p.Refused {
			t.Errorf("%+v", p)
		}
		time.Sleep(5 * time.Second)
		for i := range 2 {
			if p := b.Allow(); !p.Trial {
				t.Fatalf("trial %d: %+v", i, p)
			}
			b.Report(true, true, time.Now())
		}
		if p := b.Allow(); p.Refused || p.Trial || b.Stats().Open {
			t.Errorf("after two trials that passed: %+v", p)
		}
		if len(changes) != 3 || b.Stats().Opened != 2 || b.Stats().Refused != 5 {
			t.Errorf("%+v, %+v", changes, b.Stats())
		}
		report(false, 20)
		b.Set(nil)
		if b.Allow().Refused {
			t.Error("open without options")
		}
	})
}

func TestBreakerConcurrently(t *testing.T) {
	b := NewBreaker(NewClock(), func(BreakerChange) {})
	b.Set(&BreakerOptions{Ratio: 0.5, Window: time.Second, Minimum: 5, Open: time.Microsecond, Trials: 3})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 5000 {
				if p := b.Allow(); !p.Refused {
					b.Report(p.Trial, (i/100+g)%2 == 0, time.Now())
				}
			}
		})
	}
	all.Wait()
}

// In an outage, where every request wants a retry, a fifth of them gets one.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(BudgetOptions{Share: 0.2, Floor: 3})
		requests := uint64(0)
		second := func(retry bool) (made int) {
			for range 100 {
				requests++
				if retry && b.Take(requests) {
					made++
					requests++ // it is an attempt too
				}
				time.Sleep(10 * time.Millisecond)
			}
			return made
		}
		for range 60 {
			second(false)
		}
		first := 0
		for range 10 {
			first += second(true)
		}
		later := 0
		for range 50 {
			later += second(true)
		}
		// 20 of 100 and 3 a second, once with what was saved in ten seconds.
		if first > 2*230 || first < 230 {
			t.Errorf("%d retries in the first ten seconds", first)
		}
		if later > 50*23+5 || later < 50*23-100 {
			t.Errorf("%d retries in the fifty after them, want about %d", later, 50*23)
		}
		if b.Denied() == 0 {
			t.Error("none was denied")
		}
	})
}

// A quiet service has a few retries all the same, and no more.
func TestBudgetFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(BudgetOptions{Share: 0.2, Floor: 3})
		time.Sleep(time.Hour)
		made := 0
		for range 1000 {
			if b.Take(0) {
				made++
			}
		}
		if made != 30 {
			t.Errorf("%d at once", made)
		}
		time.Sleep(time.Second)
		for range 1000 {
			if b.Take(0) {
				made++
			}
		}
		if made != 33 {
			t.Errorf("%d a second later", made)
		}
	})
}
