package guard

import (
	"log/slog"
	"testing"
	"time"

	"gatehouse/balance"
	"gatehouse/config"
)

// targets are of a service whose Guard is g.
func targets(g *Guard, addresses ...string) []balance.Target {
	var out []balance.Target
	for _, a := range addresses {
		out = append(out, balance.Target{Address: a, State: g.State(a)})
	}
	return out
}

func seconds(n int) config.Duration { return config.Duration(time.Duration(n) * time.Second) }

// What is known of a target outlives every configuration that names it, and goes
// with the last one.
func TestGuardOverReloads(t *testing.T) {
	s := Settings{Outliers: &Outliers{Consecutive: 1, Ejection: seconds(60), Longest: seconds(60), Share: 1}, Budgeted: true}
	g := New("orders", s, slog.New(slog.DiscardHandler))
	first := &Owner{}
	now := targets(g, "a", "b")
	g.Adopt(first, s, now)
	g.Outliers.Report(&now[0], false, false, "status 503", time.Now())
	if out, _, _ := g.State("a").Ejected(g.Clock); !out {
		t.Fatal("not ejected")
	}

	g.Adopt(&Owner{}, s, targets(g, "a", "b", "c"))
	if out, _, _ := g.State("a").Ejected(g.Clock); !out {
		t.Error("a reload brings a target back")
	}
	known := g.State("b")
	g.Follow(first, targets(g, "c")) // of a configuration that has had its day
	if g.State("b") != known {
		t.Error("an old configuration makes the Guard forget")
	}

	g.Adopt(&Owner{}, s, targets(g, "b", "c"))
	if out, _, _ := g.State("a").Ejected(g.Clock); out || g.State("b") != known {
		t.Error("what is not named any more is remembered, or what is named was forgotten")
	}
	g.Adopt(&Owner{}, Settings{}, targets(g, "b", "c"))
	now = targets(g, "b", "c")
	g.Outliers.Report(&now[0], false, false, "status 503", time.Now())
	if out, _, _ := now[0].State.Ejected(g.Clock); out {
		t.Error("ejected, though nothing is to be any more")
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		s           Settings
		any, stated bool
	}{
		{Settings{}, false, false}, {Settings{Budgeted: true}, false, false}, {Settings{Breaker: &Breaker{}}, true, false},
		{Settings{Concurrency: &Concurrency{Service: 5}}, true, false}, {Settings{Concurrency: &Concurrency{PerTarget: 5}}, true, true},
		{Settings{Outliers: &Outliers{}}, true, true}, {Settings{SlowStart: &SlowStart{}}, true, true},
	} {
		if c.s.Any() != c.any || c.s.Stated() != c.stated {
			t.Errorf("%+v: %v, %v", c.s, c.s.Any(), c.s.Stated())
		}
	}
	for _, c := range []struct {
		b      *RetryBudget
		others bool
		on     bool
	}{{nil, false, false}, {nil, true, true}, {&RetryBudget{Off: true}, true, false}, {&RetryBudget{Share: 0.5}, false, true}} {
		if _, on := c.b.Budget(c.others); on != c.on {
			t.Errorf("%+v, %v: %v", c.b, c.others, on)
		}
	}
}
