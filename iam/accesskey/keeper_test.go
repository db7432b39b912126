package accesskey

import (
	"log/slog"
	"path/filepath"
	"regexp"
	"testing"

	"gatehouse/config"
	"gatehouse/state"
)

func open(t *testing.T, dir string) (*Keeper, *state.Store) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c := &state.Config{}
	c.MasterKey.File = &config.Path{Value: filepath.Join(dir, "master.key")}
	s := state.New(state.Options{Data: filepath.Join(dir, "data"), Config: c, Log: log})
	k := NewKeeper(s, log)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return k, s
}

func TestAccessKeys(t *testing.T) {
	dir := t.TempDir()
	k, s := open(t, dir)
	ctx := t.Context()
	one, err := k.Create(ctx, "ci")
	if err != nil || !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(one.ID) || len(one.Secret) != 40 {
		t.Fatalf("%+v %v", one, err)
	}
	if _, err := k.Create(ctx, "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Create(ctx, "ci"); err == nil {
		t.Error("a third key")
	}
	works := func(k *Keeper, want bool) {
		t.Helper()
		secret, user, ok := k.AccessKey(one.ID)
		if ok != want || ok && (secret != one.Secret || user != "ci") {
			t.Errorf("%q %q %v", secret, user, ok)
		}
	}
	works(k, true)
	if _, err := k.Enable(ctx, one.ID, false); err != nil {
		t.Fatal(err)
	}
	works(k, false)
	if _, err := k.Enable(ctx, one.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rekey(ctx); err != nil {
		t.Fatal(err)
	}
	s.Close()
	k, _ = open(t, dir)
	works(k, true)
	for _, key := range k.List("") {
		if key.Secret != "" {
			t.Error("a list shows a secret")
		}
	}
	if err := k.Delete(ctx, one.ID); err != nil || len(k.List("ci")) != 1 {
		t.Error(err)
	}
	works(k, false)
	if err := k.Delete(ctx, one.ID); err == nil {
		t.Error("deleted twice")
	}
}
