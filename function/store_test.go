package function

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packed is one entry of an archive.
type packed struct {
	name, content string
	mode          fs.FileMode
}

func archive(t testing.TB, entries ...packed) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Store}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestZip(t *testing.T) {
	s := newStore(filepath.Join(t.TempDir(), "store"))
	folder, hash, err := s.keep(archive(t, packed{"bootstrap", "#!", 0o755}, packed{"lib/a.js", "a", 0o600}, packed{"lib/b.js", "lib/a.js", fs.ModeSymlink | 0o777}, packed{"empty/", "", fs.ModeDir | 0o755}))
	if err != nil || !strings.HasPrefix(hash, "zip-") {
		t.Fatal(hash, err)
	}
	for name, mode := range map[string]fs.FileMode{"bootstrap": 0o755, "lib/a.js": 0o644, "lib/b.js": fs.ModeSymlink, "empty": fs.ModeDir} {
		info, err := os.Lstat(filepath.Join(folder, name))
		if err != nil || info.Mode().Type() != mode.Type() || info.Mode().IsRegular() && info.Mode().Perm()&^0o022 != mode.Perm() {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

// Nothing of an archive comes to lie outside, and nothing is left of one that tries.
func TestZipEscapes(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]packed{
		"..":                 {{"../evil", "x", 0o644}},
		"within":             {{"a/../../evil", "x", 0o644}},
		"absolute":           {{outside + "/evil", "x", 0o644}},
		"backslash":          {{`..\evil`, "x", 0o644}},
		"a link to a folder": {{"link", outside, fs.ModeSymlink | 0o777}, {"link/evil", "x", 0o644}},
		"a link to ..":       {{"link", "../..", fs.ModeSymlink | 0o777}, {"link/evil", "x", 0o644}},
		"a device":           {{"dev", "x", fs.ModeDevice | 0o644}},
		"a pipe":             {{"pipe", "x", fs.ModeNamedPipe | 0o644}},
	} {
		folder := filepath.Join(t.TempDir(), "store")
		s := newStore(folder)
		kept, _, err := s.keep(archive(t, entries...))
		if evil, _ := filepath.Glob(filepath.Join(outside, "*")); len(evil) > 0 {
			t.Fatalf("%s: %v", name, evil)
		}
		if evil, _ := filepath.Glob(filepath.Join(filepath.Dir(folder), "evil")); len(evil) > 0 {
			t.Errorf("%s: %v", name, evil)
		}
		if left, _ := filepath.Glob(filepath.Join(folder, ".new-*")); len(left) > 0 {
			t.Errorf("%s: %v is left", name, left)
		}
		// A link may be replaced by the folder that an entry below it needs.
		if err == nil && !strings.HasPrefix(name, "a link") {
			t.Errorf("%s: taken as %s", name, kept)
		}
	}
}

// A file through a link of its own archive is written over the link.
func TestLinkIsReplaced(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStore(filepath.Join(t.TempDir(), "store"))
	folder, _, err := s.keep(archive(t, packed{"f", outside, fs.ModeSymlink | 0o777}, packed{"f", "yours", 0o644}))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(folder, "f")); string(b) != "yours" {
		t.Errorf("%q", b)
	}
	if b, _ := os.ReadFile(outside); string(b) != "mine" {
		t.Errorf("%q", b)
	}
}

// A few kilobytes cannot become more than they may.
func TestZipBomb(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	left := int64(1 << 20)
	bomb := io.LimitReader(zeros{}, 1<<40)
	if err := file(root, "zeros", bomb, 0o644, &left); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
	if info, _ := root.Stat("zeros"); info.Size() > 1<<20+1 {
		t.Errorf("%d bytes", info.Size())
	}
	many := make([]packed, maxFiles+1)
	for i := range many {
		many[i] = packed{name: "f", mode: 0o644}
	}
	s := newStore(filepath.Join(t.TempDir(), "store"))
	if _, _, err := s.keep(archive(t, many...)); err == nil || !strings.Contains(err.Error(), "files") {
		t.Errorf("%v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A version is what the folder held, whatever becomes of it; layers lie over each
// other.
func TestFolders(t *testing.T) {
	s := newStore(filepath.Join(t.TempDir(), "store"))
	code := t.TempDir()
	put := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(code, "a", "1")
	first, hash, err := s.keep(code)
	if err != nil {
		t.Fatal(err)
	}
	if again, h, _ := s.keep(code); again != first || h != hash {
		t.Errorf("%s, then %s", first, again)
	}
	put(code, "a", "22")
	second, other, err := s.keep(code)
	if err != nil || second == first || other == hash {
		t.Errorf("%s, then %s: %v", first, second, err)
	}
	if b, _ := os.ReadFile(filepath.Join(first, "a")); string(b) != "1" {
		t.Errorf("the first version has become %q", b)
	}
	layer := t.TempDir()
	put(layer, "b", "b")
	third, third2, err := s.keep(layer)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := s.merge([]string{first, third, second}, []string{hash, third2, other})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "22", "b": "b"} {
		if b, _ := os.ReadFile(filepath.Join(merged, name)); string(b) != want {
			t.Errorf("%s: %q", name, b)
		}
	}
	if _, _, err := s.keep("/dev"); err == nil {
		t.Error("devices were copied")
	}
}

func FuzzUnzip(f *testing.F) {
	for _, entries := range [][]packed{{{"a/b", "x", 0o755}}, {{"../a", "x", 0o644}}, {{"l", "/etc", fs.ModeSymlink}, {"l/x", "y", 0o644}}} {
		b, err := os.ReadFile(archive(f, entries...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		parent := t.TempDir()
		if err := os.Mkdir(filepath.Join(parent, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(filepath.Join(parent, "in"))
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		_ = unzip(root, z)
		if all, _ := os.ReadDir(parent); len(all) != 1 {
			t.Errorf("%v beside the folder", all)
		}
	})
}
