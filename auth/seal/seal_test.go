package seal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/secrets"
)

func TestSeal(t *testing.T) {
	folder := t.TempDir()
	r, err := Open(secrets.NewFiles(folder))
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
	again, err := Open(secrets.NewFiles(folder))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Open("session", sealed); !ok {
		t.Error("not opened after a restart")
	}
	if other, _ := Open(secrets.NewFiles(t.TempDir())); other != nil {
		if _, ok := other.Open("session", sealed); ok {
			t.Error("opened elsewhere")
		}
	}
}

func TestTurn(t *testing.T) {
	folder := t.TempDir()
	r, err := Open(secrets.NewFiles(folder))
	if err != nil {
		t.Fatal(err)
	}
	sealed := r.Seal("a", []byte("x"))
	old := r.Current(time.Now()).Value.ID
	due := time.Now().Add(seals - ahead)
	for range 2 { // a second one finds it done
		if _, err := r.Turn(due.Add(time.Minute)); err != nil || len(r.All()) != 2 {
			t.Fatalf("no new key: %d, %v", len(r.All()), err)
		}
	}
	if now := r.Current(due.Add(2 * time.Minute)).Value.ID; now != old {
		t.Error("the new key seals before its turn")
	}
	if now := r.Current(due.Add(ahead + 2*time.Minute)).Value.ID; now == old {
		t.Error("the old key still seals")
	}
	if _, ok := r.Open("a", sealed); !ok {
		t.Error("the old key does not open any more")
	}
	if err := r.Force(time.Now(), true); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Open("a", sealed); ok || len(r.All()) != 1 {
		t.Error("a forgotten key opens")
	}
	if info, _ := os.Stat(filepath.Join(folder, File)); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	_ = os.Chmod(filepath.Join(folder, File), 0o644)
	if _, err := Open(secrets.NewFiles(folder)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	_ = os.WriteFile(filepath.Join(folder, File), []byte("[]"), 0o600)
	_ = os.Chmod(filepath.Join(folder, File), 0o600)
	if _, err := Open(secrets.NewFiles(folder)); err == nil {
		t.Error("no keys are keys")
	}
}
