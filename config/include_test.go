package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
)

// tree writes files into a new folder and returns it. A content of "-> PATH"
// makes a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if to, link := strings.CutPrefix(content, "-> "); link {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func loadTree(dir string, into any) (*config.Sources, error) {
	return config.Load(filepath.Join(dir, "gw.yaml"), into, config.Options{
		IncludeKeys: []string{"apis", "services"},
		LookupEnv:   env("TEAM", "hunter22", "OTHER", "hunter23"),
	})
}

func TestInclude(t *testing.T) {
	dir := tree(t, map[string]string{
		"gw.yaml": `
include: [teams/*.yaml, {files: more/api.yaml, secrets: [TEAM]}, none/*.yaml]
apis:
  own: {domains: own.test}
`,
		"teams/a.yaml":       "apis: {a: {key: keys/a.pem, domains: &d [a.test]}, aa: {domains: *d}}\n",
		"teams/keys/a.pem":   "key of a",
		"teams/b.yaml":       "services: {b: {targets: [x]}}\n",
		"teams/empty.yaml":   "# nothing yet\n",
		"teams/nothing.yaml": "apis:\n",
		"more/api.yaml":      `apis: {m: {client-secret: "${env:TEAM}", variables: {f: "${file:f.txt}", n: "$${env}"}}}`,
		"more/f.txt":         "content\n",
	})
	var g gateway
	s, err := loadTree(dir, &g)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(g.APIs)); strings.Join(got, " ") != "a aa m own" {
		t.Errorf("apis %v", got)
	}
	a, m := g.APIs["a"], g.APIs["m"]
	if string(a.Key.Content) != "key of a" || a.Key.Path != filepath.Join(dir, "teams/keys/a.pem") || a.Pos.File != filepath.Join(dir, "teams/a.yaml") {
		t.Errorf("a: %+v", a)
	}
	if m.Secret.Reveal() != "hunter22" || m.Vars["f"] != "content" || m.Vars["n"] != "${env}" {
		t.Errorf("m: %+v", m)
	}
	if len(g.Services) != 1 || g.Services["b"].Targets[0] != "x" {
		t.Errorf("services: %+v", g.Services)
	}
	var files []string
	for _, f := range s.Files {
		name, _ := filepath.Rel(dir, f.Path)
		files = append(files, name)
		if len(f.SHA256) != 64 {
			t.Errorf("%s has the hash %q", name, f.SHA256)
		}
	}
	if got, want := strings.Join(files, " "), "gw.yaml more/api.yaml more/f.txt teams/a.yaml teams/b.yaml teams/empty.yaml teams/keys/a.pem teams/nothing.yaml"; got != want {
		t.Errorf("files\n%s, not\n%s", got, want)
	}
	if len(s.Globs) != 3 || s.Globs[0] != filepath.Join(dir, "teams/*.yaml") {
		t.Errorf("globs %v", s.Globs)
	}
}

// What an included file must not do.
func TestIncludeRefuses(t *testing.T) {
	secret := "outside secret"
	tests := map[string]struct {
		file string // teams/a.yaml
		want string
	}{
		"another key":         {"account: x\n", `an included file may not say "account"`},
		"an include":          {"include: [x.yaml]\n", `may not say "include"`},
		"a name again":        {"apis: {own: {}}\n", `"own" is already defined at DIR/gw.yaml:2:8`},
		"a list":              {"- x\n", "an included file is a map of apis or services"},
		"a section of a list": {"apis: [x]\n", "wanted a map, got a list"},
		"file above":          {"apis: {a: {key: ../secret.txt}}\n", "may only name what lies in its own folder"},
		"file by root":        {"apis: {a: {key: /etc/passwd}}\n", "may only name what lies in its own folder"},
		"file by link":        {"apis: {a: {key: link.txt}}\n", "path escapes from parent"},
		"file by folder link": {"apis: {a: {key: up/secret.txt}}\n", "path escapes from parent"},
		"reference above":     {`apis: {a: {variables: {x: "${file:../secret.txt}"}}}`, "may only name what lies in its own folder"},
		"reference by link":   {`apis: {a: {variables: {x: "${file:link.txt}"}}}`, "path escapes from parent"},
		"folder":              {"apis: {a: {key: up}}\n", "path escapes from parent"},
		"own folder":          {"apis: {a: {key: .}}\n", "is a folder"},
		"environment":         {`apis: {a: {client-secret: "${env:OTHER}"}}`, "may not read the environment variable OTHER"},
		"path above":          {"apis: {a: {timeout: {}, dir: ../x}}\n", "may only name what lies in its own folder"},
		"path by link":        {"apis: {a: {dir: up/new}}\n", "path escapes from parent"},
		"alias of the main":   {"apis: {a: *main}\n", "no anchor &main stands before this alias"},
		"broken":              {"apis: {\n", "broken YAML"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{
				"gw.yaml":        "include: [{files: teams/*.yaml, secrets: [TEAM]}]\napis: {own: &main {}}\n",
				"secret.txt":     secret,
				"teams/a.yaml":   tt.file,
				"teams/link.txt": "-> ../secret.txt",
				"teams/up":       "-> ..",
			})
			var got jailed
			_, err := loadTree(dir, &got)
			if want := strings.ReplaceAll(tt.want, "DIR", dir); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %s, got\n%v", want, err)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("it tells the secret: %v", err)
			}
		})
	}
}

