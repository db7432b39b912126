package accesslog

import (
	"os"
	"path/filepath"
	"strings"
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

// pieces notes what is written to it in one piece each.
type pieces struct{ all []string }

func (p *pieces) Write(b []byte) (int, error) {
	p.all = append(p.all, string(b))
	return len(b), nil
}

// What goes to a pipe goes in whole lines that the pipe takes in one piece.
func TestPipesGetWholeLines(t *testing.T) {
	long := strings.Repeat("x", pipeSize+10)
	lines := strings.Repeat("a line\n", 1000) + long + "\n" + strings.Repeat("another line\n", 500)
	p := &pieces{}
	s := &sink{path: Stdout, log: quiet(), out: p, most: pipeSize}
	s.write([]byte(lines))
	if got := strings.Join(p.all, ""); got != lines {
		t.Fatalf("%d bytes came of %d", len(got), len(lines))
	}
	for _, piece := range p.all {
		if !strings.HasSuffix(piece, "\n") || len(piece) > pipeSize && !strings.HasSuffix(piece, long+"\n") {
			t.Errorf("a piece of %d bytes ends in %q", len(piece), piece[len(piece)-1:])
		}
	}
}

func TestAtomicSize(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if a, b, c := atomicSize(file), atomicSize(write), atomicSize(&pieces{}); a != 0 || b != pipeSize || c != 0 {
		t.Errorf("file %d, pipe %d, writer %d", a, b, c)
	}
}

// A log that another process writes to is not given a line break of ours.
func TestJoin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte("half a li"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Join(path, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	f.Append([]byte("ne\n"))
	f.Close()
	if got := content(t, path); got != "half a line\n" {
		t.Errorf("%q", got)
	}
}
