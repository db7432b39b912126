package test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"gatehouse"
	"gatehouse/config"
)

// FuzzConfig holds that no text makes the gateway's own loading panic, that
// whatever is wrong says where it is, and that what is good can be listed and
// compared, and is read the same way twice.
func FuzzConfig(f *testing.F) {
	for _, example := range configSeeds(f) {
		f.Add([]byte(example))
	}
	file := filepath.Join(f.TempDir(), "gatehouse.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg, err := gatehouse.LoadText(file, text)
		if cfg == nil {
			t.Fatal("no configuration, not even a broken one")
		}
		if err != nil {
			var all *config.Errors
			if !errors.As(err, &all) || len(all.Problems()) == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			for _, p := range all.Problems() {
				if p.Pos.File == "" || p.Message == "" {
					t.Fatalf("a problem of nowhere: %+v", p)
				}
			}
			return
		}
		again, err := gatehouse.LoadText(file, text)
		if err != nil {
			t.Fatalf("the second time: %v", err)
		}
		routes := cfg.Routes()
		if changes := gatehouse.Plan(routes, again.Routes()); len(changes) > 0 {
			t.Fatalf("twice the same, and yet %+v", changes)
		}
		for _, r := range routes {
			if r.API == "" || r.Route == "" || r.Authorize == "" || r.Target == "" || r.At == "" {
				t.Fatalf("a route that does not say all: %+v", r)
			}
		}
	})
}

// configSeeds are the configurations of READMEs, example and scenarios.
func configSeeds(f *testing.F) []string {
	f.Helper()
	var seeds []string
	for _, examples := range readmeExamples(f) {
		seeds = append(seeds, examples...)
	}
	shop, err := os.ReadFile("../examples/shop/gatehouse.yaml")
	if err != nil {
		f.Fatal(err)
	}
	seeds = append(seeds, string(shop))
	scenarios, err := filepath.Glob("scenarios/*.txtar")
	if err != nil || len(scenarios) == 0 {
		f.Fatalf("no scenarios: %v", err)
	}
	for _, name := range scenarios {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "gatehouse.yaml" {
				seeds = append(seeds, string(part.Data))
			}
		}
	}
	return seeds
}
