package rate

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"gatehouse/keeper"
)

// The keys that a Keeper's tables hold where Options say nothing: 63 MB when both
// are full. A table takes memory only as keys come.
const (
	DefaultAddresses = 1 << 19
	DefaultOthers    = 1 << 19
)

// Options are the bounds of a Keeper. A key costs up to 120 bytes while its table
// grows, and 60 when it is full.
type Options struct {
	Addresses int // most keys that are addresses; 0 for DefaultAddresses
	Others    int // most other keys; 0 for DefaultOthers
}

// Keeper keeps the counts of all Counters over reloads. It is safe for concurrent
// use.
type Keeper struct {
	base      time.Time
	seeds     [2]maphash.Seed
	addresses *table
	others    *table
	scopes    *keeper.Set[string, *scope]
}

// NewKeeper returns a Keeper without counts.
func NewKeeper(o Options) *Keeper {
	return &Keeper{
		base:      time.Now(),
		seeds:     [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		addresses: newTable(cmp.Or(o.Addresses, DefaultAddresses)),
		others:    newTable(cmp.Or(o.Others, DefaultOthers)),
		scopes:    keeper.NewSet[string, *scope](),
	}
}

// Usage returns what the tables of addresses and of other keys hold now.
func (k *Keeper) Usage() (addresses, others Usage) {
	return k.addresses.usage(), k.others.usage()
}

// Begin starts a lease: the part of a reload that concerns rates.
func (k *Keeper) Begin() *Lease { return &Lease{keeper: k, lease: k.scopes.Begin()} }

// Lease is one configuration's hold on counts. It is not safe for concurrent use;
// the Counters that it gives are.
type Lease struct {
	keeper *Keeper
	lease  *keeper.Lease[string, *scope]
}

// Config says what a Counter counts.
type Config struct {
	Scope     string        // whose counts: the ACL and the rule, and what the key is made of
	Limit     int           // requests within the window that are not over it; at least 1
	Window    time.Duration // from 6 s to 24 h
	Addresses bool          // keys are addresses, or begin with one
}

// Counter returns the counter of a scope. Counters of equal scopes and windows have
// the same counts, whatever their limits, and over reloads.
func (l *Lease) Counter(c Config) *Counter {
	key := fmt.Sprintf("%q %d %v", c.Scope, c.Window, c.Addresses)
	s, _ := l.lease.Get(key, func() (*scope, error) { // never fails
		return &scope{mix: rand.Uint64(), mixCheck: rand.Uint64()}, nil
	})
	t := l.keeper.others
	if c.Addresses {
		t = l.keeper.addresses
	}
	return &Counter{keeper: l.keeper, scope: s, table: t, limit: uint64(c.Limit), window: c.Window}
}

// Commit makes the lease's scopes those that are kept.
func (l *Lease) Commit() { l.lease.Commit() }

// Abort gives up what the lease opened.
func (l *Lease) Abort() { l.lease.Abort() }

// overflows is how many counts the newcomers to a full table share, in each scope.
const overflows = 256

// scope is what outlives a reload of one Counter, beside its counts in the tables:
// what makes its keys its own, and what newcomers to a full table share.
type scope struct {
	mix, mixCheck uint64

	mu     sync.Mutex
	shared *[overflows]window // nil until somebody had to share
}

// Retire does nothing: the scope's counts leave the tables as they end.
func (*scope) Retire() {}

// Counter counts the requests of one rule. It is immutable, and safe for concurrent
// use.
type Counter struct {
	keeper *Keeper
	scope  *scope
	table  *table
	limit  uint64
	window time.Duration
}

// Over counts a request by its key, and reports whether there were more than the
// limit within the window, this one included. It costs no allocation for a key that
// is known, and waits for nobody but for others of the same shard of 256.
func (c *Counter) Over(key []byte) bool { return c.Add(key) > c.limit }

// Add is Over, and returns how many requests there were.
func (c *Counter) Add(key []byte) uint64 {
	k := hashes{
		hash:  maphash.Bytes(c.keeper.seeds[0], key) ^ c.scope.mix,
		check: maphash.Bytes(c.keeper.seeds[1], key) ^ c.scope.mixCheck,
	}
	if k.hash == 0 {
		k.hash = 1
	}
	passed := time.Since(c.keeper.base)
	m := c.moment(passed)
	now := uint32(passed / time.Second)
	until := uint32((passed+c.window)/time.Second) + 2 + uint32(c.window/parts/time.Second)
	if n, ok := c.table.add(k, now, until, m, func() window { return c.scope.began(k, m) }); ok {
		return n
	}
	return c.scope.share(k, m)
}

// moment is a time as this counter's windows count it.
func (c *Counter) moment(passed time.Duration) moment {
	part := c.window / parts
	n := passed / part
	return moment{uint32(n), 1 - float64(passed-n*part)/float64(part)}
}

// began is what a newcomer begins with: nothing, or the counts that it had to share
// before there was room.
func (s *scope) began(k hashes, m moment) window {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared == nil {
		return window{at: m.part}
	}
	return s.shared[k.hash%overflows]
}

// share counts a request for which there is no room.
func (s *scope) share(k hashes, m moment) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared == nil {
		s.shared = new([overflows]window)
	}
	return s.shared[k.hash%overflows].add(m)
}
