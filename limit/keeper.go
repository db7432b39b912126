package limit

import (
	"cmp"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"gatehouse/keeper"
)

const slotSize = int(unsafe.Sizeof(slot{}))

// The buckets that a Keeper's tables hold where Options say nothing: 73 MB when
// all are full. A table takes memory only as buckets come; most are for names,
// which no stranger has.
const (
	DefaultAddresses     = 1 << 19
	DefaultSlowAddresses = 1 << 18
	DefaultNames         = 1 << 20
)

// slowRate parts slow limits from others, in tokens a second. Keeping a bucket
// from being full, and so from being forgotten, takes as many requests as its
// rate: half a million at 0.1/s are 50,000 requests a second, at 5/d they are
// 30. So that nobody fills the table of all limits by a trickle at a slow one,
// the addresses of slow limits stand apart.
const slowRate = 0.1

// Options are the bounds of a Keeper. Each bucket costs up to 80 bytes, 40
// where its table is full.
type Options struct {
	Addresses     int // most buckets of client addresses; 0 for DefaultAddresses
	SlowAddresses int // most buckets of client addresses at limits slower than 6/m; 0 for DefaultSlowAddresses
	Names         int // most buckets of principals and other names; 0 for DefaultNames
}

// Keeper keeps the buckets of all Limits over reloads. It is safe for
// concurrent use.
type Keeper struct {
	base      time.Time
	seeds     [2]maphash.Seed
	addresses *table
	slow      *table
	names     *table
	scopes    *keeper.Set[string, *scope]
}

