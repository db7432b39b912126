package openapi

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/importer"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted")

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
				holds(t, name+suffix, r)
			})
		}
	}
}

// holds compares a result with a golden file.
func holds(t *testing.T, golden string, r importer.Result) {
	t.Helper()
	got := string(r.Text) + "# told:\n"
	for _, n := range r.Notes {
		mark := ""
		if n.Grave {
			mark = "! "
		}
		got += "#   " + mark + n.String() + "\n"
	}
	got += fmt.Sprintf("# open: %s\n# closed: %s\n", strings.Join(r.Published, "; "), strings.Join(r.Closed, "; "))
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
