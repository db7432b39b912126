package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFileIsMade(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "new", "folder", "access.log")
	f := open(t, path)
	f.Append([]byte("one\n"))
	f.Close()
	if got := content(t, path); got != "one\n" {
		t.Errorf("%q", got)
	}
	for p, want := range map[string]os.FileMode{path: 0o640, filepath.Dir(path): 0o750} {
		info, _ := os.Stat(p)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", p, got, want)
		}
	}
	f = open(t, path)
	f.Append([]byte("two\n"))
	f.Close()
	if got := content(t, path); got != "one\ntwo\n" {
		t.Errorf("not appended: %q", got)
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, nil, quiet()); err == nil {
		t.Error("a folder was opened")
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pipe, nil, quiet()); err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := Open(filepath.Join(pipe, "x"), nil, quiet()); err == nil {
		t.Error("a file below a pipe was opened")
	}
}

// Nothing that was appended is lost when the log is closed, from however many
// goroutines it came.
func TestCloseLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := open(t, path)
	const writers, each = 4, 3000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				f.Append(fmt.Appendf(nil, "%d %d %s\n", w, i, strings.Repeat("x", 100)))
			}
		})
	}
	wg.Wait()
	f.Close()
	c := f.Counts()
	lines := strings.Split(strings.TrimSuffix(content(t, path), "\n"), "\n")
	if len(lines) != writers*each || c.Dropped != 0 || c.Appended != writers*each {
		t.Errorf("%d lines, %+v", len(lines), c)
	}
	next := [writers]int{}
	for _, l := range lines {
		var w, i int
		if _, err := fmt.Sscanf(l, "%d %d ", &w, &i); err != nil || next[w] != i {
			t.Fatalf("line %q out of its order", l)
		}
		next[w]++
	}
}

// A request that ends after the log was retired has its line written still.
func TestLateLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := open(t, path)
	f.Append([]byte("early\n"))
	f.Close()
	f.Append([]byte("late\n"))
	if got := content(t, path); got != "early\nlate\n" {
		t.Errorf("%q", got)
	}
	if err := f.Reopen(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reopen after close: %v", err)
	}
	var out bytes.Buffer
	f, _ = Open(Stdout, &out, quiet())
	f.Append([]byte("early\n"))
	f.Close()
	f.Append([]byte("late\n"))
	if out.String() != "early\nlate\n" {
		t.Errorf("%q", out.String())
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := open(t, path)
	all := ""
	for i := range 3 {
		f.Append(fmt.Appendf(nil, "%d\n", i))
		if err := os.Rename(path, fmt.Sprint(path, ".", i)); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
		old := fmt.Sprint(path, ".", i)
		before := content(t, old)
		f.Append([]byte("after\n"))
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, old); got != before {
			t.Errorf("the old file is still written: %q, then %q", before, got)
		}
		all += before
	}
	f.Close()
	if all += content(t, path); all != "0\nafter\n1\nafter\n2\nafter\n" {
		t.Errorf("%q", all)
	}
}

// While the path cannot be opened, the old file is written on.
func TestReopenFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := open(t, path)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil {
		t.Error("no error")
	}
	f.Append([]byte("kept\n"))
	f.Close()
	if got := content(t, path+".1"); got != "kept\n" {
		t.Errorf("%q", got)
	}
}

// device is a destination whose writes fail or wait as told.
type device struct {
	mu    sync.Mutex
	b     bytes.Buffer
	room  int // bytes that still fit; -1 for no end
	gate  chan struct{}
	times []time.Time
}

func (d *device) Write(p []byte) (int, error) {
	if d.gate != nil {
		<-d.gate
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times = append(d.times, time.Now())
	n := len(p)
	if d.room >= 0 {
		n = min(n, d.room)
		d.room -= n
	}
	d.b.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *device) set(room int) {
	d.mu.Lock()
	d.room = room
	d.mu.Unlock()
}

func (d *device) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.String()
}

func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{room: -1}
		f, _ := Open(Stdout, d, quiet())
		start := time.Now()
		for i := range 10 {
			f.Append(fmt.Appendf(nil, "%d\n", i))
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(d.times) != 1 || d.times[0].Sub(start) != flushDelay {
			t.Errorf("writes at %v, want one after %v", d.times, flushDelay)
		}
		f.Append(make([]byte, flushSize))
		synctest.Wait()
		if len(d.times) != 2 {
			t.Error("a full buffer waited")
		}
		f.Close()
	})
}

