// Package test boots the whole gateway, and holds the rules of the house.
package test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "gatehouse/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// room returns the folder at the root that a package of the house stands in:
// "" for the root itself and for packages from elsewhere.
func room(path string) (name string, ours bool) {
	if path == "gatehouse" {
		return "", true
	}
	rest, ok := strings.CutPrefix(path, "gatehouse/")
	if !ok {
		return "", false
	}
	name, _, _ = strings.Cut(rest, "/")
	return name, true
}

// leaves may be imported by every room. A leaf imports only the leaves that
// stand before it.
var leaves = []string{"config", "origin", "exchange", "event", "keeper", "limit", "dial", "balance", "http1", "tunnel", "private", "secrets", "state", "iam"}

// assemblies may import every room.
var assemblies = map[string]bool{"": true, "cmd": true, "test": true, "bench": true, "examples": true}

func leafIndex(name string) int {
	for i, l := range leaves {
		if l == name {
			return i
		}
	}
	return -1
}

func TestArchitectureImports(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := room(p.ImportPath)
		for _, imp := range p.Imports {
			to, ours := room(imp)
			if !ours || to == from && imp != "gatehouse" {
				continue
			}
			if reason := banned(from, to); reason != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, reason)
			}
		}
	}
}

func banned(from, to string) string {
	switch {
	case to == "":
		if from == "cmd" || from == "test" {
			return ""
		}
		return "only cmd and test import the root: a room declares the interface that it needs"
	case to == "cmd" || to == "test" || to == "bench" || to == "examples":
		return "nobody imports programs and tests"
	case assemblies[from]:
		return ""
	case leafIndex(to) < 0:
		return "rooms do not know each other: declare a small interface, and let the root supply it"
	case leafIndex(from) >= 0 && leafIndex(to) > leafIndex(from):
		return "a leaf imports lower leaves only"
	}
	return ""
}

// The README names every room, so that a newcomer finds it.
func TestArchitectureReadmeNamesRooms(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, house, _ := strings.Cut(string(text), "## The house")
	house, _, _ = strings.Cut(house, "\n## ")
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		if !assemblies[name] && !strings.Contains(house, "`"+name+"`") {
			t.Errorf("the README does not name the room %s", name)
		}
	}
}

// The two lowest leaves stay light: everything stands on them.
func TestArchitectureLightLeaves(t *testing.T) {
	allowed := map[string]string{"config": "github.com/goccy/go-yaml", "exchange": "", "keeper": ""}
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		prefix, light := allowed[name]
		if !light {
			continue
		}
		for _, imp := range p.Imports {
			third := strings.Contains(strings.SplitN(imp, "/", 2)[0], ".")
			if third && (prefix == "" || !strings.HasPrefix(imp, prefix)) {
				t.Errorf("%s imports %s: %s stands on the standard library alone (config: and a YAML library)", p.ImportPath, imp, name)
			}
		}
	}
}

func TestArchitectureEveryRoomHasAReadme(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		if name == "" || name == "cmd" || name == "test" || name == "examples" || seen[name] {
			continue
		}
		seen[name] = true
		text, err := os.ReadFile(filepath.Join("..", name, "README.md"))
		if err != nil {
			t.Errorf("room %s has no README.md", name)
		} else if name != "bench" && !strings.Contains(string(text), "reload") {
			t.Errorf("the README of %s does not say what outlives a reload", name)
		}
	}
}

// The README of this room says what each file of scenarios or tests is for, but
// for those that only help others.
func TestArchitectureTestsAreListed(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	helpers := []string{"client_test.go", "gateway_test.go", "keys_test.go", "main_test.go"}
	for _, pattern := range []string{"scenarios/*.txtar", "*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			if !slices.Contains(helpers, name) && !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("test/README.md does not say what %s is for", file)
			}
		}
	}
}

// doc.go draws the chain as path.go builds it: the same filters in the same order.
func TestArchitectureDrawnPath(t *testing.T) {
	path, err := os.ReadFile("../path.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var built []string
	for _, added := range regexp.MustCompile(`\bb\.add\("([a-z]+)"`).FindAllStringSubmatch(string(path), -1) {
		built = append(built, added[1])
	}
	_, drawing, _ := strings.Cut(string(doc), "\tthe chain ")
	drawing, _, found := strings.Cut(drawing, "(")
	drawn := strings.Fields(strings.NewReplacer("//", "", "|", "").Replace(drawing))
	if built = slices.Compact(built); !found || len(built) < 10 || !slices.Equal(built, drawn) {
		t.Errorf("path.go builds %v\ndoc.go draws  %v", built, drawn)
	}
}
