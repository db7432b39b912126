package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Errors of writes.
var (
	ErrExists   = errors.New("it is there already")
	ErrChanged  = errors.New("somebody else has changed it meanwhile: try again")
	ErrNotFound = errors.New("it is not there")
	// ErrAway says that nothing was stored.
	ErrAway = errors.New("the state's engine is away: nothing was changed, try again when it is back (the log says what is wrong)")
	// ErrUnsure says that it is not known what became of a write.
	ErrUnsure = errors.New("the state's engine did not answer: the change may have been made or not, look before you try again")
)

// Options are what a Store needs.
type Options struct {
	Data   string  // folder of the engine's files, and of the copy
	Config *Config // nil where the file says nothing of state
	Log    *slog.Logger
	// Dial connects to servers elsewhere; nil for the net package's way.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Patience is how long Open waits for servers elsewhere; 0 for 3 seconds.
	Patience time.Duration
}

// Store is the state. Until Open it is empty and costs nothing. It is safe for
// concurrent use.
type Store struct {
	options Options
	log     *slog.Logger

	opening sync.Mutex
	opened  atomic.Bool
	awaited atomic.Bool // somebody needs the state, whether or not it could be opened
	loaded  atomic.Bool // there is something to go by: the engine's, or the copy's
	ring    *Keyring
	cancel  context.CancelFunc
	ended   chan struct{}
	again   chan struct{} // of size 1: the engine is to be looked at anew
	anew    atomic.Uint64 // how often the engine was found to be another one

	mu     sync.Mutex
	engine *engine
	kv     jetstream.KeyValue // nil while the engine is away
	born   time.Time          // when the bucket was made: another one counts its revisions anew
	tables map[string]*Table
	dirty  bool // the copy lacks something

	copying sync.Mutex // of the copy's file
	stats   counters
}

// New returns a Store that is not open. Tables are made before it is opened.
func New(o Options) *Store {
	return &Store{options: o, log: o.Log, tables: make(map[string]*Table), again: make(chan struct{}, 1)}
}

// External reports whether the engine is elsewhere.
func (s *Store) External() bool { return s.options.Config != nil && len(s.options.Config.NATS) > 0 }

// Opened reports whether Open has succeeded.
func (s *Store) Opened() bool { return s.opened.Load() }

// Loaded reports whether the state is known, from the engine or from the copy of
// what it last said. Where it is not, who asks for a key must not be told that
// it is unknown.
func (s *Store) Loaded() bool { return s.loaded.Load() }

// Anew returns how often the engine was found to be another one than before, as
// where its servers were set up anew: what it says then is not news of what it said
// before.
func (s *Store) Anew() uint64 { return s.anew.Load() }

// Writable reports whether a write can be tried now.
func (s *Store) Writable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kv != nil && s.engine.alive()
}

// Missing reports whether somebody needs the state and it is not known.
func (s *Store) Missing() bool { return s.awaited.Load() && !s.loaded.Load() }

// Check reports what Open would fail with whatever the engine does: a master key
// that cannot be had.
func (s *Store) Check() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.opened.Load() {
		return nil
	}
	_, _, err := OpenKeyring(s.options.Config, s.options.Data)
	return err
}

// Keyring returns the master keys; nil until Open.
func (s *Store) Keyring() *Keyring {
	s.opening.Lock()
	defer s.opening.Unlock()
	return s.ring
}

// firstLoad is how long Open waits for servers elsewhere, where nothing else is
// said.
const firstLoad = 3 * time.Second

// Open starts the engine and reads all of the state; once it is open it does
// nothing. It waits for servers elsewhere only a moment, and then goes by the
// copy; an engine inside that cannot start is an error.
func (s *Store) Open(ctx context.Context) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.opened.Load() {
		return nil
	}
	s.awaited.Store(true)
	ring, created, err := OpenKeyring(s.options.Config, s.options.Data)
	if err != nil {
		return err
	}
	s.ring = ring
	if s.External() {
		s.readCopy()
	}
	loop, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(loop, first)
	}()
	s.cancel, s.ended = cancel, ended
	if err = s.awaitFirst(ctx, first); err == nil {
		err = s.foreign()
	}
	if err != nil {
		cancel()
		<-ended
		if created {
			_ = os.Remove(ring.Path()) // it is no key of anything
		}
		return fmt.Errorf("the state: %w", err)
	}
	if created {
		s.log.Warn("a master key was made: keep a copy of it elsewhere, since without it the secrets in the state are lost", slog.String("file", ring.Path()))
	}
	s.opened.Store(true)
	return nil
}

