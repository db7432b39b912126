package nginx

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/importer/golden"
)

// TestGolden holds what files are made into. That it passes gatehouse check, and
// that services get the same requests as from nginx, is tested in test.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			r, err := Convert(name, Disk())
			if err != nil {
				t.Fatal(err)
			}
			golden.Holds(t, strings.TrimSuffix(name, ".conf")+".golden", r)
		})
	}
}
