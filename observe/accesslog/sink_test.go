package accesslog

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that is renamed without telling us is followed by itself.
func TestFollowsRename(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	s := &sink{path: path, log: quiet()}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.write([]byte("old\n"))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.checked = time.Time{}
	s.write([]byte("new\n"))
	if got := content(t, path+".1") + content(t, path); got != "old\nnew\n" {
		t.Errorf("%q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.checked = time.Time{}
	s.write([]byte("newer\n"))
	if got := content(t, path); got != "newer\n" {
		t.Errorf("%q", got)
	}
}

// The new file begins with a whole line.
func TestCutLineIsGivenUpWithItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	s := &sink{path: path, log: quiet()}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.out = &device{room: 5}
	s.write([]byte("first\nsecond\n"))
	if !s.waits() {
		t.Fatal("nothing is left over")
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.checked = time.Time{}
	s.retry()
	if got := content(t, path); got != "second\n" || s.lost.Load() != 1 {
		t.Errorf("%q, %d lost", got, s.lost.Load())
	}
}
