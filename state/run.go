package state

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// bucket is the name of what everything is in.
const bucket = "gatehouse"

const (
	retryEvery = time.Second
	copyEvery  = time.Second
)

// run keeps the engine open and follows it until ctx ends. The first outcome
// is sent to first; of an engine elsewhere only success is one.
func (s *Store) run(ctx context.Context, first chan<- error) {
	defer s.end()
	var copied <-chan time.Time
	if s.External() {
		ticker := time.NewTicker(copyEvery)
		defer ticker.Stop()
		copied = ticker.C
	}
	told := false
	tell := func(err error) {
		if !told && (err == nil || !s.External()) {
			told = true
			first <- err
		}
	}
	for ctx.Err() == nil {
		session, stop := context.WithCancel(ctx)
		updates, err := s.attach(session)
		tell(err)
		if err != nil {
			s.log.Debug("the state's engine", slog.Any("error", err))
			s.rest(ctx, copied)
		} else {
			s.follow(session, updates, copied)
		}
		stop()
	}
}

// rest waits before the engine is tried again.
func (s *Store) rest(ctx context.Context, copied <-chan time.Time) {
	timer := time.NewTimer(retryEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-copied:
			_ = s.writeCopy() // it has logged what went wrong
		}
	}
}

// attach opens the engine where it is not, and the bucket, and reads all of it.
func (s *Store) attach(ctx context.Context) (jetstream.KeyWatcher, error) {
	e, err := s.start()
	if err != nil {
		return nil, err
	}
	if !e.alive() {
		return nil, ErrAway
	}
	js, err := jetstream.New(e.conn)
	if err != nil {
		return nil, err
	}
	open, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	kv, err := js.KeyValue(open, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(open, jetstream.KeyValueConfig{
			Bucket: bucket, Description: "Gatehouse", History: 1, Storage: jetstream.FileStorage, Replicas: s.replicas(), MaxValueSize: maxRecord / 2,
		})
	}
	if err != nil {
		return nil, err
	}
	if err := s.recognise(open, kv); err != nil {
		return nil, err
	}
	w, err := kv.WatchAll(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.load(ctx, w); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.kv, s.dirty = kv, true
	s.mu.Unlock()
	s.loaded.Store(true)
	return w, nil
}

// recognise makes revisions count from the beginning where the bucket is another
// one than before: the servers may have been set up anew.
func (s *Store) recognise(ctx context.Context, kv jetstream.KeyValue) error {
	status, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	info, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return nil
	}
	born := info.StreamInfo().Created
	s.mu.Lock()
	defer s.mu.Unlock()
	if born.Equal(s.born) {
		return nil
	}
	if !s.born.IsZero() {
		s.anew.Add(1)
	}
	s.born = born
	for _, t := range s.tables {
		for id, r := range t.rows {
			r.revision = 0
			t.rows[id] = r
		}
	}
	return nil
}

func (s *Store) replicas() int {
	if s.options.Config == nil {
		return 1
	}
	return max(1, s.options.Config.Replicas)
}

// start returns the engine, a new one where the one inside has given up: on a
// full disk it does.
func (s *Store) start() (*engine, error) {
	s.mu.Lock()
	e := s.engine
	s.mu.Unlock()
	if e != nil && (s.External() || e.alive()) {
		return e, nil
	}
	if e != nil {
		e.close()
	}
	var err error
	if s.External() {
		e, err = connect(&s.options, s.nudge)
	} else {
		e, err = embed(s.options.Data, s.log)
	}
	s.mu.Lock()
	s.engine, s.kv = e, nil
	s.mu.Unlock()
	return e, err
}

// load reads what the engine has: what it lacks is gone.
func (s *Store) load(ctx context.Context, w jetstream.KeyWatcher) error {
	seen := make(map[string]bool)
	deadline := time.NewTimer(readyTimeout)
	defer deadline.Stop()
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return ErrAway
			}
			if e == nil {
				s.forget(seen)
				return nil
			}
			seen[e.Key()] = true
			s.take(e)
		case <-deadline.C:
			return ErrAway
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take makes one entry of the engine hold.
func (s *Store) take(e jetstream.KeyValueEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, id := s.tableOf(e.Key()); t != nil {
		gone := e.Operation() != jetstream.KeyValuePut
		t.apply(id, e.Value(), e.Revision(), gone)
		s.dirty = true
	}
}

// forget drops the rows that the engine does not have: those of the copy that
// were deleted while it was away, or those of another engine in its place.
func (s *Store) forget(seen map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for prefix, t := range s.tables {
		for id, r := range t.rows {
			if seen[prefix+id] {
				continue
			}
			delete(t.rows, id)
			if !r.gone && t.changed != nil {
				t.changed(id, nil)
			}
		}
	}
}

// follow takes what changes until the engine has to be looked at anew.
func (s *Store) follow(ctx context.Context, w jetstream.KeyWatcher, copied <-chan time.Time) {
	defer func() { _ = w.Stop() }()
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return
			}
			if e != nil {
				s.take(e)
			}
		case <-s.again:
			return
		case <-copied:
			s.hear()
			_ = s.writeCopy() // it has logged what went wrong
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) end() {
	if s.External() {
		_ = s.writeCopy()
	}
	s.mu.Lock()
	e := s.engine
	s.engine, s.kv = nil, nil
	s.mu.Unlock()
	if e != nil {
		e.close()
	}
}
