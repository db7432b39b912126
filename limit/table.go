package limit

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	shards    = 256
	firstSize = 16 // slots of a shard that has just begun
	sweep     = 64 // slots that a newcomer to a full shard looks at
)

// slot is one bucket in a table: 32 bytes. A slot with hash 0 is empty.
type slot struct {
	hash  uint64
	check uint32 // more of the hash, against chance
	full  uint32 // the tick at which the bucket is full again
	bucket
}

// A tick is 2^26 ns, about 67 ms: 32 bits of them last nine years. Buckets
// that take longer to fill count as never full.
const tick = 26

// table is a hash table of buckets with a bound on their number. Each shard
// is open addressing with linear probing in an array of its own, which grows
// by doubling up to the bound; known keys cost no allocation.
type table struct {
	perShard int // most buckets of one shard
	shards   [shards]shard
}

type shard struct {
	mu    sync.Mutex
	slots []slot
	used  int
	hand  int // where the next sweep begins

	shared atomic.Uint64 // requests that had to share a bucket
	_      [8]byte       // shards of 64 bytes do not share cache lines
}

func newTable(capacity int) *table {
	return &table{perShard: max(1, (capacity+shards-1)/shards)}
}

func (t *table) shard(k Key) *shard { return &t.shards[k.check>>56] }

// take takes a token from the key's bucket, making a full one for a newcomer.
// It reports false where there is no room for one.
func (t *table) take(k Key, now int64, f *refill) (Result, bool) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.find(k)
	if !found {
		var room bool
		if i, room = s.insert(k, now, t.perShard); !room {
			s.shared.Add(1)
			return Result{}, false
		}
	}
	b := &s.slots[i]
	r := b.take(now, f)
	b.full = tickAfter(now, r.Reset.Nanoseconds())
	return r, true
}

// give puts a token back where the key's bucket is still known.
func (t *table) give(k Key, now int64, f *refill) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, found := s.find(k); found {
		b := &s.slots[i]
		b.give(now, f)
		b.full = tickAfter(now, f.wait(f.burst-b.level).Nanoseconds())
	}
}

// tickAfter returns the first tick that begins no earlier than now+wait.
func tickAfter(now, wait int64) uint32 {
	if wait > math.MaxInt64-now-1<<tick {
		return math.MaxUint32
	}
	return uint32(min((now+wait)>>tick+1, math.MaxUint32))
}

func (s *slot) idle(now int64) bool {
	return s.full != math.MaxUint32 && int64(s.full) <= now>>tick
}

// home is where a hash would stand in an empty array of n slots.
func home(hash uint64, n int) int {
	hi, _ := bits.Mul64(hash, uint64(n))
	return int(hi)
}

// find returns the key's slot, or the empty one where it would stand; -1 where
// there is no array yet.
func (s *shard) find(k Key) (int, bool) {
	n := len(s.slots)
	if n == 0 {
		return -1, false
	}
	for i := home(k.hash, n); ; {
		e := &s.slots[i]
		if e.hash == k.hash && e.check == uint32(k.check) {
			return i, true
		}
		if e.hash == 0 {
			return i, false
		}
		if i++; i == n {
			i = 0
		}
	}
}

// insert makes a full bucket for the key, at the cost of one that is full
// where the shard has its most.
func (s *shard) insert(k Key, now int64, most int) (int, bool) {
	if s.used >= most && !s.evict(now) {
		return 0, false
	}
	if s.used >= room(len(s.slots)) {
		s.rebuild(now, most)
	}
	i, _ := s.find(k)
	s.slots[i] = slot{hash: k.hash, check: uint32(k.check), bucket: bucket{level: brim, last: now}}
	s.used++
	return i, true
}

// room is how many buckets an array of n slots may hold: four in five, so that
// probing stays short.
func room(n int) int { return n * 4 / 5 }

// evict forgets one full bucket, if one of the next few slots holds one.
func (s *shard) evict(now int64) bool {
	n := len(s.slots)
	for range min(sweep, n) {
		if s.hand++; s.hand >= n {
			s.hand = 0
		}
		if e := &s.slots[s.hand]; e.hash != 0 && e.idle(now) {
			s.remove(s.hand)
			return true
		}
	}
	return false
}

// remove empties slot i and closes the gap, so that probing finds what stands
// behind it.
func (s *shard) remove(i int) {
	n := len(s.slots)
	for j := i; ; {
		if j++; j == n {
			j = 0
		}
		e := &s.slots[j]
		if e.hash == 0 {
			break
		}
		// e may move into the gap unless its home lies behind the gap.
		if h := home(e.hash, n); (j-h+n)%n >= (j-i+n)%n {
			s.slots[i] = *e
			i = j
		}
	}
	s.slots[i] = slot{}
	s.used--
}

// rebuild leaves the full buckets behind and gives the others an array with
// room for as many again.
func (s *shard) rebuild(now int64, most int) {
	kept := 0
	for i := range s.slots {
		if e := &s.slots[i]; e.hash != 0 && !e.idle(now) {
			kept++
		}
	}
	size := firstSize
	for room(size) < 2*kept+1 {
		size *= 2
	}
	size = min(size, most*5/4+2)
	before := s.slots
	s.slots, s.used, s.hand = make([]slot, size), 0, 0
	for _, e := range before {
		if e.hash != 0 && !e.idle(now) {
			i, _ := s.find(Key{hash: e.hash, check: uint64(e.check)})
			s.slots[i] = e
			s.used++
		}
	}
}

// Usage is what a table holds now.
type Usage struct {
	Buckets  int    // buckets known
	Capacity int    // most buckets
	Bytes    int    // memory of the table
	Shared   uint64 // requests since the start that found no room and shared a bucket
}

func (t *table) usage() Usage {
	u := Usage{Capacity: t.perShard * shards}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		u.Buckets += s.used
		u.Bytes += len(s.slots) * slotSize
		s.mu.Unlock()
		u.Shared += s.shared.Load()
	}
	return u
}