// foreign reports secrets that no master key at hand opens: to go on would be to
// refuse everybody's keys.
func (s *Store) foreign() error {
	n := 0
	for _, r := range s.sealedRows() {
		if _, err := s.ring.Open(r.table.prefix+r.id, r.value); err != nil {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d of its secrets cannot be opened with the master key of %s: %w", n, cmp.Or(s.ring.Path(), "the configuration"), ErrNoKey)
}

// awaitFirst waits for the first load. Of an engine elsewhere it waits a moment.
func (s *Store) awaitFirst(ctx context.Context, first <-chan error) error {
	var late <-chan time.Time
	if s.External() {
		late = time.After(cmp.Or(s.options.Patience, firstLoad))
	}
	select {
	case err := <-first:
		return err
	case <-late:
		s.log.Warn("the state's servers are away; requests go by the copy of what they last said", slog.Bool("copy", s.Loaded()))
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes the copy and ends the engine. It does nothing where the Store is
// not open.
func (s *Store) Close() {
	s.opening.Lock()
	defer s.opening.Unlock()
	if !s.opened.Swap(false) {
		return
	}
	s.cancel()
	<-s.ended
}

// nudge has the engine looked at anew.
func (s *Store) nudge() {
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// Table is the part of the state whose keys begin with one word.
type Table struct {
	store   *Store
	prefix  string
	sealed  bool // values are secrets
	changed func(id string, value []byte)
	merge   func(id string, kept, imported []byte) ([]byte, error) // nil for rows of which one replaces the other
	rows    map[string]row                                         // under the Store's mu
}

type row struct {
	value    []byte
	revision uint64
	gone     bool // deleted; kept so that older news does not bring it back
}

// Row is one value with its revision.
type Row struct {
	Value    []byte // never written to
	Revision uint64
}

// Table returns the table of a name, made of small letters. Changed, which may
// be nil, is called for each row as it is read or changes, with nil where it was
// deleted; one call at a time, and it must not write to the Store. It is called
// before Open, once for a name.
func (s *Store) Table(name string, changed func(id string, value []byte)) *Table {
	t := &Table{store: s, prefix: name + ".", changed: changed, rows: make(map[string]row)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[t.prefix] = t
	return t
}

// Secrets is Table for values that are encrypted under the master key wherever
// they are kept, and bound to their place.
func (s *Store) Secrets(name string, changed func(id string, value []byte)) *Table {
	t := s.Table(name, changed)
	t.sealed = true
	return t
}

// Merging gives the table what makes one row of an export's and the one that is
// here; an error of it keeps the one that is here. It comes before Open.
func (t *Table) Merging(merge func(id string, kept, imported []byte) ([]byte, error)) {
	t.merge = merge
}

func (s *Store) tableOf(key string) (*Table, string) {
	i := strings.IndexByte(key, '.')
	if i < 0 {
		return nil, ""
	}
	return s.tables[key[:i+1]], key[i+1:]
}

// Get returns a row; none where it is a secret that cannot be opened.
func (t *Table) Get(id string) (Row, bool) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	r, ok := t.rows[id]
	if !ok || r.gone {
		return Row{}, false
	}
	value, err := t.plain(id, r.value)
	return Row{value, r.revision}, err == nil
}

// plain returns a value as its owner knows it.
func (t *Table) plain(id string, value []byte) ([]byte, error) {
	if !t.sealed {
		return value, nil
	}
	return t.store.ring.Open(t.prefix+id, value)
}

// Each calls f for each row, in no order, secrets as they are stored. F must not
// call the Store.
func (t *Table) Each(f func(id string, r Row)) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	for id, r := range t.rows {
		if !r.gone {
			f(id, Row{r.value, r.revision})
		}
	}
}
