package jwt

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"gatehouse/exchange"
)

// cacheSize is how many verified tokens a gateway remembers: a power of two.
// The table itself takes 1 MB; what a token says is kept beside it.
const cacheSize = 1 << 16

// cacheBytes is how many bytes of tokens are remembered at most, so that large
// ones do not take more memory than many: what a token says takes a few times
// the token's own length.
const cacheBytes = 32 << 20

// ways is how many places a token may have: as many as one cache line holds
// tags of.
const ways = 8

// cache remembers tokens that were found good, by the fingerprint of the whole
// token: no credential is kept. Reading takes no lock. It is safe for concurrent
// use.
type cache struct {
	printer printer
	tags    []atomic.Uint64
	entries []atomic.Pointer[verified]

	mu    sync.Mutex // writers
	next  uint32     // which place gives way where all are good
	bytes int        // of the tokens remembered
	hand  int        // who gives way where there are too many bytes
}

// verified is one good token. It is immutable.
type verified struct {
	print     fingerprint
	verifier  *Verifier
	key       *key
	principal *exchange.Principal
	expires   int64 // Unix time in nanoseconds, leeway included
	size      int   // bytes of the token
}

func newCache(size int) *cache {
	return &cache{printer: newPrinter(), tags: make([]atomic.Uint64, size), entries: make([]atomic.Pointer[verified], size)}
}

// place returns the first of the places of p, and its tag, never 0.
func (c *cache) place(p *fingerprint) (int, uint64) {
	set := binary.LittleEndian.Uint64(p[:]) % uint64(len(c.tags)/ways)
	return int(set) * ways, binary.LittleEndian.Uint64(p[8:]) | 1
}

func (e *verified) alive(now int64) bool {
	return now < e.expires && !e.key.gone.Load() && !e.verifier.retired.Load()
}

// get returns whom the verifier found the token of p to name; nil where it has to
// be verified. Foreign says that it need not be: another verifier found it to be
// of another issuer.
func (c *cache) get(p *fingerprint, v *Verifier, now int64) (who *exchange.Principal, foreign bool) {
	first, tag := c.place(p)
	for i := first; i < first+ways; i++ {
		if c.tags[i].Load() != tag {
			continue
		}
		// A writer may be between entry and tag: the whole fingerprint decides.
		e := c.entries[i].Load()
		if e == nil || e.print != *p || !e.alive(now) {
			continue
		}
		if e.verifier == v {
			return e.principal, false
		}
		foreign = foreign || e.principal.Issuer != v.rules.issuer
	}
	return nil, foreign
}

// put remembers a token, in the place of one that is no longer good, or of any.
func (c *cache) put(e *verified, now int64) {
	first, tag := c.place(&e.print)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	at := first + int(c.next%ways)
	for i := first; i < first+ways; i++ {
		old := c.entries[i].Load()
		if old == nil || !old.alive(now) || old.print == e.print && old.verifier == e.verifier {
			at = i
			break
		}
	}
	c.set(at, e, tag)
	for c.bytes > cacheBytes {
		if c.hand++; c.hand >= len(c.entries) {
			c.hand = 0
		}
		c.set(c.hand, nil, 0)
	}
}

func (c *cache) set(at int, e *verified, tag uint64) {
	if old := c.entries[at].Load(); old != nil {
		c.bytes -= old.size
	}
	if e != nil {
		c.bytes += e.size
	}
	c.entries[at].Store(e)
	c.tags[at].Store(tag)
}