type jailed struct {
	Account string               `yaml:"account"`
	Include []config.Include     `yaml:"include"`
	APIs    map[string]jailedAPI `yaml:"apis"`
}

type jailedAPI struct {
	Key     config.File       `yaml:"key"`
	Dir     config.Path       `yaml:"dir"`
	Vars    map[string]string `yaml:"variables"`
	Secret  config.Secret     `yaml:"client-secret"`
	Timeout limits            `yaml:"timeout"`
}

// A pattern leaves out the main file, hidden files and folders; the names of
// the folders above it are no pattern.
func TestIncludeBesides(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[odd] *")
	write(t, filepath.Join(dir, "gw.yaml"), "include: [\"*.yaml\"]\naccount: x\n")
	write(t, filepath.Join(dir, "a.yaml"), "apis: {a: {}}\n")
	write(t, filepath.Join(dir, ".#a.yaml"), "-> nowhere")
	write(t, filepath.Join(dir, "folder.yaml/x"), "")
	var got jailed
	s, err := loadTree(dir, &got)
	if err != nil || len(got.APIs) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	for range 2 {
		if s.Changed() {
			t.Error("changed")
		}
	}
	write(t, filepath.Join(dir, "b.yaml"), "apis: {b: {}}\n")
	if !s.Changed() {
		t.Error("a new file is no change")
	}
}

// What the main file says is free to leave its folder; what it includes may
// lie anywhere, but not be a link out of its folder.
func TestIncludePlaces(t *testing.T) {
	outside := tree(t, map[string]string{"x.yaml": "apis: {x: {key: k, dir: new/d}}\n", "k": "key"})
	dir := tree(t, map[string]string{
		"gw.yaml":      "include: [" + outside + "/x.yaml, \"teams/[a.yaml\"]\n",
		"two.yaml":     "include: [teams/l.yaml, missing.yaml]\n",
		"teams/l.yaml": "-> " + outside + "/x.yaml",
		"three.yaml":   "include: {files: x}\napis: {y: {key: " + outside + "/k, dir: ../d}}\n",
		"pattern.yaml": "include: [\"t[\"]\n",
	})
	var got jailed
	_, err := config.Load(filepath.Join(dir, "gw.yaml"), &got, config.Options{IncludeKeys: []string{"apis"}})
	if err == nil || len(config.AsErrors(err).Problems()) != 1 || !strings.Contains(err.Error(), "no pattern of file names") {
		t.Errorf("%v", err)
	}
	if x := got.APIs["x"]; string(x.Key.Content) != "key" || x.Dir.Value != filepath.Join(outside, "new/d") {
		t.Errorf("%+v", x)
	}
	_, err = config.Load(filepath.Join(dir, "two.yaml"), new(jailed), config.Options{IncludeKeys: []string{"apis"}})
	for _, want := range []string{"teams/l.yaml: path escapes from parent", "there is no file missing.yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	_, err = config.Load(filepath.Join(dir, "three.yaml"), &got, config.Options{IncludeKeys: []string{"apis"}})
	if err == nil || !strings.Contains(err.Error(), "include: wanted a list, got a map") {
		t.Errorf("%v", err)
	}
	if y := got.APIs["y"]; string(y.Key.Content) != "key" || y.Dir.Value != filepath.Join(filepath.Dir(dir), "d") {
		t.Errorf("%+v", y)
	}
}
