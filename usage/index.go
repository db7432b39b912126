package usage

import (
	"encoding/json"
	"log/slog"
	"sync"
)

// shards part the index, so that requests on different processors seldom meet.
const shards = 64

// index finds keys by the digests of their values. Requests read it.
type index struct {
	parts [shards]struct {
		mu   sync.RWMutex
		keys map[digest]*entry
		_    [32]byte // a cache line each
	}

	mu   sync.Mutex
	byID map[string]*entry
}

func newIndex() *index {
	x := &index{byID: make(map[string]*entry)}
	for i := range x.parts {
		x.parts[i].keys = make(map[digest]*entry)
	}
	return x
}

func (x *index) find(d *digest) *entry {
	p := &x.parts[d[0]%shards]
	p.mu.RLock()
	e := p.keys[*d]
	p.mu.RUnlock()
	return e
}

// set makes a key hold in place of what it was; nil takes it away.
func (x *index) set(id string, e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.byID[id]
	if e == nil {
		delete(x.byID, id)
	} else {
		x.byID[id] = e
		x.put(e.hash, e)
		if e.hasPrev {
			x.put(e.prev, e)
		}
	}
	if before == nil {
		return
	}
	for _, d := range []digest{before.hash, before.prev} {
		if e == nil || d != e.hash && !(e.hasPrev && d == e.prev) {
			x.remove(d, before)
		}
	}
}

func (x *index) put(d digest, e *entry) {
	p := &x.parts[d[0]%shards]
	p.mu.Lock()
	p.keys[d] = e
	p.mu.Unlock()
}

func (x *index) remove(d digest, e *entry) {
	p := &x.parts[d[0]%shards]
	p.mu.Lock()
	if p.keys[d] == e {
		delete(p.keys, d)
	}
	p.mu.Unlock()
}

func (x *index) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.byID)
}

// keyChanged takes what the state says of a key.
func (k *Keeper) keyChanged(id string, value []byte) {
	if value == nil {
		k.index.set(id, nil)
		k.meters.drop(id)
		return
	}
	var key Key
	if err := json.Unmarshal(value, &key); err != nil || key.ID != id || len(key.Hash) != len(digest{}) {
		k.log.Error("an API key in the state cannot be read: it is not taken", slog.String("id", id), slog.Any("error", err))
		k.index.set(id, nil)
		return
	}
	k.index.set(id, newEntry(&key))
}
