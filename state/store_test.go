package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestRows(t *testing.T) {
	data, key := folders(t)
	s, _ := newStore(data, key, nil)
	seen := make(map[string]string)
	var mu sync.Mutex
	watched := s.Table("watched", func(id string, value []byte) {
		mu.Lock()
		defer mu.Unlock()
		if value == nil {
			delete(seen, id)
			return
		}
		seen[id] = string(value)
	})
	if err := watched.Put(t.Context(), "a", []byte("1")); !errors.Is(err, ErrAway) {
		t.Errorf("before Open: %v", err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, step := range []struct {
		name string
		do   func() error
		want error
	}{
		{"create", func() error { return watched.Create(ctx, "a", []byte("1")) }, nil},
		{"create again", func() error { return watched.Create(ctx, "a", []byte("2")) }, ErrExists},
		{"put", func() error { return watched.Put(ctx, "b", []byte("1")) }, nil},
		{"update", func() error { r, _ := watched.Get("a"); return watched.Update(ctx, "a", []byte("3"), r.Revision) }, nil},
		{"update of an old revision", func() error { r, _ := watched.Get("a"); return watched.Update(ctx, "a", []byte("4"), r.Revision-1) }, ErrChanged},
		{"delete of an old revision", func() error { return watched.Delete(ctx, "b", 1) }, ErrChanged},
		{"delete", func() error { r, _ := watched.Get("b"); return watched.Delete(ctx, "b", r.Revision) }, nil},
		{"create what was deleted", func() error { return watched.Create(ctx, "b", []byte("5")) }, nil},
		{"delete again", func() error { r, _ := watched.Get("b"); return watched.Delete(ctx, "b", r.Revision) }, nil},
		{"another", func() error { return watched.Create(ctx, "c.d", []byte("6")) }, nil},
	} {
		if err := step.do(); !errors.Is(err, step.want) || (err != nil) != (step.want != nil) {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
	}
	want := map[string]string{"a": "3", "c.d": "6"}
	mu.Lock()
	if !maps.Equal(seen, want) {
		t.Errorf("told of %v, want %v", seen, want)
	}
	mu.Unlock()
	if _, there := watched.Get("b"); there {
		t.Error("a deleted row is there")
	}
	s.Close()

	s, _ = newStore(data, key, nil)
	clear(seen)
	s.Table("watched", func(id string, value []byte) { seen[id] = string(value) })
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Close(); !maps.Equal(seen, want) {
		t.Errorf("after a restart: %v, want %v", seen, want)
	}
}

// Many writers of one row: each success is one step, none is lost.
func TestCompareAndSet(t *testing.T) {
	data, key := folders(t)
	_, table := opened(t, data, key, nil)
	if err := table.Create(t.Context(), "n", []byte("0")); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for done := 0; done < 10; {
				r, _ := table.Get("n")
				var n int
				_, _ = fmt.Sscan(string(r.Value), &n)
				err := table.Update(t.Context(), "n", fmt.Append(nil, n+1), r.Revision)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, ErrChanged):
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if r, _ := table.Get("n"); string(r.Value) != "80" {
		t.Errorf("%s, want 80", r.Value)
	}
}

func TestSecrets(t *testing.T) {
	data, key := folders(t)
	open := func() (*Store, *Table) {
		s, _ := newStore(data, key, nil)
		table := s.Secrets("secret", nil)
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s, table
	}
	const word = "a secret that nobody may read"
	s, table := open()
	if err := table.Create(t.Context(), "one", []byte(word)); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // a second one begins with what the first one left
		done, err := s.Rekey(t.Context())
		if err != nil || done.Secrets != 1 {
			t.Fatalf("rekey %d: %+v, %v", round, done, err)
		}
	}
	s.Close()
	_ = filepath.Walk(data, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			if text, _ := os.ReadFile(path); strings.Contains(string(text), word) {
				t.Errorf("%s holds the secret", path)
			}
			if info.Mode().Perm()&0o077 != 0 && !strings.HasPrefix(path, filepath.Join(data, storeFolder)) {
				t.Errorf("%s can be read by others", path)
			}
		}
		return err
	})
	if info, _ := os.Stat(filepath.Join(data, storeFolder)); info.Mode().Perm() != 0o700 {
		t.Errorf("the engine's folder has mode %v", info.Mode())
	}
	if keys, err := readKeys(key); err != nil || len(keys) != 1 {
		t.Errorf("%d master keys, %v", len(keys), err)
	}
	s, table = open()
	if r, ok := table.Get("one"); !ok || string(r.Value) != word {
		t.Errorf("after a restart: %q %v", r.Value, ok)
	}
	s.Close()
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s, _ = newStore(data, key, nil)
	s.Secrets("secret", nil)
	if err := s.Open(t.Context()); !errors.Is(err, ErrNoKey) {
		t.Errorf("under another master key it opens: %v", err)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a master key was made for the secrets of another")
	}
}

