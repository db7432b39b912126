package crawler

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Verdict is what is known of a request's claim to be a crawler.
type Verdict uint8

// The verdicts.
const (
	None       Verdict = iota // it claims to be none that is known
	Unverified                // it is not known yet, or cannot be found out now
	Verified                  // it is one
	Impostor                  // it is none
)

var verdicts = [...]string{"none", "unverified", "verified", "impostor"}

func (v Verdict) String() string { return verdicts[v] }

// Resolver looks names up.
type Resolver interface {
	// Names returns the names of an address, in small letters and without a final
	// dot, and for how long that holds.
	Names(context.Context, netip.Addr) ([]string, time.Duration, error)
	// Addresses returns the addresses of a name that is written in full, and for how
	// long that holds.
	Addresses(context.Context, string) ([]netip.Addr, time.Duration, error)
	// Missing reports whether an error says that there is no such name.
	Missing(error) bool
}

// What lookups may take.
const (
	Wait       = 500 * time.Millisecond // that the first request of an unknown waits for
	lookupTime = 5 * time.Second        // for all questions of one claim
	maxLookups = 64                     // at the same time
	maxPerNet  = 4                      // of these for one /24 or /48
	maxNames   = 4                      // of an address that are confirmed
)

// For how long answers hold.
const (
	leastHold    = 5 * time.Minute
	mostHold     = 24 * time.Hour
	impostorHold = time.Hour
	failureHold  = time.Minute
)

// Keeper finds out about claims, and keeps what it found over reloads. It is safe
// for concurrent use.
type Keeper struct {
	cache  *cache
	ctx    context.Context
	cancel context.CancelFunc
	under  sync.WaitGroup

	mu      sync.Mutex
	flights map[claim]chan struct{} // closed at the lookup's end
	nets    map[netip.Prefix]int    // lookups under way
}

// NewKeeper returns a Keeper that knows nobody.
func NewKeeper() *Keeper {
	k := &Keeper{cache: newCache(), flights: make(map[claim]chan struct{}), nets: make(map[netip.Prefix]int)}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// Close ends the lookups that are under way.
func (k *Keeper) Close() {
	k.cancel()
	k.under.Wait()
}

// Known returns of how many claims something is kept.
func (k *Keeper) Known() int { return k.cache.len() }

// Checker checks the claims of requests. It is immutable, and safe for concurrent
// use.
type Checker struct {
	keeper   *Keeper
	resolver Resolver
	claims   *claims
}

// Checker returns one for kinds of crawlers, whose addresses a resolver looks up.
func (k *Keeper) Checker(kinds []Kind, r Resolver) *Checker {
	return &Checker{k, r, newClaims(kinds)}
}

// Claims returns the name of the crawler that a User-Agent claims to be; "" for
// none.
func (c *Checker) Claims(ua string) string {
	if a, _ := c.claims.of(ua); a != nil {
		return a.kind.Name
	}
	return ""
}

// Check says what is known of a request's claim, and the name of the crawler. Of one
// that nothing is known of yet it begins to find out, and waits for that for Wait at
// most. A request without a claim costs no more than a look at its User-Agent. Who
// claims to be several crawlers at once is none.
func (c *Checker) Check(ua string, addr netip.Addr) (Verdict, string) {
	a, one := c.claims.of(ua)
	switch {
	case a == nil || !addr.IsValid():
		return None, ""
	case !one:
		return Impostor, a.kind.Name
	}
	key := claim{addr.Unmap().WithZone(""), a.id}
	if v, ok := c.keeper.cache.get(key, time.Now()); ok {
		return v, a.kind.Name
	}
	done := c.keeper.start(key, a.kind, c.resolver)
	if done == nil {
		return Unverified, a.kind.Name
	}
	timer := time.NewTimer(Wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	v, ok := c.keeper.cache.get(key, time.Now())
	if !ok {
		v = Unverified
	}
	return v, a.kind.Name
}

// network is what lookups are limited by: whoever has one address of it has many.
func network(a netip.Addr) netip.Prefix {
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits)
	return p
}

// start begins a lookup, or joins one; nil where too many are under way.
func (k *Keeper) start(key claim, kind *Kind, r Resolver) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if done, ok := k.flights[key]; ok {
		return done
	}
	from := network(key.addr)
	if len(k.flights) >= maxLookups || k.nets[from] >= maxPerNet || k.ctx.Err() != nil {
		return nil
	}
	done := make(chan struct{})
	k.flights[key] = done
	k.nets[from]++
	k.under.Go(func() {
		defer k.end(key, from, done)
		ctx, cancel := context.WithTimeout(k.ctx, lookupTime)
		defer cancel()
		verdict, hold := verify(ctx, key.addr, kind, r)
		k.cache.put(key, answer{verdict, time.Now().Add(hold)})
	})
	return done
}

func (k *Keeper) end(key claim, from netip.Prefix, done chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.flights, key)
	if k.nets[from]--; k.nets[from] == 0 {
		delete(k.nets, from)
	}
	close(done)
}

// verify asks for the names of an address, and for the addresses of those names that
// are the crawler's owner's.
func verify(ctx context.Context, addr netip.Addr, kind *Kind, r Resolver) (Verdict, time.Duration) {
	names, hold, err := r.Names(ctx, addr)
	if err != nil {
		return unfound(err, r)
	}
	failed, asked := false, 0
	for _, name := range names {
		if !kind.owns(name) {
			continue
		}
		if asked++; asked > maxNames {
			break
		}
		addrs, ttl, err := r.Addresses(ctx, name)
		failed = failed || err != nil && !r.Missing(err)
		for _, a := range addrs {
			if a.Unmap() == addr {
				return Verified, min(max(min(hold, ttl), leastHold), mostHold)
			}
		}
	}
	if failed {
		return Unverified, failureHold
	}
	return Impostor, impostorHold
}

// unfound is what it means that an address has no name: that it is no crawler's,
// unless nobody could say so.
func unfound(err error, r Resolver) (Verdict, time.Duration) {
	if r.Missing(err) {
		return Impostor, impostorHold
	}
	return Unverified, failureHold
}
