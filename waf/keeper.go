package waf

import (
	"fmt"
	"strings"
	"sync/atomic"

	"gatehouse/keeper"
	"gatehouse/waf/match"
	"gatehouse/waf/rate"
	"gatehouse/waf/rule"
)

// Keeper holds what was counted of ACLs, by their names and those of their rules.
// It is safe for concurrent use; leases are taken one at a time.
type Keeper struct {
	rules    *keeper.Set[ruleKey, *ruleCounts]
	failures *keeper.Set[string, *failures]
	rates    *rate.Keeper
}

type ruleKey struct{ acl, rule string }

// NewKeeper returns a Keeper that has counted nothing.
func NewKeeper() *Keeper {
	return &Keeper{keeper.NewSet[ruleKey, *ruleCounts](), keeper.NewSet[string, *failures](), rate.NewKeeper(rate.Options{})}
}

// Rates returns what the tables of rate statements hold: of addresses, and of other
// keys.
func (k *Keeper) Rates() (addresses, others rate.Usage) { return k.rates.Usage() }

// ruleCounts is how often a rule did what.
type ruleCounts struct {
	kinds [rule.Challenge + 1]atomic.Uint64
}

// Retire implements keeper.Entry.
func (*ruleCounts) Retire() {}

// reasons are why inspections fail.
var reasons = [...]string{reasonBeyond, reasonUnseen, reasonBudget, reasonBody, reasonError, reasonCoded}

// failures is how often the inspection by an ACL failed, and why.
type failures struct{ n [len(reasons)]atomic.Uint64 }

// Retire implements keeper.Entry.
func (*failures) Retire() {}

// Lease is the part of a reload that concerns ACLs.
type Lease struct {
	rules    *keeper.Lease[ruleKey, *ruleCounts]
	failures *keeper.Lease[string, *failures]
	rates    *rate.Lease
	bound    map[*ACL]*Counts // which many routes share
}

// Begin starts a lease.
func (k *Keeper) Begin() *Lease {
	return &Lease{k.rules.Begin(), k.failures.Begin(), k.rates.Begin(), make(map[*ACL]*Counts)}
}

// Commit makes what the lease named what is kept.
func (l *Lease) Commit() {
	l.rules.Commit()
	l.failures.Commit()
	l.rates.Commit()
}

// Abort leaves everything as it was.
func (l *Lease) Abort() {
	l.rules.Abort()
	l.failures.Abort()
	l.rates.Abort()
}

// Counts are the counters of one ACL.
type Counts struct {
	rules    []*ruleCounts
	failures *failures
	rates    []match.Counter
}

func (l *Lease) counts(a *ACL) *Counts {
	if known := l.bound[a]; known != nil {
		return known
	}
	c := &Counts{}
	l.bound[a] = c
	for _, name := range a.names {
		r, _ := l.rules.Get(ruleKey{a.name, name}, func() (*ruleCounts, error) { return &ruleCounts{}, nil })
		c.rules = append(c.rules, r)
	}
	c.failures, _ = l.failures.Get(a.name, func() (*failures, error) { return &failures{}, nil })
	c.rates = l.counters(a.rates)
	return c
}

// counters returns what counts for an ACL's rate statements. Those of one rule are
// told apart by their order, should they have equal keys.
func (l *Lease) counters(rates []match.Rate) []match.Counter {
	out := make([]match.Counter, len(rates))
	nth := make(map[string]int)
	for i, r := range rates {
		nth[r.Name]++
		out[i] = l.rates.Counter(rate.Config{
			Scope: fmt.Sprintf("%s#%d %s", r.Name, nth[r.Name], r.Keys),
			Limit: r.Limit, Window: r.Window, Addresses: strings.HasPrefix(r.Keys, "ip "),
		})
	}
	return out
}

func (c *Counts) add(index int, kind rule.Kind) { c.rules[index].kinds[kind].Add(1) }

func (c *Counts) fail(reason string) {
	for i, r := range reasons {
		if r == reason {
			c.failures.n[i].Add(1)
		}
	}
}

// Stats is how often something became of requests.
type Stats struct {
	ACL, Rule string
	Action    string
	Requests  uint64
}

// Each calls f for everything that any rule did.
func (k *Keeper) Each(f func(Stats)) {
	k.rules.Each(func(key ruleKey, c *ruleCounts) {
		for kind := range c.kinds {
			if n := c.kinds[kind].Load(); n > 0 {
				f(Stats{key.acl, key.rule, rule.Kind(kind).String(), n})
			}
		}
	})
}

// Failure is how often inspections failed for one reason.
type Failure struct {
	ACL, Reason string
	Requests    uint64
}

// EachFailure calls f for every reason for which inspections failed.
func (k *Keeper) EachFailure(f func(Failure)) {
	k.failures.Each(func(acl string, c *failures) {
		for i, reason := range reasons {
			if n := c.n[i].Load(); n > 0 {
				f(Failure{acl, reason, n})
			}
		}
	})
}
