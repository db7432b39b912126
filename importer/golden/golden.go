// Package golden holds, in tests of importers, what comes out against files of
// what is wanted.
package golden

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"gatehouse/importer"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted")

// Holds compares a result, its notes included, with a golden file; with -update
// it writes the file.
func Holds(t *testing.T, file string, r importer.Result) {
	t.Helper()
	var b strings.Builder
	b.Write(r.Text)
	b.WriteString("# told:\n")
	for _, n := range r.Notes {
		mark := ""
		if n.Grave {
			mark = "! "
		}
		fmt.Fprintf(&b, "#   %s%s\n", mark, n)
	}
	fmt.Fprintf(&b, "# open: %s\n# closed: %s\n", strings.Join(r.Published, "; "), strings.Join(r.Closed, "; "))
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
