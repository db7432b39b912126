package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gatehouse"
)

// What export prints is imported, in both of its forms.
func TestReadExport(t *testing.T) {
	const text = "gatehouse state export 1\n{not JSON"
	printed, err := json.Marshal(gatehouse.Sealed{Export: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state.export")
	for written, want := range map[string]string{text: text, string(printed): text, "{broken": "{broken", "": ""} {
		if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readExport(path); err != nil || string(got) != want {
			t.Errorf("%q: %q %v", written, got, err)
		}
	}
	if _, err := readExport(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
}
