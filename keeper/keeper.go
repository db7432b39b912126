// Package keeper holds what outlives a reload: pools, health, buckets, keys
// fetched from networks, sockets. Entries are keyed by what they are, so that a
// configuration that names the same thing finds it as it was.
//
// A reload takes a Lease, gets from it every entry that the new configuration
// names, and then either commits it, which retires the entries that nothing
// names any more, or aborts it, which retires those that it opened.
package keeper

import (
	"maps"
	"sync"
)

// Entry is what a Set keeps. Retire is called once, when no configuration
// names the entry any more: it turns passive (its goroutines end, idle sockets
// close, nothing is pooled again), while a request that still holds it may
// finish. Retire does not block.
type Entry interface {
	Retire()
}

// Set keeps entries of one kind. It is safe for concurrent use; leases are
// taken one at a time, since reloads are serialised.
type Set[K comparable, V Entry] struct {
	mu      sync.Mutex
	entries map[K]V
}

// NewSet returns an empty Set.
func NewSet[K comparable, V Entry]() *Set[K, V] {
	return &Set[K, V]{entries: make(map[K]V)}
}

// Each calls f for every entry that the last committed lease named.
func (s *Set[K, V]) Each(f func(K, V)) {
	s.mu.Lock()
	entries := maps.Clone(s.entries)
	s.mu.Unlock()
	for k, v := range entries {
		f(k, v)
	}
}

// Begin starts a lease.
func (s *Set[K, V]) Begin() *Lease[K, V] {
	return &Lease[K, V]{set: s, named: make(map[K]V), opened: make(map[K]V)}
}

// Close retires every entry.
func (s *Set[K, V]) Close() {
	s.Begin().Commit()
}

// Lease is the part of a reload that concerns one Set. It ends with the first
// Commit or Abort; a second one does nothing, so that Abort can be deferred. It
// is not safe for concurrent use.
type Lease[K comparable, V Entry] struct {
	set    *Set[K, V]
	named  map[K]V
	opened map[K]V
	done   bool
}

// Get returns the entry of key: the one that is kept, or one that open makes.
// Where open fails, nothing is kept and its error is returned. It is not called
// once the lease has ended.
func (l *Lease[K, V]) Get(key K, open func() (V, error)) (V, error) {
	if v, ok := l.named[key]; ok {
		return v, nil
	}
	l.set.mu.Lock()
	v, ok := l.set.entries[key]
	l.set.mu.Unlock()
	if ok {
		l.named[key] = v
		return v, nil
	}
	v, err := open()
	if err != nil {
		return v, err
	}
	l.named[key], l.opened[key] = v, v
	return v, nil
}

// Commit makes what the lease named the Set's content, and retires the rest.
func (l *Lease[K, V]) Commit() {
	if l.done {
		return
	}
	l.done = true
	l.set.mu.Lock()
	before := l.set.entries
	l.set.entries = maps.Clone(l.named) // nothing that the lease still does reaches the Set
	l.set.mu.Unlock()
	for k, v := range before {
		if _, kept := l.named[k]; !kept {
			v.Retire()
		}
	}
}

// Abort retires what the lease opened; the Set stays as it was.
func (l *Lease[K, V]) Abort() {
	if l.done {
		return
	}
	l.done = true
	for _, v := range l.opened {
		v.Retire()
	}
}
