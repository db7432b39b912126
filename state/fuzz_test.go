package state

import (
	"testing"
)

// FuzzEntries: whatever stands in an export, what is read of it are rows.
func FuzzEntries(f *testing.F) {
	f.Add([]byte(`[{"key":"rows.a","value":"dg=="}]`))
	f.Add([]byte(`[{"key":"rows..a","value":"dg=="},{"key":"a.>","value":"dg=="}]`))
	f.Add([]byte(`[{"key":".","value":""}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := readEntries(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if !validKey(e.Key) || len(e.Value) == 0 {
				t.Errorf("%q", e.Key)
			}
		}
	})
}

// FuzzCopy: a copy without the right code is never believed.
func FuzzCopy(f *testing.F) {
	ring := &Keyring{keys: []masterKey{newMasterKey()}}
	s := &Store{ring: ring}
	f.Add([]byte("AAAA\n[]"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if entries, err := s.verifyCopy(text); err == nil {
			t.Errorf("believed: %v", entries)
		}
	})
}