// A full disk costs no line as long as the buffer holds, and the line that it
// cut in two is completed.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		d := &device{room: 7}
		f, _ := Open(Stdout, d, slog.New(slog.NewTextHandler(&logged, nil)))
		var want strings.Builder
		for i := range 300 {
			line := fmt.Sprintf("line %d\n", i)
			want.WriteString(line)
			f.Append([]byte(line))
			time.Sleep(time.Second)
		}
		if d.text() != "line 0\n" {
			t.Errorf("%q", d.text())
		}
		d.set(25)
		time.Sleep(3 * time.Second)
		d.set(-1)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if d.text() != want.String() {
			t.Errorf("%q", d.text())
		}
		c := f.Counts()
		if c.Dropped != 0 || c.WriteErrors < 100 {
			t.Errorf("%+v", c)
		}
		if n := strings.Count(logged.String(), "cannot be written"); n < 5 || n > 7 {
			t.Errorf("told %d times in five minutes:\n%s", n, logged.String())
		}
		if n := strings.Count(logged.String(), "written again"); n < 1 || n > 2 {
			t.Error(logged.String())
		}
		f.Close()
	})
}

// While a write hangs, requests go on: what does not fit is dropped and
// counted, and at the end every line is accounted for.
func TestDrops(t *testing.T) {
	d := &device{room: -1, gate: make(chan struct{})}
	var logged bytes.Buffer
	f, _ := Open(Stdout, d, slog.New(slog.NewTextHandler(&logged, nil)))
	line := append(bytes.Repeat([]byte("x"), 999), '\n')
	n := 3 * maxBuffer / len(line)
	for range n {
		f.Append(line)
	}
	close(d.gate)
	f.Close()
	c := f.Counts()
	written := uint64(strings.Count(d.text(), "\n"))
	if c.Dropped == 0 || written+c.Dropped != uint64(n) || written != c.Appended {
		t.Errorf("%d appended, %d written, %+v", n, written, c)
	}
	if strings.Count(logged.String(), "are dropped") != 1 {
		t.Errorf("it says %q", &logged)
	}
}

// A reader that never reads does not keep the gateway from ending.
func TestCloseDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{room: -1, gate: make(chan struct{})}
		f, _ := Open(Stdout, d, quiet())
		f.Append([]byte("line\n"))
		start := time.Now()
		f.Close()
		if waited := time.Since(start); waited != patience {
			t.Errorf("waited for %v", waited)
		}
		close(d.gate)
		synctest.Wait()
		if !f.Closed() || d.text() != "line\n" {
			t.Errorf("%q", d.text())
		}
	})
}

// Whoever asks for the path to be opened anew does not wait for ever either.
func TestReopenDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{room: -1, gate: make(chan struct{})}
		f, _ := Open(Stdout, d, quiet())
		f.Append([]byte("line\n"))
		for range 2 { // while lines gather, and while the write hangs
			if err := f.Reopen(); err == nil || !strings.Contains(err.Error(), "hangs") {
				t.Errorf("%v", err)
			}
		}
		close(d.gate)
		if err := f.Reopen(); err != nil {
			t.Error(err)
		}
		f.Close()
	})
}

// A line that another process was cut off in stays alone.
func TestEndsCutLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for _, before := range []string{"", "whole\n", "who"} {
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		f.Append([]byte("next\n"))
		f.Close()
		if got := content(t, path); got != strings.TrimSuffix(before, "\n")+strings.Repeat("\n", min(1, len(before)))+"next\n" {
			t.Errorf("after %q: %q", before, got)
		}
	}
}

func TestLostAtTheEnd(t *testing.T) {
	d := &device{room: 0}
	var logged bytes.Buffer
	f, _ := Open(Stdout, d, slog.New(slog.NewTextHandler(&logged, nil)))
	for range 5 {
		f.Append([]byte("line\n"))
	}
	f.Close()
	if c := f.Counts(); c.Dropped != 5 {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(logged.String(), "lines=5") {
		t.Errorf("it says %q", &logged)
	}
}

func TestAppendWithoutAllocation(t *testing.T) {
	f, _ := Open(Stdout, io.Discard, quiet())
	defer f.Close()
	line := append(bytes.Repeat([]byte("x"), 399), '\n')
	for range 2000 {
		f.Append(line)
	}
	if n := testing.AllocsPerRun(1000, func() { f.Append(line) }); n > 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	f, _ := Open(Stdout, io.Discard, quiet())
	defer f.Close()
	line := append(bytes.Repeat([]byte("x"), 499), '\n')
	b.ReportAllocs()
	for b.Loop() {
		f.Append(line)
	}
}
