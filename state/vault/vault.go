// Package vault keeps the gateway's own secrets in the state, so that all gateways
// that share it have the same ones, encrypted under the master key.
package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"gatehouse/private"
	"gatehouse/secrets"
	"gatehouse/state"
)

// Vault is a secrets.Place in the state. Where the state is not known, since its
// engine is away and there is no copy of it, it keeps files as a gateway without a
// state does, and takes them into the state as soon as it can. It is safe for
// concurrent use.
type Vault struct {
	store *state.Store
	table *state.Table
	files *secrets.Files
	log   *slog.Logger

	mu        sync.Mutex
	documents map[string]secrets.Document
	own       map[string]bool   // documents that may lie in files of this node's own
	last      map[string][]byte // what the state last said
	gone      map[string][]byte // what the state has no more
	anew      uint64            // how often the state was another one by then
	lent      map[string][]byte // by the process that is taken over
	settling  sync.Mutex
}

var _ secrets.Place = (*Vault)(nil)

// table of the state.
const table = "secrets"

// New returns the Vault of a store that is not open yet.
func New(store *state.Store, files *secrets.Files, log *slog.Logger) *Vault {
	v := &Vault{store: store, files: files, log: log, documents: make(map[string]secrets.Document), own: make(map[string]bool), last: make(map[string][]byte), gone: make(map[string][]byte)}
	v.table = store.Secrets(table, v.changed)
	v.table.Merging(v.merge)
	return v
}

// Empty reports whether the state holds no secrets of this kind.
func (v *Vault) Empty() bool {
	empty := true
	v.table.Each(func(string, state.Row) { empty = false })
	return empty
}

// Lend gives the Vault what the process knows that is taken over, until the state
// is this one's.
func (v *Vault) Lend(documents map[string][]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lent = documents
}

// Known returns the documents of the state, for a process that takes over.
func (v *Vault) Known() map[string][]byte {
	out := make(map[string][]byte)
	var names []string
	v.table.Each(func(name string, _ state.Row) { names = append(names, name) })
	for _, name := range names {
		if row, ok := v.table.Get(name); ok {
			out[name] = row.Value
		}
	}
	return out
}

// changed hands on what the state says, unless this node has something to add to it
// first, which Settle does. Under the store's lock.
func (v *Vault) changed(name string, value []byte) {
	v.mu.Lock()
	d, own := v.documents[name], v.own[name]
	if n := v.store.Anew(); n != v.anew {
		v.anew = n
		maps.Copy(v.gone, v.last)
	}
	switch last := v.last[name]; {
	case value != nil:
		v.last[name] = value
	case last != nil:
		v.gone[name] = last
	}
	v.mu.Unlock()
	if d != nil && value != nil && !own {
		d.Changed(value)
	}
}

// merge makes one of a document of an export and the one that is here.
func (v *Vault) merge(name string, kept, imported []byte) ([]byte, error) {
	v.mu.Lock()
	d := v.documents[name]
	v.mu.Unlock()
	if d == nil {
		return nil, secrets.ErrApart
	}
	return d.Merge(kept, imported)
}

// Where implements secrets.Place.
func (v *Vault) Where(name string) string {
	if _, there := v.table.Get(name); there {
		return name + " in the state"
	}
	return v.files.Path(name)
}

// Follow implements secrets.Place.
func (v *Vault) Follow(name string, d secrets.Document) {
	_, err := os.Lstat(v.files.Path(name))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.documents[name] = d
	v.own[name] = err == nil
}

// Read implements secrets.Place.
func (v *Vault) Read(name string) ([]byte, error) {
	if err := v.settle(name); err != nil && !errors.Is(err, state.ErrAway) && !errors.Is(err, state.ErrUnsure) {
		return nil, err
	}
	if row, there := v.table.Get(name); there {
		return row.Value, nil
	}
	v.mu.Lock()
	lent := v.lent[name]
	v.mu.Unlock()
	if lent != nil && !v.store.Loaded() {
		return lent, nil
	}
	return v.files.Read(name)
}

// Create implements secrets.Place.
func (v *Vault) Create(name string, text []byte) error {
	err := v.create(name, text)
	if !errors.Is(err, state.ErrAway) && !errors.Is(err, state.ErrUnsure) {
		return err
	}
	v.log.Warn("the state is away: keys of this node alone are used until they can be taken into it", slog.String("keys", name))
	err = v.files.Create(name, text)
	v.mu.Lock()
	v.own[name] = true
	v.mu.Unlock()
	return err
}

// create stores a document in the state.
func (v *Vault) create(name string, text []byte) error {
	err := v.table.Create(context.Background(), name, text)
	if errors.Is(err, state.ErrExists) || errors.Is(err, state.ErrUnsure) {
		row, lost := v.table.Refresh(context.Background(), name)
		switch {
		case lost != nil && errors.Is(err, state.ErrUnsure):
			return err
		case lost != nil:
			return lost
		case bytes.Equal(row.Value, text):
			err = nil
		default:
			return fs.ErrExist
		}
	}
	if err == nil {
		err = v.store.Keep()
	}
	return err
}

