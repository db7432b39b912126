package block

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func meta() Meta { return Meta{Step: 60_000, Min: 1_200_000, Max: 2_400_000} }

func filledBlock(t testing.TB, dir string, n int) *Block {
	t.Helper()
	w, err := Create(dir, meta())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		chunks := []Chunk{{Min: 1_200_000, Max: 1_300_000, Data: fmt.Appendf(nil, "first of %d", i)}}
		if i%3 == 0 {
			chunks = append(chunks, Chunk{Min: 1_300_001, Max: 2_000_000, Data: []byte("second")})
		}
		if err := w.Add(uint64(10+i*7), chunks); err != nil {
			t.Fatal(err)
		}
	}
	b, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFinds(t *testing.T) {
	for _, n := range []int{0, 1, 2, pageOf - 1, pageOf, pageOf + 1, 1000} {
		b := filledBlock(t, t.TempDir(), n)
		if b.Meta != meta() || b.Count() != n {
			t.Errorf("%+v", b)
		}
		for id := range uint64(n*7 + 20) {
			chunks, err := b.Series(id)
			i := (int(id) - 10) / 7
			if there := id >= 10 && (id-10)%7 == 0 && i < n; err != nil || there != (len(chunks) > 0) {
				t.Fatalf("%d series: %d is %v, %v", n, id, chunks, err)
			} else if there && (string(chunks[0].Data) != fmt.Sprintf("first of %d", i) || len(chunks) == 2 != (i%3 == 0)) {
				t.Fatalf("%d is %v", id, chunks)
			}
		}
		seen := 0
		err := b.Each(func(id uint64, chunks []Chunk) error {
			if id != uint64(10+7*seen) || string(chunks[0].Data) != fmt.Sprintf("first of %d", seen) {
				t.Fatalf("%d: %d %v", seen, id, chunks)
			}
			seen++
			return nil
		})
		if err != nil || seen != n {
			t.Errorf("%d of %d, %v", seen, n, err)
		}
		b.Release()
	}
}

// A block that is removed while somebody reads it stays readable until then; one
// whose name another has by now is left alone.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	b := filledBlock(t, dir, 3)
	b.Acquire()
	other := filledBlock(t, dir, 4) // in its place
	if err := b.Remove(); err != nil {
		t.Fatal(err)
	}
	if chunks, err := b.Series(10); err != nil || len(chunks) == 0 {
		t.Error(chunks, err)
	}
	b.Release()
	if _, err := os.Stat(other.Path()); err != nil {
		t.Error(err)
	}
	if err := other.Remove(); err != nil {
		t.Fatal(err)
	}
	if paths, err := List(dir); err != nil || len(paths) != 0 {
		t.Error(paths, err)
	}
}

func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, meta())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add(2, nil), w.out.Flush()); err != nil {
		t.Fatal(err)
	}
	if w.Add(2, nil) == nil || w.Add(1, nil) == nil {
		t.Error("series out of order")
	}
	if paths, err := List(dir); err != nil || len(paths) != 0 {
		t.Error(paths, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Error(left)
	}
}

// Whatever a file holds, opening and reading it ends well.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	b := filledBlock(f, dir, 5)
	whole, err := os.ReadFile(b.Path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, 0, byte(0))
	f.Add(whole, len(whole)-30, byte(1))
	f.Add(whole, 12, byte(7))
	f.Fuzz(func(t *testing.T, data []byte, at int, flip byte) {
		if at >= 0 && at < len(data) {
			data = append([]byte(nil), data...)
			data[at] ^= flip
		}
		path := filepath.Join(t.TempDir(), "x"+suffix)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(path)
		if err != nil {
			return
		}
		defer b.Release()
		for id := range uint64(50) {
			if _, err := b.Series(id); err != nil && !errors.Is(err, ErrBroken) {
				t.Fatal(err)
			}
		}
		if err := b.Each(func(uint64, []Chunk) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzChunks(f *testing.F) {
	f.Add(appendChunks(nil, []Chunk{{1, 2, []byte("ab")}, {3, 9, []byte("cdef")}}))
	f.Add([]byte{0xff, 0xff, 0x03, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		chunks, err := decodeChunks(data)
		if err != nil {
			return
		}
		again, err := decodeChunks(appendChunks(nil, chunks))
		if err != nil || len(again) != len(chunks) {
			t.Fatal(again, err)
		}
	})
}
