package bound

import (
	"sync/atomic"

	"gatehouse/keeper"
)

// Keeper counts the requests that are under way, by route. It is safe for
// concurrent use; leases are taken one at a time.
type Keeper struct{ counts *keeper.Set[string, *count] }

// NewKeeper returns a Keeper that counts nothing.
func NewKeeper() *Keeper { return &Keeper{keeper.NewSet[string, *count]()} }

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{k.counts.Begin()} }

// Lease is the part of a reload that concerns the counts.
type Lease struct{ counts *keeper.Lease[string, *count] }

// Commit makes the routes that the lease named those that are counted.
func (l *Lease) Commit() { l.counts.Commit() }

// Abort leaves everything as it was.
func (l *Lease) Abort() { l.counts.Abort() }

// count is how many requests of a route are under way, by whatever
// configuration they began.
type count struct{ n atomic.Int64 }

// enter counts a request in, unless there are most already.
func (c *count) enter(most int64) bool {
	if c.n.Add(1) <= most {
		return true
	}
	c.n.Add(-1)
	return false
}

func (c *count) leave() { c.n.Add(-1) }

// Retire implements keeper.Entry.
func (*count) Retire() {}

func (l *Lease) count(scope string) *count {
	c, _ := l.counts.Get(scope, func() (*count, error) { return new(count), nil })
	return c
}
