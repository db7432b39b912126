package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Key is one key of a ring.
type Key struct {
	Made   time.Time
	From   time.Time // when its turn begins; zero for Made
	Secret []byte
}

// Begin is when the key's turn begins.
func (k Key) Begin() time.Time {
	if k.From.IsZero() {
		return k.Made
	}
	return k.From
}

// Kind says what a ring's keys are and how they take turns.
type Kind[T any] struct {
	Name string // of the document
	// Turn is how long a key makes new things before the next one does, and Life
	// how long after its turn has begun what it made is good.
	Turn, Life time.Duration
	// Ahead is how long before its turn a key is there, so that every node and
	// whoever else needs it has it by then.
	Ahead time.Duration
	// New makes a key's secret.
	New func() ([]byte, error)
	// Decode reads a document, and Encode writes one.
	Decode func(text []byte) ([]Key, error)
	Encode func([]Key) ([]byte, error)
	// Prepare makes of a key what it is used by.
	Prepare func(*Key) (T, error)
}

// Entry is a key and what it is used by. It is immutable.
type Entry[T any] struct {
	Key
	Value T
}

// Ring holds the keys of one purpose. It is safe for concurrent use.
type Ring[T any] struct {
	kind    Kind[T]
	place   Place
	turning sync.Mutex // of changing the document
	now     atomic.Pointer[held[T]]
}

// held is a document that was read.
type held[T any] struct {
	text    []byte
	version uint64
	entries []Entry[T] // the last turn first
}

// Open returns the Ring of a document, which is made with a first key where it is
// not there yet.
func Open[T any](place Place, kind Kind[T]) (*Ring[T], error) {
	r := &Ring[T]{kind: kind, place: place}
	r.now.Store(&held[T]{})
	place.Follow(kind.Name, r)
	text, err := place.Read(kind.Name)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = r.create()
	}
	if err != nil {
		return nil, err
	}
	h, err := r.read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place.Where(kind.Name), err)
	}
	r.hold(h)
	return r, nil
}

// Single returns a Ring of one key, whose turn never ends.
func Single[T any](value T) *Ring[T] {
	r := &Ring[T]{kind: Kind[T]{Life: 1<<63 - 1}}
	r.now.Store(&held[T]{entries: []Entry[T]{{Key{Made: time.Unix(0, 0)}, value}}})
	return r
}

// create makes the document, or reads the one that somebody else has made meanwhile.
func (r *Ring[T]) create() ([]byte, error) {
	secret, err := r.kind.New()
	if err != nil {
		return nil, err
	}
	text, err := r.kind.Encode([]Key{{Made: time.Now().UTC().Truncate(time.Second), Secret: secret}})
	if err != nil {
		return nil, err
	}
	err = r.place.Create(r.kind.Name, text)
	if errors.Is(err, fs.ErrExist) {
		return r.place.Read(r.kind.Name)
	}
	return text, err
}

func (r *Ring[T]) read(text []byte) (*held[T], error) {
	keys, err := r.kind.Decode(text)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no keys")
	}
	h := &held[T]{text: text}
	for i := range keys {
		value, err := r.kind.Prepare(&keys[i])
		if err != nil {
			return nil, err
		}
		h.entries = append(h.entries, Entry[T]{keys[i], value})
	}
	slices.SortStableFunc(h.entries, func(a, b Entry[T]) int { return b.Begin().Compare(a.Begin()) })
	return h, nil
}

// Name returns the document's name.
func (r *Ring[T]) Name() string { return r.kind.Name }

// Current returns the key whose turn it is.
func (r *Ring[T]) Current(now time.Time) *Entry[T] {
	entries := r.now.Load().entries
	for i := range entries {
		if !entries[i].Begin().After(now) {
			return &entries[i]
		}
	}
	return &entries[len(entries)-1] // the clock was set back
}

// All returns the keys that things may be made with, the last turn first: the ones
// to come, the current one, and those before. It is not to be written to.
func (r *Ring[T]) All() []Entry[T] { return r.now.Load().entries }

// Version changes whenever the keys do: what was opened under another one may be
// good no more.
func (r *Ring[T]) Version() uint64 { return r.now.Load().version }

// hold makes a document hold.
func (r *Ring[T]) hold(h *held[T]) {
	for {
		before := r.now.Load()
		h.version = before.version + 1
		if r.now.CompareAndSwap(before, h) {
			return
		}
	}
}

// Good reports whether what a key made is good still.
func (r *Ring[T]) Good(e *Entry[T], now time.Time) bool {
	return now.Sub(e.Begin()) < r.kind.Life
}