func TestMasterKeyPlaces(t *testing.T) {
	data, key := folders(t)
	for _, tc := range []struct{ name, path, problem string }{
		{"below data", filepath.Join(data, "sub", "master.key"), "below the data folder"},
		{"in a folder that cannot be", "/proc/no-such/master.key", "master-key: FILE"},
	} {
		s, _ := newStore(data, tc.path, nil)
		if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), tc.problem) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	link := filepath.Join(filepath.Dir(key), "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	s, _ := newStore(data, filepath.Join(link, "master.key"), nil)
	if err := s.Open(t.Context()); err == nil {
		t.Error("a symbolic link leads below the data folder")
	}
	if err := os.WriteFile(key, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ = newStore(data, key, nil)
	if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "base64") {
		t.Errorf("a broken key: %v", err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key for all to read: %v", err)
	}
}

func TestExportAndImport(t *testing.T) {
	data, key := folders(t)
	s, table := newStore(data, key, nil)
	secrets := s.Secrets("secret", nil)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := errors.Join(table.Put(t.Context(), fmt.Sprint(i), []byte("v")), secrets.Put(t.Context(), fmt.Sprint(i), []byte("s"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Export("short"); err == nil {
		t.Error("a short passphrase is taken")
	}
	text, err := s.Export("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()

	data, key = folders(t)
	s, table = newStore(data, key, nil)
	secrets = s.Secrets("secret", nil)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	if _, err := s.Import(ctx, "wrong horse battery", text, false); !errors.Is(err, ErrExport) {
		t.Errorf("with another passphrase: %v", err)
	}
	changed := append([]byte{}, text...)
	changed[len(changed)/2] ^= 1
	if _, err := s.Import(ctx, "correct horse battery", changed, false); !errors.Is(err, ErrExport) {
		t.Errorf("a changed export: %v", err)
	}
	if err := table.Put(ctx, "7", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Import(ctx, "correct horse battery", text, false); err == nil || done.Written != 0 {
		t.Errorf("over what is there: %+v, %v", done, err)
	}
	if _, there := table.Get("3"); there {
		t.Error("a refused import has written")
	}
	if done, err := s.Import(ctx, "correct horse battery", text, true); err != nil || done.Written != 40 {
		t.Errorf("%+v, %v", done, err)
	}
	if r, _ := secrets.Get("7"); string(r.Value) != "s" {
		t.Errorf("%q", r.Value)
	}
	if done, err := s.Import(ctx, "correct horse battery", text, false); err != nil || done.Written != 0 {
		t.Errorf("once more: %+v, %v", done, err)
	}
}

// The engine inside is as quick as the start of a gateway needs.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	data, key := filepath.Join(dir, "data"), filepath.Join(dir, "key")
	for b.Loop() {
		s, _ := newStore(data, key, nil)
		if err := s.Open(context.Background()); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkPut(b *testing.B) {
	dir := b.TempDir()
	s, table := newStore(filepath.Join(dir, "data"), filepath.Join(dir, "key"), nil)
	if err := s.Open(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if err := table.Put(context.Background(), "a", []byte("value")); err != nil {
			b.Fatal(err)
		}
	}
}
