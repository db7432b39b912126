package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestExternal: the engine elsewhere is down at the start, comes, goes, and comes
// again as another one; two gateways share it.
func TestExternal(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	data, key := folders(t)
	data2, _ := folders(t)
	port := freePort(t)
	c := func() *Config { return &Config{NATS: []string{fmt.Sprintf("nats://127.0.0.1:%d", port)}} }
	store := t.TempDir()
	ctx := t.Context()

	s, table := opened(t, data, key, c())
	if s.Loaded() {
		t.Error("nothing is known, and yet loaded")
	}
	if err := table.Put(ctx, "a", []byte("1")); !errors.Is(err, ErrAway) {
		t.Errorf("a write while it is away: %v", err)
	}
	nats := external(t, store, port)
	eventually(t, "a write once it is there", func() bool { return table.Create(ctx, "a", []byte("1")) == nil })
	_, other := opened(t, data2, key, c())
	if r, ok := other.Get("a"); !ok || string(r.Value) != "1" {
		t.Errorf("the other gateway knows %q, %v", r.Value, ok)
	}
	if err := other.Put(ctx, "b", []byte("2")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other's row", func() bool { r, ok := table.Get("b"); return ok && string(r.Value) == "2" })
	r, _ := other.Get("b")
	if err := other.Delete(ctx, "b", r.Revision); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other's deletion", func() bool { _, ok := table.Get("b"); return !ok })

	now, open := s.Stats()
	if !open || !now.Up || now.Written == 0 || now.Failed == 0 || now.Rows != 1 || now.Bytes == 0 || time.Since(now.Known) > time.Minute {
		t.Errorf("%+v %v", now, open)
	}
	eventually(t, "the copy has everything", func() bool {
		now, _ := s.Stats()
		return !now.Copied.IsZero() && now.Copied.Equal(now.Known)
	})
	_ = nats.Process.Kill()
	_ = nats.Wait()
	eventually(t, "writes are refused", func() bool { return errors.Is(table.Put(ctx, "c", []byte("3")), ErrAway) })
	if _, ok := table.Get("a"); !ok {
		t.Error("what was known is forgotten while it is away")
	}
	s.Close()

	// A start while it is away goes by the copy.
	s, table = opened(t, data, key, c())
	if now, _ := s.Stats(); now.Up || now.Known.IsZero() || now.Copied.IsZero() || now.Rows != 1 {
		t.Errorf("by the copy: %+v", now)
	}
	if r, ok := table.Get("a"); !ok || string(r.Value) != "1" || !s.Loaded() {
		t.Errorf("by the copy: %q %v", r.Value, ok)
	}
	external(t, store, port)
	eventually(t, "a write after its return", func() bool { return table.Put(ctx, "a", []byte("4")) == nil })
	eventually(t, "and it is heard", func() bool { r, _ := other.Get("a"); return string(r.Value) == "4" })
	s.Close()

	// A copy that somebody has changed is not believed.
	path := filepath.Join(data, copyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-3] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c2 := &Config{NATS: []string{fmt.Sprintf("nats://127.0.0.1:%d", freePort(t))}}
	if s, _ := opened(t, data, key, c2); s.Loaded() {
		t.Error("a changed copy is believed")
	}
}
