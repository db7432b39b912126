package balance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// claimer claims what its function says.
type claimer func() Outcome

func (c claimer) Claim() Outcome { return c() }

func always() Outcome { return Claimed }

func enter(g *Gate) (time.Duration, error) {
	return g.Enter(context.Background(), time.Time{}, claimer(always), true)
}

func TestGateBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Limit: 3, Line: 100, Timeout: time.Minute})
		var now, most atomic.Int64
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := enter(g); err != nil {
					t.Error(err)
				}
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				g.Leave()
			})
		}
		all.Wait()
		if s := g.Stats(); most.Load() != 3 || s.Used != 0 || s.Waiting != 0 || s.Entered != 47 {
			t.Errorf("%d at once, %+v", most.Load(), s)
		}
	})
}

// While the line moves, who came first is served first.
func TestGateIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Limit: 1, Line: 100, Timeout: time.Minute})
		_, _ = enter(g)
		var order []int
		for i := range 10 {
			go func() {
				waited, err := enter(g)
				if want := time.Duration(10-i) * time.Second; err != nil || waited < want {
					t.Errorf("%d waited %s, %v", i, waited, err)
				}
				order = append(order, i) // one at a time is within
				g.Leave()
			}()
			time.Sleep(time.Second)
		}
		g.Leave()
		synctest.Wait()
		if !slices.IsSorted(order) || len(order) != 10 {
			t.Errorf("%v", order)
		}
	})
}

// Once the first has waited for half its patience, who came last is served
// first, and a full line lets go of the first for one who comes.
func TestGateUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Limit: 1, Line: 3, Timeout: 10 * time.Second})
		_, _ = enter(g)
		results := make([]error, 6)
		var order []int
		var mu sync.Mutex
		come := func(i int) {
			go func() {
				_, err := enter(g)
				mu.Lock()
				defer mu.Unlock()
				results[i] = err
				order = append(order, i)
			}()
			synctest.Wait()
		}
		come(0)
		come(1)
		come(2)
		come(3) // no place, and nobody overdue
		time.Sleep(5 * time.Second)
		come(4) // takes the place of the first
		g.Leave()
		synctest.Wait()
		if want := []int{3, 0, 4}; !slices.Equal(order, want) {
			t.Errorf("served or sent away: %v, want %v", order, want)
		}
		if !errors.Is(results[3], ErrLine) || !errors.Is(results[0], ErrPatience) || results[4] != nil {
			t.Errorf("%v", results)
		}
		g.Leave() // the one who came last but one is next
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []int{3, 0, 4, 2, 1}; !slices.Equal(order, want) || !errors.Is(results[1], ErrPatience) {
			t.Errorf("%v, %v", order, results)
		}
		if s := g.Stats(); s.Waiting != 0 || s.Used != 1 || s.Refused != 1 || s.Expired != 2 || s.Entered != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGatePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Limit: 1, Line: 10, Timeout: time.Second})
		_, _ = enter(g)
		if waited, err := enter(g); !errors.Is(err, ErrPatience) || waited != time.Second {
			t.Errorf("%s, %v", waited, err)
		}
		soon := time.Now().Add(100 * time.Millisecond)
		if waited, err := g.Enter(context.Background(), soon, claimer(always), true); !errors.Is(err, ErrPatience) || waited != 100*time.Millisecond {
			t.Errorf("a deadline: %s, %v", waited, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		if waited, err := g.Enter(ctx, time.Time{}, claimer(always), true); !errors.Is(err, context.DeadlineExceeded) || waited != 10*time.Millisecond {
			t.Errorf("a client that leaves: %s, %v", waited, err)
		}
		if _, err := g.Enter(context.Background(), time.Time{}, claimer(always), false); !errors.Is(err, ErrLine) {
			t.Errorf("without patience: %v", err)
		}
		if s := g.Stats(); s.Waiting != 0 || s.Expired != 2 || s.Left != 1 {
			t.Errorf("%+v", s)
		}
		g.Leave()
		if waited, err := enter(g); waited != 0 || err != nil {
			t.Errorf("%s, %v", waited, err)
		}
	})
}

// Room that nobody gives back, such as that of a target that has recovered, is
// found all the same, and a target that is gone sends those away who wait.
func TestGateFindsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Line: 10, Timeout: time.Minute})
		var outcome atomic.Int32
		outcome.Store(int32(NoRoom))
		c := claimer(func() Outcome { return Outcome(outcome.Load()) })
		var served, failed atomic.Int64
		come := func() {
			go func() {
				switch _, err := g.Enter(context.Background(), time.Time{}, c, true); {
				case err == nil:
					served.Add(1)
				case errors.Is(err, ErrNoTarget):
					failed.Add(1)
				}
			}()
			synctest.Wait()
		}
		come()
		come()
		outcome.Store(int32(Claimed))
		time.Sleep(2 * beat)
		synctest.Wait()
		if served.Load() != 2 {
			t.Errorf("%d of 2 served", served.Load())
		}
		outcome.Store(int32(NoRoom))
		come()
		outcome.Store(int32(NoTarget))
		time.Sleep(2 * beat)
		synctest.Wait()
		if failed.Load() != 1 || g.Stats().Used != 2 {
			t.Errorf("%d sent away, %+v", failed.Load(), g.Stats())
		}
	})
}

func TestGateGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateOptions{Limit: 1, Line: 10, Timeout: time.Minute})
		var served atomic.Int64
		for range 5 {
			go func() {
				if _, err := enter(g); err == nil {
					served.Add(1)
				}
			}()
		}
		synctest.Wait()
		g.Set(GateOptions{Limit: 4, Line: 10, Timeout: time.Minute})
		synctest.Wait()
		if served.Load() != 4 {
			t.Errorf("%d of 4", served.Load())
		}
		g.Set(GateOptions{Line: 10, Timeout: time.Minute})
		synctest.Wait()
		if served.Load() != 5 || g.Stats().Limit != 0 {
			t.Errorf("%d of 5", served.Load())
		}
	})
}

// Many come, leave and give up at once: every place is given back, nobody is
// forgotten, and never are more within than may be. For the race detector.
func TestGateStorm(t *testing.T) {
	const limit = 4
	g := NewGate(GateOptions{Limit: limit, Line: 16, Timeout: 20 * time.Millisecond})
	rooms := targets(1, 1, 1)
	for i := range rooms {
		rooms[i].State = NewState(Clock{}, false)
	}
	p := NewPicker(rooms, Options{Method: LeastRequests, Room: 2, Clock: NewClock()})
	var inside, served, refused atomic.Int64
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			for range 300 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(3000))*time.Microsecond)
				q := Query{}
				picked := None
				_, err := g.Enter(ctx, time.Time{}, claimer(func() Outcome {
					q.Reset(nil)
					if picked = p.Choose(&q); picked == Full {
						return NoRoom
					}
					return Claimed
				}), r.IntN(8) > 0)
				cancel()
				if err != nil {
					refused.Add(1)
					continue
				}
				served.Add(1)
				if k := inside.Add(1); k > limit {
					t.Errorf("%d within", k)
				}
				if r.IntN(4) == 0 {
					time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond)
				}
				inside.Add(-1)
				rooms[picked].State.Leave()
				g.Leave()
			}
		})
	}
	all.Wait()
	if s := g.Stats(); s.Used != 0 || s.Waiting != 0 || g.first != nil || g.last != nil {
		t.Errorf("%+v", s)
	}
	for i := range rooms {
		if n := rooms[i].State.Used(); n != 0 {
			t.Errorf("target %d: %d places taken", i, n)
		}
	}
	t.Logf("%d served, %d not", served.Load(), refused.Load())
	if served.Load() == 0 {
		t.Error("nobody was served")
	}
}

// discipline is what became of a load under one order of serving.
type discipline struct {
	prompt, served, refused int // prompt: within a client's patience
	median                  time.Duration
}

// overload sends 1.5 times what ten places can do for ten seconds, to a line
// whose patience is one second, and then half of it for five.
func overload(yield float64) (d discipline) {
	g := NewGate(GateOptions{Limit: 10, Line: 200, Timeout: time.Second})
	g.yield = yield
	r := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	var waits []time.Duration
	var all sync.WaitGroup
	ask := func() {
		waited, err := enter(g)
		if err == nil {
			time.Sleep(100 * time.Millisecond)
			g.Leave()
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			d.refused++
			return
		case waited+100*time.Millisecond <= 500*time.Millisecond:
			d.prompt++
		}
		d.served++
		waits = append(waits, waited)
	}
	for _, phase := range []struct {
		rate float64
		for_ time.Duration
	}{{150, 10 * time.Second}, {50, 5 * time.Second}} {
		for end := time.Now().Add(phase.for_); time.Now().Before(end); {
			all.Go(ask)
			time.Sleep(time.Duration(r.ExpFloat64() / phase.rate * float64(time.Second)))
		}
	}
	all.Wait()
	slices.Sort(waits)
	d.median = waits[len(waits)/2]
	return d
}

// TestLineDisciplines is the evidence for the order in which a Gate serves. Of
// what comes while a service gets half more than it can do, first come, first
// served answers nearly everybody too late; last come, first served answers as
// many, promptly; the Gate does nearly as well, and is fair while there is no
// overload.
func TestLineDisciplines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, last, ours := overload(2), overload(0), overload(halfway)
		for name, d := range map[string]discipline{"first come, first served": first, "last come, first served": last, "the Gate": ours} {
			t.Logf("%-25s %4d answered, %4d of them within 500 ms; %4d refused; median wait %s", name, d.served, d.prompt, d.refused, d.median.Round(time.Millisecond))
		}
		if ours.prompt < 2*first.prompt || ours.served < first.served*9/10 {
			t.Errorf("no better than first come, first served: %+v, %+v", ours, first)
		}
	})
}

func BenchmarkGate(b *testing.B) {
	g := NewGate(GateOptions{Limit: 1 << 20, Line: 10, Timeout: time.Second})
	c := Claimer(claimer(always))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Enter(ctx, time.Time{}, c, true); err != nil {
			b.Fatal(err)
		}
		g.Leave()
	}
}

func BenchmarkGateContended(b *testing.B) {
	for _, limit := range []int{2, 1 << 20} {
		b.Run(fmt.Sprint(limit), func(b *testing.B) {
			g := NewGate(GateOptions{Limit: limit, Line: 1000, Timeout: time.Second})
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				c := Claimer(claimer(always))
				for pb.Next() {
					if _, err := g.Enter(context.Background(), time.Time{}, c, true); err != nil {
						b.Error(err)
						return
					}
					g.Leave()
				}
			})
		})
	}
}
