package revoked

import (
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/config"
	"gatehouse/state"
)

func newLogouts(t testing.TB, dir string, open bool) (*Logouts, *state.Store) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c := &state.Config{}
	c.MasterKey.File = &config.Path{Value: filepath.Join(dir, "master.key")}
	s := state.New(state.Options{Data: filepath.Join(dir, "data"), Config: c, Log: log})
	l := NewLogouts(s, log)
	if open {
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
	}
	return l, s
}

// What was ended outlives a restart, and is forgotten when its time is over.
func TestLogouts(t *testing.T) {
	dir := t.TempDir()
	l, store := newLogouts(t, dir, true)
	at := time.Now().Truncate(time.Second)
	ann, bob, old := Logout{1}, Logout{2}, Logout{3}
	for key, until := range map[Logout]time.Time{ann: at.Add(time.Hour), old: at.Add(-time.Minute)} {
		if err := l.End(key, at, until); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.End(ann, at.Add(-time.Hour), at); err != nil { // older news of her
		t.Fatal(err)
	}
	store.Close()
	l, store = newLogouts(t, dir, true)
	if got, ok := l.Ended(ann); !ok || !got.Equal(at) {
		t.Errorf("%v %v", got, ok)
	}
	if _, ok := l.Ended(bob); ok {
		t.Error("somebody else is logged out")
	}
	if _, ok := l.Ended(old); !ok {
		t.Error("forgotten before it is asked to")
	}
	l.Flush(t.Context())
	if _, ok := l.Ended(old); ok {
		t.Error("not forgotten")
	}
	store.Close()

	// While the engine is away it holds here, and is stored afterwards.
	if err := l.End(bob, at, at.Add(time.Hour)); err == nil || len(l.Waiting()) != 1 {
		t.Errorf("%v, %d wait", err, len(l.Waiting()))
	}
	if _, ok := l.Ended(bob); !ok {
		t.Error("it does not hold here")
	}
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Flush(t.Context())
	store.Close()
	if len(l.Waiting()) != 0 {
		t.Errorf("%d wait", len(l.Waiting()))
	}
	l, _ = newLogouts(t, dir, true)
	for key, want := range map[Logout]bool{ann: true, bob: true, old: false} {
		if _, ok := l.Ended(key); ok != want {
			t.Errorf("%x after a restart: %v", key[0], ok)
		}
	}
}

// Without a state they are known in memory, and no more of them than there is room.
func TestLogoutsInMemory(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLogouts(t, dir, false)
		for i := range maxLogouts {
			if err := l.End(Logout{byte(i), byte(i >> 8), byte(i >> 16)}, time.Now(), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.End(Logout{15: 1}, time.Now(), time.Now().Add(time.Hour)); err == nil {
			t.Error("there is room without end")
		}
		time.Sleep(2 * time.Hour)
		for range maxLogouts/forgetAtOnce + 1 {
			l.Flush(t.Context())
		}
		if n := l.count.Load(); n != 0 {
			t.Errorf("%d are known", n)
		}
		if err := l.End(Logout{15: 1}, time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkEnded(b *testing.B) {
	l, _ := newLogouts(b, b.TempDir(), false)
	_ = l.End(Logout{1}, time.Now(), time.Now().Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := l.Ended(Logout{2}); ok {
			b.Fatal()
		}
	}
}
