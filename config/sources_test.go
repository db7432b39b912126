package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/config"
)

func TestSourcesQuiet(t *testing.T) {
	dir := t.TempDir()
	main, included := filepath.Join(dir, "gw.yaml"), filepath.Join(dir, "teams", "t.yaml")
	write(t, main, "include: [teams/*.yaml]\n")
	write(t, included, "apis: {t: {}}\n")
	sources, err := config.Load(main, new(gateway), config.Options{IncludeKeys: []string{"apis"}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "teams", "new.yaml"), "apis: {n: {}}\n") // comes to match
	paths := []string{main, included, filepath.Join(dir, "teams", "new.yaml")}
	age := func(path string, d time.Duration) {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-d)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range paths {
		age(path, time.Hour)
	}
	if !sources.Quiet(time.Minute) {
		t.Error("files of an hour ago are not quiet")
	}
	for _, path := range paths {
		age(path, time.Second)
		if sources.Quiet(time.Minute) {
			t.Errorf("%s, of a second ago, is quiet", path)
		}
		age(path, -time.Hour)
		if !sources.Quiet(time.Minute) {
			t.Errorf("%s, of an hour to come, is not quiet", path)
		}
		age(path, time.Hour)
	}
	if err := os.Remove(included); err != nil {
		t.Fatal(err)
	}
	if !sources.Quiet(time.Minute) {
		t.Error("a file that is gone is not quiet")
	}
}

func TestSourcesChanged(t *testing.T) {
	files := map[string]string{
		"gw.yaml":        "include: [teams/*.yaml]\napis: {a: {key: key.pem, variables: {x: \"${file:x.txt}\"}}}\n",
		"key.pem":        "one",
		"x.txt":          "one",
		"teams/t.yaml":   "apis: {t: {}}\n",
		"other/new.yaml": "apis: {n: {}}\n",
	}
	rewrite := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { write(t, filepath.Join(dir, name), "two") }
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(t *testing.T, from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		change        func(t *testing.T, dir string)
		first, second bool
	}{
		"nothing":       {func(*testing.T, string) {}, false, false},
		"main file":     {rewrite("gw.yaml"), true, true},
		"file":          {rewrite("key.pem"), true, true},
		"reference":     {rewrite("x.txt"), true, true},
		"included":      {rewrite("teams/t.yaml"), true, true},
		"new included":  {rewrite("teams/u.yaml"), true, true},
		"another file":  {rewrite("teams/u.txt"), false, false},
		"same content":  {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "key.pem"), "one") }, false, false},
		"gone":          {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "key.pem")) }, false, true},
		"included gone": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "teams/t.yaml")) }, false, true},
		"renamed onto": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "new"), "two")
			rename(t, filepath.Join(dir, "new"), filepath.Join(dir, "key.pem"))
		}, true, true},
		"renamed onto, as old and as long": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "new"), "two")
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(filepath.Join(dir, "new"), old, old); err != nil {
				t.Fatal(err)
			}
			rename(t, filepath.Join(dir, "new"), filepath.Join(dir, "key.pem"))
		}, true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, files)
			age(t, dir)
			s, err := loadTree(dir, new(jailed))
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, dir)
			if got := s.Changed(); got != tt.first {
				t.Errorf("changed %v at first", got)
			}
			if got := s.Changed(); got != tt.second {
				t.Errorf("changed %v after that", got)
			}
		})
	}
}

// age makes the files of a folder an hour old.
func age(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A file that is away for a moment was not changed; nor does it matter which
// of two equal files a name leads to.
func TestSourcesComeBack(t *testing.T) {
	dir := tree(t, map[string]string{
		"v1/gw.yaml": "apis: {a: {key: key.pem}}\n", "v1/key.pem": "one",
		"v2/gw.yaml": "apis: {a: {key: key.pem}}\n", "v2/key.pem": "one",
		"v3/gw.yaml": "apis: {a: {key: key.pem}}\n", "v3/key.pem": "two",
	})
	current := filepath.Join(dir, "current")
	swap := func(to string) {
		t.Helper()
		write(t, filepath.Join(dir, "next"), "-> "+to)
		if err := os.Rename(filepath.Join(dir, "next"), current); err != nil {
			t.Fatal(err)
		}
	}
	swap("v1")
	s, err := loadTree(current, new(jailed))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(current); err != nil {
		t.Fatal(err)
	}
	if s.Changed() {
		t.Error("changed while away for a moment")
	}
	swap("v1")
	if s.Changed() {
		t.Error("changed though it came back")
	}
	swap("v2")
	for range 2 {
		if s.Changed() {
			t.Error("changed though all is equal")
		}
	}
	swap("v3")
	if !s.Changed() {
		t.Error("another key is no change")
	}
}

// A configuration that could not be loaded is watched too, for its cure.
func TestSourcesOfBroken(t *testing.T) {
	dir := tree(t, map[string]string{"gw.yaml": "apis: {a: {key: key.pem, variables: {x: \"${file:x.txt}\"}}}\n"})
	s, err := loadTree(dir, new(jailed))
	if err == nil {
		t.Fatal("no error")
	}
	if len(s.Files) != 3 || s.Files[1].SHA256 != "" || s.Changed() || s.Changed() {
		t.Errorf("%+v", s.Files)
	}
	write(t, filepath.Join(dir, "key.pem"), "one")
	if !s.Changed() {
		t.Error("the cure is no change")
	}

	s, err = config.Load(filepath.Join(dir, "absent.yaml"), new(jailed), config.Options{})
	if err == nil || s == nil || s.Changed() {
		t.Fatalf("absent: %v", err)
	}
	write(t, filepath.Join(dir, "absent.yaml"), "")
	if !s.Changed() {
		t.Error("the file that was missing is no change")
	}
}

// Problems that the root finds later are told like those of the decoder.
func TestNewErrors(t *testing.T) {
	dir := tree(t, map[string]string{
		"gw.yaml":  "apis:\n  a: {key: api.json, client-secret: hunter2}\n",
		"api.json": "{\n  \"paths\": 1\n}\n",
	})
	var got jailed
	s, err := loadTree(dir, &got)
	if err != nil {
		t.Fatal(err)
	}
	var r config.Report
	if err := config.NewErrors(&r, s); err != nil {
		t.Errorf("no problem is an error: %v", err)
	}
	file := func(line, column int) config.Pos {
		return config.Pos{File: filepath.Join(dir, "gw.yaml"), Line: line, Column: column}
	}
	r.Unknown(file(2, 3), "service", "ordrs", []string{"orders"})
	r.Errorf(config.Pos{File: got.APIs["a"].Key.Path, Line: 2, Column: 12}, "paths is a map, not %s", got.APIs["a"].Secret.Reveal())
	r.Errorf(file(1, 1), "first")
	r.Errorf(file(1, 1), "first")
	r.Errorf(config.Pos{}, "from nowhere")
	r.Errorf(file(99, 1), "beyond the end")
	want := `from nowhere
DIR/api.json:2:12: paths is a map, not (secret)
      "paths": 1
               ^
DIR/gw.yaml:1:1: first
    apis:
    ^
DIR/gw.yaml:2:3: unknown service "ordrs"
      a: {key: api.json, client-secret: (secret)}
      ^
  hint: did you mean "orders"?
DIR/gw.yaml:99:1: beyond the end`
	if got := replace(config.NewErrors(&r, s).Error(), dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := replace(config.NewErrors(&r, nil).Error(), dir); len(got) == 0 {
		t.Error("no sources, no errors")
	}
}
