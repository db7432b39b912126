package test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse"
	"gatehouse/importer"
	"gatehouse/importer/kong"
	"gatehouse/importer/nginx"
	"gatehouse/importer/openapi"
	"gatehouse/importer/value"
)

// converters are the imports, by the folder of their golden files.
var converters = map[string][]func(file string) (importer.Result, error){
	"kong": {kong.ConvertFile},
	"openapi": {openapi.ConvertFileInline, func(file string) (importer.Result, error) {
		return openapi.ConvertFile(file, ".")
	}},
	"nginx": {func(file string) (importer.Result, error) { return nginx.Convert(file, nginx.Disk()) }},
}

// TestImportsPassCheck: what an import makes is a configuration without errors,
// and every route in it says who may call.
func TestImportsPassCheck(t *testing.T) {
	for kind, all := range converters {
		files, err := filepath.Glob("../importer/" + kind + "/testdata/golden/*")
		if err != nil {
			t.Fatal(err)
		}
		inputs := 0
		for _, file := range files {
			if strings.HasSuffix(file, ".golden") {
				continue
			}
			inputs++
			for i, convert := range all {
				t.Run(fmt.Sprint(kind, "/", filepath.Base(file), "/", i), func(t *testing.T) {
					r, err := convert(file)
					if err != nil {
						t.Fatal(err)
					}
					if strings.Contains(file, ".inline.") && strings.Contains(string(r.Text), "definition:") {
						t.Skip("what is in it can be no route: as a definition it needs a hand")
					}
					passes(t, r)
				})
			}
		}
		if inputs == 0 {
			t.Errorf("%s: no golden files", kind)
		}
	}
}

func passes(t *testing.T, r importer.Result) {
	t.Helper()
	cfg, err := gatehouse.LoadText("gatehouse.yaml", r.Text)
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, r.Text)
	}
	open := 0
	for _, route := range cfg.Routes() {
		if route.Authorize == "none" && !strings.HasPrefix(route.Target, "mock") && !strings.HasPrefix(route.Target, "redirect") {
			open++
		}
	}
	if open > len(r.Published) {
		t.Errorf("%d routes are open, and only these are told: %q\n%s", open, r.Published, r.Text)
	}
}

// addFiles makes files the seeds of a fuzz target.
func addFiles(f *testing.F, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds: ", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
}

// FuzzImportNginx: whatever is read as a configuration of nginx is made into one
// of Gatehouse without errors.
func FuzzImportNginx(f *testing.F) {
	addFiles(f, "../importer/nginx/testdata/golden/*.conf")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := nginx.Convert("/c/nginx.conf", nginx.Files{
			Read: func(name string) ([]byte, error) {
				if name != "/c/nginx.conf" {
					return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
				}
				return []byte(text), nil
			},
			Glob: func(string) ([]string, error) { return nil, nil },
		})
		if err == nil {
			passes(t, r)
		}
	})
}

// FuzzImportKong: the same of Kong's declarative configuration.
func FuzzImportKong(f *testing.F) {
	addFiles(f, "../importer/kong/testdata/golden/*")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := kong.Convert("kong.yaml", []byte(text)); err == nil {
			passes(t, r)
		}
	})
}

// FuzzImportOpenAPI: the same of a document whose operations become routes.
func FuzzImportOpenAPI(f *testing.F) {
	addFiles(f, "../importer/openapi/testdata/golden/*")
	f.Fuzz(func(t *testing.T, text string) {
		root, err := value.Read("openapi.yaml", []byte(text))
		if err != nil {
			return
		}
		if r, err := openapi.ConvertInline("openapi.yaml", root); err == nil {
			passes(t, r)
		}
	})
}
