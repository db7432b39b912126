package limit

import (
	"hash/maphash"
	"sync"
)

// Slots bounds how much each caller does at once: requests in flight, sockets,
// tunnels. Callers of one Slots share it over reloads, by its scope and their
// names. It holds an entry for each caller with something under way, and nothing
// else. It is safe for concurrent use.
type Slots struct {
	seed   maphash.Seed
	shards [64]slotShard
}

type slotShard struct {
	mu   sync.Mutex
	held map[slotKey]int
	_    [40]byte // a cache line each
}

type slotKey struct{ scope, name string }

// NewSlots returns Slots that nobody holds.
func NewSlots() *Slots {
	s := &Slots{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].held = make(map[slotKey]int)
	}
	return s
}

// Acquire takes a slot of a scope for a name where fewer than most are held, and
// reports whether it did. What was acquired is released once. It costs no
// allocation where the name is known.
func (s *Slots) Acquire(scope, name string, most int) bool {
	shard := s.shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	key := slotKey{scope, name}
	n := shard.held[key]
	if n >= most {
		return false
	}
	shard.held[key] = n + 1
	return true
}

// Release gives a slot back.
func (s *Slots) Release(scope, name string) {
	shard := s.shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	key := slotKey{scope, name}
	if n := shard.held[key]; n > 1 {
		shard.held[key] = n - 1
		return
	}
	delete(shard.held, key)
}

// Held returns how many slots of a scope a name holds.
func (s *Slots) Held(scope, name string) int {
	shard := s.shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.held[slotKey{scope, name}]
}

func (s *Slots) shard(name string) *slotShard {
	return &s.shards[maphash.String(s.seed, name)%uint64(len(s.shards))]
}