// NewKeeper returns a Keeper without buckets.
func NewKeeper(o Options) *Keeper {
	return &Keeper{
		base:      time.Now(),
		seeds:     [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		addresses: newTable(cmp.Or(o.Addresses, DefaultAddresses)),
		slow:      newTable(cmp.Or(o.SlowAddresses, DefaultSlowAddresses)),
		names:     newTable(cmp.Or(o.Names, DefaultNames)),
		scopes:    keeper.NewSet[string, *scope](),
	}
}

// Usage returns what the tables of addresses and of names hold now.
func (k *Keeper) Usage() (addresses, names Usage) {
	return k.addresses.usage(), k.names.usage()
}

// SlowUsage returns what the table of addresses at slow limits holds now.
func (k *Keeper) SlowUsage() Usage { return k.slow.usage() }

// Begin starts a lease: the part of a reload that concerns limits.
func (k *Keeper) Begin() *Lease {
	return &Lease{keeper: k, lease: k.scopes.Begin()}
}

// Lease is one configuration's hold on the buckets. It is not safe for
// concurrent use; the Limits that it gives are.
type Lease struct {
	keeper *Keeper
	lease  *keeper.Lease[string, *scope]
	limits []*Limit
}

// Limit returns the limit of a scope: "shop/prod/GET /orders/{id}/ip". Limits
// of equal scopes have the same buckets, whatever their rates and bursts, and
// a scope that the last configuration had keeps its tokens, as far as the new
// burst holds them; buckets of addresses begin full where the rate goes from
// slow to fast or back. Burst is from 1 to MaxBurst.
func (l *Lease) Limit(name string, rate Rate, burst int) *Limit {
	s, _ := l.lease.Get(name, func() (*scope, error) { // never fails
		return &scope{mix: rand.Uint64(), mixCheck: rand.Uint64(), all: bucket{level: brim}, overflow: bucket{level: brim}}, nil
	})
	burst = min(max(burst, 1), MaxBurst)
	addresses := l.keeper.addresses
	if rate.PerSecond() < slowRate {
		addresses = l.keeper.slow
	}
	limit := &Limit{keeper: l.keeper, scope: s, addresses: addresses, own: newRefill(rate, burst), burst: burst}
	l.limits = append(l.limits, limit)
	return limit
}

// Commit makes the lease's scopes those that are kept, and its rates and bursts
// those that hold: from now on, for every Limit of a scope.
func (l *Lease) Commit() {
	now := l.keeper.now()
	for _, limit := range l.limits {
		limit.scope.use(&limit.own, now)
	}
	l.limits = nil
	l.lease.Commit()
}

// Abort gives up what the lease opened.
func (l *Lease) Abort() {
	l.limits = nil
	l.lease.Abort()
}

// scope is what outlives a reload of one Limit, beside its buckets in the
// tables: the bucket for everybody together, the one that newcomers to a full
// table share, and what makes its keys its own.
type scope struct {
	mix, mixCheck uint64
	refill        atomic.Pointer[refill] // what holds; nil before the first commit

	mu       sync.Mutex
	all      bucket
	overflow bucket
}

// use makes f hold from now on. What the buckets gained until then stays theirs.
func (s *scope) use(f *refill, now int64) {
	before := s.refill.Load()
	if before == nil {
		s.refill.Store(f)
		return
	}
	if !before.sameAs(f) {
		s.refill.Store(&refill{perNano: f.perNano, burst: f.burst, since: now, before: before.newest(maxRefills - 1)})
	}
}

// Retire does nothing: the scope's buckets leave the tables as they fill.
func (*scope) Retire() {}

// Key names one bucket of one Limit.
type Key struct {
	hash  uint64 // 0 for the bucket of everybody together
	check uint64
	named bool // in the table of names
}

// Limit is a rate and a burst in a scope. It is immutable, and safe for
// concurrent use.
type Limit struct {
	keeper    *Keeper
	scope     *scope
	addresses *table
	own       refill // what holds before the Limit's lease is committed
	burst     int
}

// refill returns what holds.
func (l *Limit) refill() *refill {
	if f := l.scope.refill.Load(); f != nil {
		return f
	}
	return &l.own
}

// Burst returns the tokens of a full bucket.
func (l *Limit) Burst() int { return l.burst }

// Window returns how long an empty bucket takes to fill.
func (l *Limit) Window() time.Duration { return l.own.wait(l.own.burst) }

// All is the key of the one bucket that everybody shares. It stands in no
// table and is never forgotten.
func (l *Limit) All() Key { return Key{} }

// Address is the key of a client's address: for IPv6 its /64, since that is
// what one subscriber has at least; for IPv4, mapped into IPv6 or not, the
// address itself. Zones do not count.
func (l *Limit) Address(a netip.Addr) Key {
	b := Subscriber(a).As16()
	return l.key(b[:], false)
}

// Name is the key of a name. It costs no allocation.
func (l *Limit) Name(name string) Key {
	return l.key(unsafe.Slice(unsafe.StringData(name), len(name)), true)
}

// key hashes twice with different seeds: 96 bits of it tell buckets apart,
// which nobody without the seeds can bring to collide.
func (l *Limit) key(b []byte, named bool) Key {
	k := Key{hash: maphash.Bytes(l.keeper.seeds[0], b) ^ l.scope.mix, check: maphash.Bytes(l.keeper.seeds[1], b) ^ l.scope.mixCheck, named: named}
	if k.hash == 0 {
		k.hash = 1
	}
	return k
}

// Subscriber returns what address limits count: an IPv4 address, unmapped, or
// the first address of an IPv6 address's /64.
func Subscriber(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.Is6() {
		return a
	}
	b := a.As16()
	clear(b[8:])
	return netip.AddrFrom16(b)
}

// Take takes one token from the key's bucket. Refused requests cost nothing.
func (l *Limit) Take(k Key) Result {
	now, f := l.keeper.now(), l.refill()
	if k.hash == 0 {
		return l.scope.take(&l.scope.all, now, f)
	}
	if r, ok := l.table(k).take(k, now, f); ok {
		return r
	}
	r := l.scope.take(&l.scope.overflow, now, f)
	r.Shared = true
	return r
}

// Give puts the token back that Take took for k with the result r; of r only
// OK and Shared count.
func (l *Limit) Give(k Key, r Result) {
	if !r.OK {
		return
	}
	now, f := l.keeper.now(), l.refill()
	switch {
	case k.hash == 0:
		l.scope.give(&l.scope.all, now, f)
	case r.Shared:
		l.scope.give(&l.scope.overflow, now, f)
	default:
		l.table(k).give(k, now, f)
	}
}

func (l *Limit) table(k Key) *table {
	if k.named {
		return l.keeper.names
	}
	return l.addresses
}

func (k *Keeper) now() int64 { return int64(time.Since(k.base)) }

func (s *scope) take(b *bucket, now int64, f *refill) Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.take(now, f)
}

func (s *scope) give(b *bucket, now int64, f *refill) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.give(now, f)
}
