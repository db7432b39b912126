package recent

import (
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/exchange"
)

// DefaultSize is how many requests are remembered.
const DefaultSize = 4096

// Recent remembers requests in three rings, so that a flood of one kind does
// not wash out the others: failures (5xx, upstream errors, answers cut off),
// refusals, and the rest. It is safe for concurrent use; noting a request takes
// no lock that another request waits for, and allocates nothing once its
// slots have been used.
type Recent struct {
	failures ring
	refusals ring
	ordinary ring
}

// New returns a Recent of size requests in all, half of them ordinary.
func New(size int) *Recent {
	if size <= 0 {
		size = DefaultSize
	}
	quarter := max(size/4, 1)
	return &Recent{
		failures: ring{slots: make([]slot, quarter)},
		refusals: ring{slots: make([]slot, quarter)},
		ordinary: ring{slots: make([]slot, max(size-2*quarter, 1))},
	}
}

type ring struct {
	next  atomic.Uint64
	slots []slot
}

// slot holds one request, encoded.
type slot struct {
	mu   sync.Mutex
	data []byte
}

// Note remembers a request that has ended.
func (r *Recent) Note(x *exchange.Exchange, userAgent string, latency time.Duration) {
	r.of(x).note(x, userAgent, latency)
}

func (r *Recent) of(x *exchange.Exchange) *ring {
	switch {
	case x.Writer.Status() >= 500 || x.Aborted || x.Upstream.Error != "":
		return &r.failures
	case x.Refused != nil:
		return &r.refusals
	}
	return &r.ordinary
}

func (g *ring) note(x *exchange.Exchange, userAgent string, latency time.Duration) {
	for {
		s := &g.slots[g.next.Add(1)%uint64(len(g.slots))]
		if !s.mu.TryLock() {
			if len(g.slots) == 1 {
				return
			}
			continue // somebody reads it, or a whole round has gone by: take the next
		}
		s.data = encode(s.data[:0], x, userAgent, latency)
		s.mu.Unlock()
		return
	}
}

// Find returns what is remembered of the request with an id.
func (r *Recent) Find(id string) (*Entry, bool) {
	if id == "" {
		return nil, false
	}
	for _, g := range []*ring{&r.failures, &r.refusals, &r.ordinary} {
		if e, ok := g.find(id); ok {
			return e, true
		}
	}
	return nil, false
}

func (g *ring) find(id string) (*Entry, bool) {
	for i := range g.slots {
		s := &g.slots[i]
		s.mu.Lock()
		if !hasID(s.data, id) {
			s.mu.Unlock()
			continue
		}
		data := append([]byte(nil), s.data...)
		s.mu.Unlock()
		return decode(data), true
	}
	return nil, false
}

// Last returns at most n requests, the newest first, that match accepts; a nil
// match accepts all.
func (r *Recent) Last(n int, match func(*Entry) bool) []*Entry {
	found := []*Entry{}
	for _, g := range []*ring{&r.failures, &r.refusals, &r.ordinary} {
		found = append(found, g.last(n, match)...)
	}
	return newest(found, n)
}

func (g *ring) last(n int, match func(*Entry) bool) []*Entry {
	var found []*Entry
	from := g.next.Load()
	size := uint64(len(g.slots))
	for i := uint64(0); i < size && len(found) < n; i++ {
		s := &g.slots[(from+size-i%size)%size]
		s.mu.Lock()
		data := append([]byte(nil), s.data...)
		s.mu.Unlock()
		if len(data) == 0 {
			continue
		}
		if e := decode(data); match == nil || match(e) {
			found = append(found, e)
		}
	}
	return found
}
