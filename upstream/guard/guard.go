package guard

import (
	"log/slog"
	"sync"

	"gatehouse/balance"
)

// Settings are what a service says of all that guards it; nil sections for what
// it does without.
type Settings struct {
	Outliers    *Outliers
	SlowStart   *SlowStart
	Breaker     *Breaker
	Concurrency *Concurrency
	Retries     balance.BudgetOptions
	Budgeted    bool // retries have a budget
}

// Any reports whether a request has more to ask than where to go.
func (s Settings) Any() bool {
	return s.Outliers != nil || s.SlowStart != nil || s.Breaker != nil || s.Concurrency != nil
}

// Stated reports whether more is to be known of each target than its health.
func (s Settings) Stated() bool {
	return s.Outliers != nil || s.SlowStart != nil || s.Concurrency != nil && s.Concurrency.PerTarget > 0
}

// Guard guards one service. It is safe for concurrent use.
type Guard struct {
	Clock    balance.Clock
	Outliers *balance.Outliers
	Breaker  *balance.Breaker
	Gate     *balance.Gate
	Budget   *balance.Budget

	mu      sync.Mutex
	owner   *Owner
	states  map[string]*balance.State // by address
	settled bool                      // there were targets before: another one is new
}

// Owner is one configuration's hold on a Guard.
type Owner struct{ _ byte }

// New returns a Guard that guards against nothing before it is adopted.
func New(service string, s Settings, log *slog.Logger) *Guard {
	clock := balance.NewClock()
	return &Guard{
		Clock:    clock,
		Outliers: balance.NewOutliers(clock, func(e balance.Ejection) { tellEjection(log, service, e) }),
		Breaker:  balance.NewBreaker(clock, func(c balance.BreakerChange) { tellBreaker(log, service, c) }),
		Gate:     balance.NewGate(balance.GateOptions{}),
		Budget:   balance.NewBudget(s.Retries),
		states:   make(map[string]*balance.State),
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
func (g *Guard) Retire() {}

// State returns what is known of a target; one that was not there before, while
// others were, is new.
func (g *Guard) State(address string) *balance.State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.states[address]
	if s == nil {
		s = balance.NewState(g.Clock, g.settled)
		g.states[address] = s
	}
	return s
}

// Adopt makes what a configuration says hold; until the next one is adopted the
// Guard follows its owner.
func (g *Guard) Adopt(o *Owner, s Settings, targets []balance.Target) {
	g.mu.Lock()
	g.owner = o
	g.mu.Unlock()
	if s.Budgeted {
		g.Budget.Set(s.Retries)
	}
	g.Breaker.Set(s.Breaker.options())
	g.Follow(o, targets)
	g.Outliers.Set(s.Outliers.options())
	g.Gate.Set(s.Concurrency.options())
}

// Follow is told which targets there are now. Where the owner is still the one
// that was adopted last, what is known of others is forgotten.
func (g *Guard) Follow(o *Owner, targets []balance.Target) {
	if g.follow(o, targets) {
		g.Outliers.Watch(targets)
	}
}

func (g *Guard) follow(o *Owner, targets []balance.Target) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owner != o {
		return false
	}
	left := make(map[string]*balance.State, len(targets))
	for i := range targets {
		if t := &targets[i]; t.State != nil {
			left[t.Address] = t.State
		}
	}
	g.states = left
	g.settled = g.settled || len(left) > 0
	return true
}
