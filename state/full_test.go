package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk: what was acknowledged stays and is read on, writes say no, and
// come back with the room.
func TestFullDisk(t *testing.T) {
	data, key := folders(t)
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a disk to fill needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(data, syscall.MNT_DETACH) })
	s, table := newStore(data, key, nil)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(data, "filler")
	if err := os.WriteFile(filler, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var stored []string
	var refused error
	value := bytes.Repeat([]byte("v"), 60<<10)
	for i := range 200 {
		id := fmt.Sprint(i)
		if refused = table.Create(t.Context(), id, value); refused != nil {
			break
		}
		stored = append(stored, id)
	}
	if !errors.Is(refused, ErrUnsure) && !errors.Is(refused, ErrAway) || len(stored) == 0 {
		t.Fatalf("%d rows went into 2 MiB: %v", len(stored), refused)
	}
	for _, id := range stored {
		if _, ok := table.Get(id); !ok {
			t.Fatalf("row %s is forgotten while the disk is full", id)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a write once there is room", func() bool { return table.Put(t.Context(), "small", []byte("1")) == nil })
	s.Close()
	s, table = newStore(data, key, nil)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, id := range append(stored, "small") {
		if _, ok := table.Get(id); !ok {
			t.Errorf("row %s was acknowledged and is lost", id)
		}
	}
}
