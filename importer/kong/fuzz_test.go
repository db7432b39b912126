package kong

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzConvert: whatever a file holds, reading it ends, and what it is made into
// passes what test/import_test.go asks of it.
func FuzzConvert(f *testing.F) {
	golden, err := filepath.Glob("testdata/golden/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range golden {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if !strings.HasSuffix(name, ".golden") {
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Convert("kong.yaml", []byte(text))
		if err == nil && len(r.Text) == 0 {
			t.Error("nothing came of it, and no error")
		}
	})
}
