package wal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func texts(t *testing.T, dir string, number uint64) (out []string, torn bool) {
	t.Helper()
	torn, err := Read(dir, number, func(b []byte) error { out = append(out, string(b)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out, torn
}

func TestLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Append([]byte("a"), []byte("b")), l.Append([]byte("c"))); err != nil {
		t.Fatal(err)
	}
	l.Next()
	if err := errors.Join(l.Append([]byte("d")), l.Close()); err != nil {
		t.Fatal(err)
	}
	if got, torn := texts(t, dir, 1); !slices.Equal(got, []string{"a", "b", "c"}) || torn {
		t.Errorf("%v %v", got, torn)
	}
	again, err := New(dir)
	if err != nil || again.Number() != 3 {
		t.Fatalf("%v %v: what is there is not written again", again, err)
	}
	if err := Forget(dir, 2); err != nil {
		t.Fatal(err)
	}
	if got, err := Segments(dir); err != nil || !slices.Equal(got, []uint64{2}) {
		t.Errorf("%v %v", got, err)
	}
	if Bytes(dir) != 9 {
		t.Errorf("%d bytes", Bytes(dir))
	}
}

// Whatever a file holds, what is read of it are whole records, and what follows one
// that is not whole is not read.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	l, _ := New(dir)
	_ = l.Append([]byte("hello"), []byte("world"), bytes.Repeat([]byte("x"), 300))
	_ = l.Close()
	whole, err := os.ReadFile(path(dir, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:20])
	f.Add([]byte{0xff, 0xff, 0xff, 0x03, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		torn, err := read(bytes.NewReader(data), func(b []byte) error {
			again = append(again, data[len(again):len(again)+header]...)
			again = append(again, b...)
			return nil
		})
		if err != nil || !bytes.HasPrefix(data, again) || torn != (len(again) < len(data)) {
			t.Fatalf("%v, %v, %d of %d bytes", torn, err, len(again), len(data))
		}
	})
}
