package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each file of testdata/errors is a configuration with mistakes; the golden
// file beside it is what its author is told.
func TestGoldenErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := config.Load(file, new(gateway), config.Options{
				IncludeKeys: []string{"apis", "services"},
				LookupEnv:   env("SECRET", "hunter22", "PORT", "seventy", "NET", "10.0.0.300"),
			})
			if err == nil {
				t.Fatal("no error")
			}
			got := []byte(err.Error() + "\n")
			if bytes.Contains(got, []byte("hunter2")) {
				t.Errorf("a secret is told:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