// Changed implements Document. What cannot be read is not believed.
func (r *Ring[T]) Changed(text []byte) {
	if h, err := r.read(text); err == nil {
		r.hold(h)
	}
}

// Merge implements Document: what either's keys made stays good, and the turn is
// that of what is kept.
func (r *Ring[T]) Merge(kept, own []byte) ([]byte, error) {
	keys, err := r.kind.Decode(kept)
	if err != nil {
		return nil, err
	}
	others, err := r.kind.Decode(own)
	if err != nil {
		return nil, err
	}
	oldest := slices.MinFunc(keys, func(a, b Key) int { return a.Begin().Compare(b.Begin()) }).Begin()
	n := len(keys)
	for _, k := range others {
		if slices.ContainsFunc(keys, func(o Key) bool { return bytes.Equal(o.Secret, k.Secret) }) {
			continue
		}
		if !k.Begin().Before(oldest) {
			k.From = oldest.Add(-time.Second) // it has had its turn
		}
		keys = append(keys, k)
	}
	if len(keys) == n {
		return kept, nil
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return b.Begin().Compare(a.Begin()) })
	return r.kind.Encode(keys)
}

// Status says of a ring what people may know.
type Status struct {
	Name  string    `json:"name"`
	Keys  int       `json:"keys"`
	Since time.Time `json:"since"`          // of the current key's turn
	Next  time.Time `json:"next,omitempty"` // when the next key's turn begins, at the latest
}

// Status describes the ring.
func (r *Ring[T]) Status(now time.Time) Status {
	current := r.Current(now)
	s := Status{Name: r.kind.Name, Keys: len(r.All()), Since: current.Begin(), Next: current.Begin().Add(r.kind.Turn)}
	if newest := r.All()[0].Begin(); newest.After(now) {
		s.Next = newest
	}
	return s
}

// Turn adds the next key where it is time for it, and drops those that are good for
// nothing any more; it reports whether it changed anything. Where another node was
// faster, its word holds.
func (r *Ring[T]) Turn(now time.Time) (bool, error) {
	r.turning.Lock()
	defer r.turning.Unlock()
	h := r.now.Load()
	last := h.entries[0].Begin()
	due := last.Add(r.kind.Turn)
	if now.Before(due.Add(-r.kind.Ahead)) {
		return false, nil
	}
	from := now.Add(r.kind.Ahead)
	switch {
	case due.After(from):
		from = due
	case now.Sub(due) > r.kind.Ahead:
		from = now // nobody was there to make it in time: the last key has had its turn
	}
	return r.add(h, now, from, h.entries)
}

// maxKeys is how many keys a ring has at most.
const maxKeys = 64

// Force puts a new key into force at once. Forget also drops all the others: what
// they made is good no more, as must be where a key has leaked.
func (r *Ring[T]) Force(now time.Time, forget bool) error {
	r.turning.Lock()
	defer r.turning.Unlock()
	h := r.now.Load()
	if len(h.entries) >= maxKeys && !forget {
		return fmt.Errorf("there are %d keys already whose things are good still: wait, or have them forgotten", maxKeys)
	}
	var kept []Entry[T]
	for _, e := range h.entries {
		if !forget && !e.Begin().After(now) {
			kept = append(kept, e)
		}
	}
	changed, err := r.add(h, now, now, kept)
	if err == nil && !changed {
		err = ErrChanged
	}
	return err
}

func (r *Ring[T]) add(h *held[T], now, from time.Time, kept []Entry[T]) (bool, error) {
	secret, err := r.kind.New()
	if err != nil {
		return false, err
	}
	keys := []Key{{Made: now.UTC().Truncate(time.Second), From: from.UTC().Truncate(time.Second), Secret: secret}}
	for i := range kept {
		if r.Good(&kept[i], now) {
			keys = append(keys, kept[i].Key)
		}
	}
	text, err := r.kind.Encode(keys)
	if err != nil {
		return false, err
	}
	next, err := r.read(text)
	if err != nil {
		return false, err
	}
	switch err := r.place.Replace(r.kind.Name, h.text, text); {
	case errors.Is(err, ErrChanged):
		return false, r.again()
	case err != nil:
		return false, err
	}
	r.hold(next)
	return true, nil
}

// again reads what somebody else has made of the document.
func (r *Ring[T]) again() error {
	text, err := r.place.Read(r.kind.Name)
	if err != nil {
		return err
	}
	h, err := r.read(text)
	if err == nil {
		r.hold(h)
	}
	return err
}
