package private_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/private"
)

func TestWritesWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := private.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "key.pem")
	if _, err := private.Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	if err := private.Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := private.Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	if err := private.Replace(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if text, err := private.Read(path); err != nil || string(text) != "three" {
		t.Errorf("%q %v", text, err)
	}
	for name, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestRefusesWhatOthersCanReach(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, says := range map[fs.FileMode]string{0o644: "chmod 600", 0o640: "chmod 600", 0o600: ""} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := private.Read(path); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%o: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := private.Prepare(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a folder that others may write to: %v", err)
	}
}

func TestSweepsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{".new-old": 2 * time.Hour, ".new-now": 0, "kept.pem": 1000 * time.Hour} {
		path, at := filepath.Join(dir, name), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := private.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{".new-old": false, ".new-now": true, "kept.pem": true} {
		if private.Exists(filepath.Join(dir, name)) != there {
			t.Errorf("%s: there %v, want %v", name, !there, there)
		}
	}
}
