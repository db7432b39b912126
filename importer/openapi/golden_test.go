package openapi

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/importer"
	"gatehouse/importer/golden"
)

// TestGolden holds what files are made into. That it passes gatehouse check, and
// that services get the same requests as from nginx, is tested in test.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		for suffix, convert := range map[string]func() (importer.Result, error){
			".golden":        func() (importer.Result, error) { return ConvertFile(name, filepath.Dir(name)) },
			".inline.golden": func() (importer.Result, error) { return ConvertFileInline(name) },
		} {
			t.Run(filepath.Base(name)+suffix, func(t *testing.T) {
				r, err := convert()
				if err != nil {
					t.Fatal(err)
				}
				golden.Holds(t, name+suffix, r)
			})
		}
	}
}
