package rate

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	shards    = 256
	firstSize = 16 // slots of a shard that has just begun
	slotSize  = int(unsafe.Sizeof(slot{}))
)

// slot is the counts of one key: 48 bytes. A slot with hash 0 is empty.
type slot struct {
	hash  uint64
	check uint32 // more of the hash, against chance
	until uint32 // the second from which on nothing of it counts
	window
}

// table is a hash table of windows with a bound on their number. Each shard is open
// addressing with linear probing in an array of its own, which grows by doubling up
// to the bound. Slots whose counts are over are used again where they stand, and
// left behind when a shard is built anew, so that no probing ever breaks.
type table struct {
	perShard int // most keys of one shard
	shards   [shards]shard
}

type shard struct {
	mu    sync.Mutex
	slots []slot
	used  int    // slots that are not empty, over or not
	swept uint32 // the second in which it was built anew

	shared atomic.Uint64 // requests that had to share counts
	_      [8]byte       // shards of 64 bytes do not share cache lines
}

func newTable(capacity int) *table {
	return &table{perShard: max(1, (capacity+shards-1)/shards)}
}

// hashes find a key's slot.
type hashes struct {
	hash  uint64 // never 0
	check uint64
}

// add counts a request of a key whose counts are over at the second until. For a
// newcomer the counts begin as fresh gives them. It reports false where there is no
// room for one.
func (t *table) add(k hashes, now, until uint32, m moment, fresh func() window) (uint64, bool) {
	s := &t.shards[k.check>>56]
	s.mu.Lock()
	defer s.mu.Unlock()
	e, known := s.find(k, now)
	if !known {
		if e = s.room(e, k, now, t.perShard); e == nil {
			s.shared.Add(1)
			return 0, false
		}
		if e.hash == 0 {
			s.used++
		}
		*e = slot{hash: k.hash, check: uint32(k.check), window: fresh()}
	}
	e.until = max(e.until, until)
	return e.add(m), true
}

// find returns the key's slot, or else one that a newcomer may have: nil where
// there is none on the key's way.
func (s *shard) find(k hashes, now uint32) (e *slot, known bool) {
	n := len(s.slots)
	if n == 0 {
		return nil, false
	}
	for i := home(k.hash, n); ; {
		at := &s.slots[i]
		switch {
		case at.hash == k.hash && at.check == uint32(k.check):
			return at, true
		case at.hash == 0:
			if e == nil {
				e = at
			}
			return e, false
		case e == nil && at.until <= now:
			e = at
		}
		if i++; i == n {
			i = 0
		}
	}
}

// home is where a hash would stand in an empty array of n slots.
func home(hash uint64, n int) int {
	hi, _ := bits.Mul64(hash, uint64(n))
	return int(hi)
}

// room makes room for a newcomer, in the slot that was found where it may have
// that.
func (s *shard) room(e *slot, k hashes, now uint32, most int) *slot {
	if e != nil && (e.hash != 0 || s.used < usable(len(s.slots), most)) {
		return e
	}
	full := len(s.slots) >= largest(most)
	if full && s.swept == now {
		return nil
	}
	s.rebuild(now, most)
	if s.used >= usable(len(s.slots), most) {
		return nil
	}
	e, _ = s.find(k, now)
	return e
}

// usable is how many of n slots hold keys: four in five at most, so that probing
// stays short.
func usable(n, most int) int { return min(n*4/5, most) }

// largest is how large an array gets.
func largest(most int) int { return most*5/4 + 2 }

// rebuild leaves those behind whose counts are over, and gives the others an array
// with room for as many again.
func (s *shard) rebuild(now uint32, most int) {
	kept := 0
	for i := range s.slots {
		if e := &s.slots[i]; e.hash != 0 && e.until > now {
			kept++
		}
	}
	size := firstSize
	for size*4/5 < 2*kept+1 {
		size *= 2
	}
	before := s.slots
	s.slots, s.used, s.swept = make([]slot, min(size, largest(most))), 0, now
	for _, e := range before {
		if e.hash != 0 && e.until > now {
			to, _ := s.find(hashes{e.hash, uint64(e.check)}, 0)
			*to = e
			s.used++
		}
	}
}

// Usage is what a table holds.
type Usage struct {
	Keys     int    // keys, those whose counts are over included
	Capacity int    // most keys
	Bytes    int    // memory of the table
	Shared   uint64 // requests since the start that found no room and shared counts
}

func (t *table) usage() Usage {
	u := Usage{Capacity: t.perShard * shards}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		u.Keys += s.used
		u.Bytes += len(s.slots) * slotSize
		s.mu.Unlock()
		u.Shared += s.shared.Load()
	}
	return u
}
