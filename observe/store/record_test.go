package store

import (
	"testing"
)

// Whatever a record holds, reading it ends well and gives nothing that is not there.
func FuzzRecord(f *testing.F) {
	s := New(Options{Dir: f.TempDir()})
	if err := s.Open(); err != nil {
		f.Fatal(err)
	}
	add(f, s, began, Counter, map[string]float64{"a": 1, "b": 2.5})
	f.Add(s.definitions()[1:], true)
	f.Add(encodeSamples(began, []sample{{&series{id: 3}, 1.5}, {&series{id: 9}, 2}})[1:], false)
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}, true)
	f.Fuzz(func(t *testing.T, data []byte, definitions bool) {
		n := 0
		if definitions {
			_ = readDefinitions(data, func(d definition) { n++ })
		} else {
			_ = readSamples(data, func(int64) error { return nil }, func(_, _ uint64) { n++ })
		}
		if n > len(data) {
			t.Fatalf("%d of %d bytes", n, len(data))
		}
	})
}
