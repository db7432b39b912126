package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Create stores a row that is not there yet; ErrExists where it is.
func (t *Table) Create(ctx context.Context, id string, value []byte) error {
	err := t.write(ctx, id, value, func(ctx context.Context, kv jetstream.KeyValue, key string, value []byte) (uint64, error) {
		return kv.Create(ctx, key, value)
	})
	if errors.Is(err, ErrChanged) {
		return ErrExists
	}
	return err
}

// Put stores a row, whatever is there.
func (t *Table) Put(ctx context.Context, id string, value []byte) error {
	return t.write(ctx, id, value, func(ctx context.Context, kv jetstream.KeyValue, key string, value []byte) (uint64, error) {
		return kv.Put(ctx, key, value)
	})
}

// Update stores a row where it has the revision still; ErrChanged where it has
// not.
func (t *Table) Update(ctx context.Context, id string, value []byte, revision uint64) error {
	return t.write(ctx, id, value, func(ctx context.Context, kv jetstream.KeyValue, key string, value []byte) (uint64, error) {
		return kv.Update(ctx, key, value, revision)
	})
}

// Delete deletes a row where it has the revision still; ErrChanged where it has
// not.
func (t *Table) Delete(ctx context.Context, id string, revision uint64) error {
	return t.write(ctx, id, nil, func(ctx context.Context, kv jetstream.KeyValue, key string, _ []byte) (uint64, error) {
		// The deletion's own revision is not told. One above the row's is newer than
		// the row, and not newer than whatever comes after the deletion.
		return revision + 1, kv.Delete(ctx, key, jetstream.LastRevision(revision))
	})
}

// writeTimeout is how long a write waits for its acknowledgement.
const writeTimeout = 5 * time.Second

// write makes a change durable, and then holds for this gateway at once.
func (t *Table) write(ctx context.Context, id string, value []byte, do func(_ context.Context, _ jetstream.KeyValue, key string, value []byte) (uint64, error)) error {
	s := t.store
	if t.sealed && value != nil && s.ring != nil {
		value = s.ring.Seal(t.prefix+id, value)
	}
	s.mu.Lock()
	kv, e := s.kv, s.engine
	s.mu.Unlock()
	if kv == nil || !e.alive() {
		s.stats.failed.Add(1)
		s.nudge()
		return ErrAway
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	defer context.AfterFunc(e.sound, cancel)() // no answer will come then
	revision, err := do(ctx, kv, t.prefix+id, value)
	if err != nil {
		return s.failed(err)
	}
	s.stats.written.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.apply(id, value, revision, value == nil)
	s.dirty = true
	return nil
}

// failed says what an error of the engine means.
func (s *Store) failed(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return ErrChanged
	}
	s.stats.failed.Add(1)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		s.nudge()
		return ErrUnsure
	}
	s.nudge()
	s.log.Error("the state could not be written", slog.Any("error", err))
	return fmt.Errorf("%w: %w", ErrUnsure, err)
}

// apply makes a row hold what the engine has said of it, unless it is old news.
// Under mu.
func (t *Table) apply(id string, value []byte, revision uint64, gone bool) {
	before, there := t.rows[id]
	if there && revision <= before.revision {
		return
	}
	t.rows[id] = row{value, revision, gone}
	if t.changed == nil || gone && (!there || before.gone) {
		return
	}
	if gone {
		t.changed(id, nil)
		return
	}
	value, err := t.plain(id, value)
	if err != nil {
		t.store.log.Error("a secret of the state cannot be opened", slog.String("key", t.prefix+id), slog.Any("error", err))
		return
	}
	t.changed(id, value)
}

// Refresh asks the engine for a row, which another gateway may just have written;
// ErrNotFound where it is not there.
func (t *Table) Refresh(ctx context.Context, id string) (Row, error) {
	s := t.store
	s.mu.Lock()
	kv, e := s.kv, s.engine
	s.mu.Unlock()
	if kv == nil || !e.alive() {
		return Row{}, ErrAway
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	defer context.AfterFunc(e.sound, cancel)()
	found, err := kv.Get(ctx, t.prefix+id)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return Row{}, ErrNotFound
	case err != nil:
		return Row{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	s.take(found)
	r, ok := t.Get(id)
	if !ok {
		return Row{}, ErrNoKey
	}
	return r, nil
}
