package nginx

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out as what is wanted")

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
			got := string(r.Text) + "# told:\n"
			for _, n := range r.Notes {
				mark := ""
				if n.Grave {
					mark = "! "
				}
				got += "#   " + mark + n.String() + "\n"
			}
			got += fmt.Sprintf("# open: %s\n# closed: %s\n", strings.Join(r.Published, "; "), strings.Join(r.Closed, "; "))
			golden := strings.TrimSuffix(name, ".conf") + ".golden"
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
		})
	}
}
