// Package test boots the whole gateway, and holds the rules of the house.
package test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
var leaves = []string{"config", "exchange", "keeper", "limit", "dial", "balance", "http1"}

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

func TestArchitectureSource(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		for _, file := range p.GoFiles {
			checkFile(t, name, filepath.Join(p.Dir, file))
		}
	}
}

func checkFile(t *testing.T, name, path string) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	product := name != "bench" && name != "examples" && name != "test"
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			t.Errorf("%s: no init(): what a package needs is made by its New", fset.Position(fn.Pos()))
		}
	}
	if !product {
		return
	}
	checkVariables(t, fset, f)
	ast.Inspect(f, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok && !startsGoroutines(path) {
			t.Errorf("%s: only keepers start goroutines: what serves a request works on its own (starters names the exceptions)", fset.Position(g.Pos()))
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "http" && sel.Sel.Name == "Error" {
				t.Errorf("%s: no http.Error: exchange.Refuse alone writes the gateway's own answers", fset.Position(n.Pos()))
			}
		}
		return true
	})
}

func TestArchitectureEveryRoomHasAReadme(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name, _ := room(p.ImportPath)
		if name == "" || name == "cmd" || name == "test" || name == "examples" || seen[name] {
			continue
		}
		seen[name] = true
		if _, err := os.Stat(filepath.Join("..", name, "README.md")); err != nil {
			t.Errorf("room %s has no README.md", name)
		}
	}
}

// starters are the files that may start goroutines, with the reason.
var starters = map[string]string{
	"gateway.go":                "the watch over the configuration's files",
	"cmd/gatehouse/run.go":      "signals",
	"cmd/gatehouse/restart.go":  "the wait for a process that was started",
	"admin/control.go":          "keeper: the control socket's accept loop",
	"admin/listener.go":         "keeper: the admin listener's accept loop",
	"edge/listener.go":          "keeper: a listener's accept loop",
	"edge/listeners.go":         "keeper: the end of a retired listener",
	"edge/engine.go":            "keeper: connections and their ends",
	"http1/watch.go":            "who asks to be told when the client goes away",
	"edge/welcome.go":           "keeper: PROXY headers and TLS handshakes, before there is a request",
	"auth/jwt/remote.go":        "keeper: fetching keys",
	"observe/accesslog/file.go": "keeper: writing the access log",
	"upstream/target/group.go":  "keeper: resolving names",
	"upstream/target/watch.go":  "keeper: health checks",
	"upstream/upload.go":        "a large body is sent while its answer is awaited",
}

func startsGoroutines(path string) bool {
	for file := range starters {
		if strings.HasSuffix(filepath.ToSlash(path), "/"+file) {
			return true
		}
	}
	return false
}

// checkVariables refuses package variables that look as if they changed: maps,
// slices and pointers may be tables that are only read, which the compiler
// cannot tell; so what may stand there are immutable errors, rules and tables
// by composite literal, pools, and interface checks.
func checkVariables(t *testing.T, fset *token.FileSet, f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			if v.Names[0].Name == "_" || v.Names[0].Name == "version" || len(v.Values) > 0 {
				continue
			}
			t.Errorf("%s: the package variable %s has no value of its own: what changes belongs into a struct", fset.Position(v.Pos()), v.Names[0].Name)
		}
	}
}
