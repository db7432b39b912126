package upstream

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"gatehouse/balance"
)

// guard is what a service knows of its targets and of itself over reloads:
// which targets are ejected or new, whether the breaker is open, who is under
// way and who waits. It is an entry of the keeper, by the service's name.
type guard struct {
	name     string
	clock    balance.Clock
	outliers *balance.Outliers
	breaker  *balance.Breaker
	gate     *balance.Gate
	budget   *balance.Budget
	owner    atomic.Pointer[Service] // that of the last committed lease

	mu      sync.Mutex
	states  map[string]*balance.State // by address
	settled bool                      // there were targets before: another one is new
}

func newGuard(c *Config, log *slog.Logger) *guard {
	clock, name := balance.NewClock(), c.Name
	budget, _ := c.retries()
	return &guard{
		name: name, clock: clock, states: make(map[string]*balance.State),
		outliers: balance.NewOutliers(clock, func(e balance.Ejection) { tellEjection(log, name, e) }),
		breaker:  balance.NewBreaker(clock, func(c balance.BreakerChange) { tellBreaker(log, name, c) }),
		gate:     balance.NewGate(balance.GateOptions{}),
		budget:   balance.NewBudget(budget),
	}
}

func tellEjection(log *slog.Logger, service string, e balance.Ejection) {
	if !e.Out {
		log.Info("target back", "service", service, "address", e.Address)
		return
	}
	log.Warn("target ejected", "service", service, "address", e.Address, "why", e.Why, "for", e.For.String(), "times", e.Times)
}

func tellBreaker(log *slog.Logger, service string, c balance.BreakerChange) {
	if !c.Open {
		log.Info("breaker closed", "service", service)
		return
	}
	log.Warn("breaker open", "service", service, "why", c.Why, "for", c.For.String())
}

// Retire implements keeper.Entry. Who waits is still let through by those who
// leave.
func (g *guard) Retire() {}

// state returns what is known of a target.
func (g *guard) state(address string) *balance.State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.states[address]
	if s == nil {
		s = balance.NewState(g.clock, g.settled)
		g.states[address] = s
	}
	return s
}

// adopt makes a service that was committed the one that the guard is about.
func (g *guard) adopt(s *Service) {
	g.owner.Store(s)
	c := &s.config
	if o, on := c.retries(); on {
		g.budget.Set(o)
	}
	g.breaker.Set(c.Breaker.options())
	g.follow(s, s.current())
	g.outliers.Set(c.Outliers.options())
	g.gate.Set(c.Concurrency.options())
}

// follow is called with the targets that a service has now. Those of the
// service that the guard is about are the ones that it keeps in mind.
func (g *guard) follow(s *Service, now *set) {
	if g.owner.Load() != s {
		return
	}
	targets := now.picker.Targets()
	g.mu.Lock()
	left := make(map[string]*balance.State, len(targets))
	for i := range targets {
		if t := &targets[i]; t.State != nil {
			left[t.Address] = t.State
		}
	}
	g.states = left
	g.settled = g.settled || len(left) > 0
	g.mu.Unlock()
	g.outliers.Watch(targets)
}

// guarded reports whether a request to the service has more to ask than where
// to go.
func (c *Config) guarded() bool {
	return c.Outliers != nil || c.SlowStart != nil || c.Breaker != nil || c.Concurrency != nil
}

// stated reports whether the service wants to know more of each target than its
// health.
func (c *Config) stated() bool {
	return c.Outliers != nil || c.SlowStart != nil || c.Concurrency != nil && c.Concurrency.PerTarget > 0
}
