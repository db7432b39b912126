package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash/maphash"
	"sync/atomic"

	"gatehouse/iam"
)

// cacheSize is how many signing keys, and how many sessions, are remembered: a
// power of two. Where two fall on one place the later one takes it.
const cacheSize = 4096

// cache remembers what signatures are verified with: a key that was derived for
// a day, and a session that was opened. It keeps nothing that was not good. It
// is safe for concurrent use and takes no lock.
type cache struct {
	seed     maphash.Seed
	users    atomic.Pointer[iam.Directory] // the last one that was said to be in use
	keys     []atomic.Pointer[signingKey]
	sessions []atomic.Pointer[opened]
}

func newCache() *cache {
	return &cache{seed: maphash.MakeSeed(), keys: make([]atomic.Pointer[signingKey], cacheSize), sessions: make([]atomic.Pointer[opened], cacheSize)}
}

// signingKey is a secret's key for one scope. It is immutable.
type signingKey struct {
	id, secret, scope string
	key               [sha256.Size]byte
}

// opened is a session's token, opened for one directory. It is immutable.
type opened struct {
	sum       uint64
	token     string
	directory *iam.Directory
	version   uint64 // of the keys that it was opened under
	session   *iam.Session
	caller    *iam.Caller
}

// signingKey returns the key that an access key signs with in a scope.
func (c *cache) signingKey(id, secret string, of *credential) *signingKey {
	var h maphash.Hash
	h.SetSeed(c.seed)
	_, _ = h.WriteString(id)
	_, _ = h.WriteString(of.scope)
	place := &c.keys[h.Sum64()%cacheSize]
	if k := place.Load(); k != nil && k.id == id && k.secret == secret && k.scope == of.scope {
		return k
	}
	k := &signingKey{id: id, secret: secret, scope: of.scope}
	key := mac([]byte("AWS4"+secret), of.date)
	for _, part := range [...]string{of.region, of.service, terminator} {
		key = mac(key, part)
	}
	copy(k.key[:], key)
	place.Store(k)
	return k
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// session returns what is remembered of a token.
func (c *cache) session(token string, d *iam.Directory, version uint64) *opened {
	sum := maphash.String(c.seed, token)
	o := c.sessions[sum%cacheSize].Load()
	if o != nil && o.sum == sum && o.directory == d && o.version == version && o.token == token {
		return o
	}
	return nil
}

func (c *cache) remember(o *opened) {
	o.sum = maphash.String(c.seed, o.token)
	c.sessions[o.sum%cacheSize].Store(o)
}

// use forgets the sessions of other directories: they would keep those from
// being collected. Requests that are under way may bring some back until the
// next time.
func (c *cache) use(d *iam.Directory) {
	if c.users.Swap(d) == d {
		return
	}
	for i := range c.sessions {
		if o := c.sessions[i].Load(); o != nil && o.directory != d {
			c.sessions[i].CompareAndSwap(o, nil)
		}
	}
}
