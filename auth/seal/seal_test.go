package seal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSeal(t *testing.T) {
	folder := t.TempDir()
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	sealed := r.Seal("session", []byte("secret"))
	if plain, ok := r.Open("session", sealed); !ok || string(plain) != "secret" {
		t.Errorf("%q %v", plain, ok)
	}
	if strings.Contains(sealed, "secret") || sealed == r.Seal("session", []byte("secret")) {
		t.Error("not sealed")
	}
	if _, ok := r.Open("login", sealed); ok {
		t.Error("opened for another purpose")
	}
	for i := range len(sealed) {
		changed := []byte(sealed)
		changed[i] ^= 1
		if _, ok := r.Open("session", string(changed)); ok {
			t.Errorf("opened with byte %d changed", i)
		}
	}
	again, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Open("session", sealed); !ok {
		t.Error("not opened after a restart")
	}
	if other, _ := Open(t.TempDir()); other != nil {
		if _, ok := other.Open("session", sealed); ok {
			t.Error("opened elsewhere")
		}
	}
}

func TestTurn(t *testing.T) {
	folder := t.TempDir()
	r, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	sealed := r.Seal("a", []byte("x"))
	old := (*r.keys.Load())[0].ID
	(*r.keys.Load())[0].Made = time.Now().Add(-seals)
	later := r.current(time.Now().Add(time.Second))
	if later.ID == old || len(*r.keys.Load()) != 2 {
		t.Errorf("no new key: %d", len(*r.keys.Load()))
	}
	if _, ok := r.Open("a", sealed); !ok {
		t.Error("the old key does not open any more")
	}
	(*r.keys.Load())[1].Made = time.Now().Add(-opens)
	if _, ok := r.Open("a", sealed); ok {
		t.Error("too old a key opens")
	}
	if info, _ := os.Stat(filepath.Join(folder, File)); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	_ = os.Chmod(filepath.Join(folder, File), 0o644)
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	_ = os.WriteFile(filepath.Join(folder, File), []byte("[]"), 0o600)
	_ = os.Chmod(filepath.Join(folder, File), 0o600)
	if _, err := Open(folder); err == nil {
		t.Error("no keys are keys")
	}
}
