package basic

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/auth/recall"
	"gatehouse/auth/scheme"
	"gatehouse/exchange"
	"gatehouse/limit"
)

// Bounds of what strangers can make the gateway do.
const (
	remembered  = 1 << 14         // passwords that were right
	maxWaiting  = 64              // requests that wait for a turn to be verified
	patience    = 2 * time.Second // how long one waits
	perAddress  = 30.0 / 60       // wrong passwords a second, of one address
	addressHits = 30              // at once
	perName     = 10.0 / 60       // of one name from one address
	nameHits    = 10
)

// Keeper keeps over reloads which passwords were right, and who has tried how
// often. It is safe for concurrent use.
type Keeper struct {
	printer recall.Printer
	right   *recall.Cache[*user]
	slots   chan struct{} // one for each password that is being verified
	waiting atomic.Int64
	address *limit.Limit
	name    *limit.Limit
}

// NewKeeper returns a Keeper that knows nothing yet.
func NewKeeper() *Keeper {
	lease := limit.NewKeeper(limit.Options{Addresses: 1 << 16, SlowAddresses: 1 << 16, Names: 1 << 16}).Begin()
	k := &Keeper{
		printer: recall.NewPrinter(), right: recall.New[*user](remembered), slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0))),
		address: lease.Limit("address", limit.PerSecond(perAddress), addressHits), name: lease.Limit("name", limit.PerSecond(perName), nameHits),
	}
	lease.Commit()
	return k
}

// Authorizer returns the Authorizer of a checked configuration. Realm is part of
// its callers' names: who they are by the word of this gateway's API.
func (k *Keeper) Authorizer(c *Config, realm, name string) *Authorizer {
	issuer := realm + "/" + name
	a := &Authorizer{users: make(map[string]*user), remember: c.Remember.D(), keeper: k}
	for _, o := range c.Origins {
		a.origins = append(a.origins, string(o))
	}
	digest := sha256.New()
	hashes := c.all()
	for _, who := range slices.Sorted(maps.Keys(hashes)) {
		h := hashes[who]
		a.users[who] = &user{h, exchange.NewPrincipal("basic", issuer, who)}
		if a.dummy == nil || uint64(h.memory)*uint64(h.passes) > uint64(a.dummy.memory)*uint64(a.dummy.passes) {
			a.dummy = h.dummy()
		}
		digest.Write([]byte(who + ":" + h.String() + "\n"))
	}
	a.print = issuer + ":" + hex.EncodeToString(digest.Sum(nil))
	return a
}

// enter waits for a turn, and reports whether it came.
func (k *Keeper) enter() bool {
	select {
	case k.slots <- struct{}{}:
		return true
	default:
	}
	if k.waiting.Add(1) > maxWaiting {
		k.waiting.Add(-1)
		return false
	}
	defer k.waiting.Add(-1)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case k.slots <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (k *Keeper) leave() { <-k.slots }

// attempt is what one try took from its limits.
type attempt struct {
	keeper        *Keeper
	address, name limit.Key
	one, two      limit.Result
}

// try takes one try from the address's and the name's; false with a time to wait
// where there is none left. Who guesses at many names is held by the first, and
// nobody can lock out a user who comes from elsewhere.
func (k *Keeper) try(x *exchange.Exchange, name string) (t attempt, bad scheme.Verdict) {
	t = attempt{keeper: k, address: k.address.Address(x.Client), name: k.name.Name(limit.Subscriber(x.Client).String() + " " + name)}
	if t.one = k.address.Take(t.address); !t.one.OK {
		return t, tooMany(t.one.Retry)
	}
	if t.two = k.name.Take(t.name); !t.two.OK {
		k.address.Give(t.address, t.one)
		return t, tooMany(t.two.Retry)
	}
	return t, bad
}

// back gives back what a try took: it was no wrong password.
func (t *attempt) back() {
	t.keeper.address.Give(t.address, t.one)
	t.keeper.name.Give(t.name, t.two)
}

func tooMany(wait time.Duration) scheme.Verdict {
	return scheme.Verdict{Found: true, Status: http.StatusTooManyRequests, Reason: "too-many-failures", Detail: "too many wrong passwords from this address, or for this name from it", Retry: max(wait, time.Second)}
}