// Replace implements secrets.Place.
func (v *Vault) Replace(name string, before, text []byte) error {
	row, there := v.table.Get(name)
	switch {
	case !there && v.store.Writable():
		return secrets.ErrChanged // Settle is about to take it into the state
	case !there:
		return v.files.Replace(name, before, text)
	case !bytes.Equal(row.Value, before):
		return secrets.ErrChanged
	}
	err := v.table.Update(context.Background(), name, text, row.Revision)
	if errors.Is(err, state.ErrChanged) || errors.Is(err, state.ErrUnsure) {
		now, lost := v.table.Refresh(context.Background(), name)
		switch {
		case lost != nil:
			return err
		case bytes.Equal(now.Value, text):
			err = nil
		default:
			return secrets.ErrChanged
		}
	}
	if err == nil {
		err = v.store.Keep()
	}
	return err
}

// Settle takes into the state what this node has in files. It does nothing where
// there is nothing, and tries again where it could not.
func (v *Vault) Settle(context.Context) {
	v.mu.Lock()
	names := set(v.own)
	gone := maps.Clone(v.gone)
	v.mu.Unlock()
	if len(names)+len(gone) == 0 || !v.store.Writable() {
		return
	}
	for name, text := range gone {
		if v.restore(name, text) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := v.settle(name); err != nil {
			v.log.Warn("keys of this node could not be taken into the state yet", slog.String("keys", name), slog.Any("error", err))
		}
	}
}

func set(names map[string]bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool { return !names[name] })
}

// restore gives the state back what it has no more: its servers were set up anew.
// Where others have put something in its place, this node's is to join it as one in
// a file does; restore reports that.
func (v *Vault) restore(name string, text []byte) (joins bool) {
	err := v.create(name, text)
	if errors.Is(err, fs.ErrExist) {
		err = v.files.Create(name, text)
		joins = err == nil || errors.Is(err, fs.ErrExist)
	}
	if err != nil && !joins {
		v.log.Warn("keys that the state has lost could not be given back to it yet", slog.String("keys", name), slog.Any("error", err))
		return false
	}
	v.log.Warn("the state had lost keys, and was given them back", slog.String("keys", name))
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.gone, name)
	if joins {
		v.own[name] = true
	}
	return joins
}

// settle is Settle for one document.
func (v *Vault) settle(name string) error {
	v.settling.Lock()
	defer v.settling.Unlock()
	v.mu.Lock()
	own, d := v.own[name], v.documents[name]
	v.mu.Unlock()
	if !own || !v.store.Writable() {
		return nil
	}
	text, err := v.files.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		v.settled(name, d)
		return nil
	}
	if err != nil {
		return err
	}
	if err := v.take(name, text, d); err != nil {
		return err
	}
	v.settled(name, d)
	return nil
}

// take makes a node's own document part of the state, and then removes it.
func (v *Vault) take(name string, text []byte, d secrets.Document) error {
	err := v.create(name, text)
	if err == nil {
		v.log.Info("keys were taken from a file into the state", slog.String("keys", name), slog.String("file", v.files.Path(name)))
		return private.Remove(v.files.Path(name))
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	kept, there := v.table.Get(name)
	if !there {
		return fmt.Errorf("%s: %w", name, state.ErrNoKey)
	}
	merged, err := d.Merge(kept.Value, text)
	switch {
	case errors.Is(err, secrets.ErrApart):
		return v.putAside(name)
	case err != nil:
		return err
	case !bytes.Equal(merged, kept.Value):
		if err := v.Replace(name, kept.Value, merged); err != nil {
			return err
		}
	}
	v.log.Info("keys of this node were added to those in the state", slog.String("keys", name), slog.String("file", v.files.Path(name)))
	return private.Remove(v.files.Path(name))
}

// putAside keeps what cannot be used beside the state's, under another name.
func (v *Vault) putAside(name string) error {
	path := v.files.Path(name)
	aside := fmt.Sprintf("%s.before-%s", path, time.Now().UTC().Format("20060102-150405"))
	v.log.Warn("this node had another one of its own than the state has, which all nodes use: it was put aside, remove it once nobody needs it", slog.String("keys", name), slog.String("file", aside))
	return os.Rename(path, aside)
}

// settled says of a document that the state alone has it.
func (v *Vault) settled(name string, d secrets.Document) {
	v.mu.Lock()
	v.own[name] = false
	v.mu.Unlock()
	row, there := v.table.Get(name)
	for there {
		d.Changed(row.Value)
		was := row.Revision
		if row, there = v.table.Get(name); row.Revision == was {
			return
		}
	}
}
