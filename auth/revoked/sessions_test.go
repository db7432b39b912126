package revoked

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/state"
)

// What was ended stays so after a restart, and is forgotten when it is over.
func TestSessions(t *testing.T) {
	dir := t.TempDir()
	open := func() (*Sessions, *state.Store) {
		log := slog.New(slog.DiscardHandler)
		c := &state.Config{}
		c.MasterKey.File = &config.Path{Value: filepath.Join(dir, "master.key")}
		store := state.New(state.Options{Data: filepath.Join(dir, "data"), Config: c, Log: log})
		s := NewSessions(store, log)
		if err := s.End(t.Context(), SessionKey{9}, time.Now(), time.Now()); err != nil {
			t.Error(err)
		}
		if _, ok := s.Ended(SessionKey{9}); ok {
			t.Error("kept without a state")
		}
		if err := store.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s, store
	}
	s, store := open()
	now := time.Unix(time.Now().Unix(), 0)
	for k, until := range map[SessionKey]time.Time{{1}: now.Add(time.Hour), {2}: now.Add(-time.Hour)} {
		if err := s.End(t.Context(), k, now, until); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if at, ok := s.Ended(SessionKey{1}); !ok || !at.Equal(now) {
			t.Errorf("%v %v", at, ok)
		}
		if _, ok := s.Ended(SessionKey{3}); ok {
			t.Error("never ended")
		}
		store.Close()
		s, store = open()
	}
	defer store.Close()
	if err := s.End(t.Context(), SessionKey{3}, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Ended(SessionKey{2}); ok {
		t.Error("not forgotten")
	}
}
