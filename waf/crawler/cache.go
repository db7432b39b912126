package crawler

import (
	"net/netip"
	"sync"
	"time"
)

// The bounds of what is kept. Those who are verified stand apart, so that whoever
// takes on names, from ever new addresses, pushes nobody out.
const (
	maxVerified = 1 << 14
	maxOthers   = 1 << 15
)

// claim is an address that claims to be a crawler.
type claim struct {
	addr netip.Addr
	kind string
}

// answer is what is known of a claim.
type answer struct {
	verdict Verdict
	until   time.Time
}

// cache keeps answers. It is safe for concurrent use.
type cache struct {
	mu       sync.RWMutex
	verified map[claim]answer
	others   map[claim]answer
}

func newCache() *cache {
	return &cache{verified: make(map[claim]answer), others: make(map[claim]answer)}
}

// get returns what is known of a claim; false where nothing is, or no more.
func (c *cache) get(k claim, now time.Time) (Verdict, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a, ok := c.verified[k]
	if !ok {
		a, ok = c.others[k]
	}
	return a.verdict, ok && now.Before(a.until)
}

// put keeps what was found, at the cost of another where there is no room. One that
// was verified and is so no more is no longer.
func (c *cache) put(k claim, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to, most := c.others, maxOthers
	if a.verdict == Verified {
		to, most = c.verified, maxVerified
		delete(c.others, k)
	} else {
		delete(c.verified, k)
	}
	if _, known := to[k]; !known && len(to) >= most {
		for other := range to { // any: maps have no order
			delete(to, other)
			break
		}
	}
	to[k] = a
}

func (c *cache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.verified) + len(c.others)
}
