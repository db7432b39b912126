// Package recall remembers what was found out about credentials, for a while and
// within bounds, and has each thing found out once at a time.
package recall

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"sync"
	"time"
)

// Key stands for a credential: nothing of it can be read from the key.
type Key [sha256.Size]byte

// Printer makes Keys. Its secret is of this process, so that nobody can choose
// credentials whose Keys collide, or find one that is guessed in a dump. It is
// safe for concurrent use.
type Printer struct{ pool *sync.Pool }

// NewPrinter returns a Printer with a secret of its own.
func NewPrinter() Printer {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret)
	return Printer{&sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// Print returns the Key of parts, each with its length: no two lists of parts
// read the same.
func (p Printer) Print(parts ...string) (k Key) {
	h := p.pool.Get().(hash.Hash)
	h.Reset()
	var length [8]byte
	for _, part := range parts {
		binary.LittleEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	h.Sum(k[:0])
	p.pool.Put(h)
	return k
}

// Cache remembers values by Keys until they expire, at most as many as it was
// made for. It is safe for concurrent use, and does nothing in the background.
type Cache[V any] struct {
	shards [shards]shard[V]
	most   int // entries in a shard
}

const shards = 16

type shard[V any] struct {
	mu      sync.Mutex
	entries map[Key]entry[V]
	flights map[Key]*flight[V]
}

type entry[V any] struct {
	value   V
	expires time.Time
}

// flight is one finding out that is under way.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// New returns a Cache for size entries.
func New[V any](size int) *Cache[V] {
	c := &Cache[V]{most: max(1, size/shards)}
	for i := range c.shards {
		c.shards[i].entries = make(map[Key]entry[V])
		c.shards[i].flights = make(map[Key]*flight[V])
	}
	return c
}

func (c *Cache[V]) shard(k Key) *shard[V] { return &c.shards[k[0]%shards] }

// Get returns what is remembered under k and has not expired at now.
func (c *Cache[V]) Get(k Key, now time.Time) (v V, ok bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(k, now)
}

func (s *shard[V]) get(k Key, now time.Time) (v V, ok bool) {
	e, found := s.entries[k]
	if !found {
		return v, false
	}
	if !now.Before(e.expires) {
		delete(s.entries, k)
		return v, false
	}
	return e.value, true
}

// Put remembers v under k until a time. Where there is no room, an entry that has
// expired gives way, or else any of a few.
func (c *Cache[V]) Put(k Key, v V, expires, now time.Time) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(k, v, expires, now, c.most)
}

// looks is how many entries are looked at to find one that gives way.
const looks = 8

func (s *shard[V]) put(k Key, v V, expires, now time.Time, most int) {
	if !now.Before(expires) {
		return
	}
	if _, known := s.entries[k]; !known && len(s.entries) >= most {
		var oldest Key
		var first time.Time
		n := 0
		for other, e := range s.entries { // in an order of the map's own
			if n == 0 || e.expires.Before(first) {
				oldest, first = other, e.expires
			}
			if n++; n == looks {
				break
			}
		}
		delete(s.entries, oldest)
	}
	s.entries[k] = entry[V]{v, expires}
}

// Forget removes what is remembered under k.
func (c *Cache[V]) Forget(k Key) {
	s := c.shard(k)
	s.mu.Lock()
	delete(s.entries, k)
	s.mu.Unlock()
}

// Len returns how many entries there are, expired ones among them.
func (c *Cache[V]) Len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

var errPanicked = errors.New("whoever was to find it out panicked")

// Do returns what is remembered under k, or what find finds out, which is
// remembered for as long as it says; 0 for not at all. While one caller finds
// out, others with the same key wait for what it finds, its error too; where find
// panics they get errors of their own. Find must end by itself: it is not tied to
// one request.
func (c *Cache[V]) Do(k Key, find func() (v V, keep time.Duration, err error)) (V, error) {
	s := c.shard(k)
	s.mu.Lock()
	if v, ok := s.get(k, time.Now()); ok {
		s.mu.Unlock()
		return v, nil
	}
	if f := s.flights[k]; f != nil {
		s.mu.Unlock()
		<-f.done
		return f.value, f.err
	}
	f := &flight[V]{done: make(chan struct{}), err: errPanicked}
	s.flights[k] = f
	s.mu.Unlock()

	var keep time.Duration
	defer func() {
		s.mu.Lock()
		delete(s.flights, k)
		if now := time.Now(); f.err == nil && keep > 0 {
			s.put(k, f.value, now.Add(keep), now, c.most)
		}
		s.mu.Unlock()
		close(f.done)
	}()
	f.value, keep, f.err = find()
	return f.value, f.err
}
