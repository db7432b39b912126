package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/config"
)

// slowest is how long a Load may take: a text of the fuzzer's length takes
// milliseconds, so that this is a hang even on a busy machine.
const slowest = 2 * time.Second

// FuzzLoad holds that no text makes Load panic or hang, and that every problem
// says where it is.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		"", "~", "a", "- a", "%YAML 1.2\n---\na: b\n...\n", "\ufeffaccount: x\r\n", "a: &a [*a]", "<<: {}", "? a\n: b", "!!str : x",
		"apis: {a: {extra: {<<: [{a: 1}, {b: 2}]}}}", "services:\n  a: &a {targets: [x]}\n  b: {<<: *a}\n", "account: |+2\n  x\n\n", "account: 'it''s'", "account: \"\\x41\\u00e9\\\n  b\"",
		"rule: {all: [{not: {ip: \"::1\"}}]}", "account: ${env:E}${file:f}$${x}", "limits: {body: 1KiB, wait: 1d}", "# c\naccount: # c\n  x # c\n", "apis:\n  a:\n  # c\n    domains:\n    - x\n",
	} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		var got gateway
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > slowest {
				t.Fatalf("it took %v", took)
			}
		}()
		s, err := config.LoadBytes(filepath.Join(dir, "gw.yaml"), text, &got, config.Options{
			IncludeKeys: []string{"apis", "services"},
			LookupEnv:   env("E", "value of E"),
		})
		if s == nil {
			t.Fatal("no sources")
		}
		if err == nil {
			if !got.Pos.IsValid() || got.Account == "" && !got.Has("account") {
				t.Fatalf("no error, but %+v", got)
			}
			return
		}
		for _, p := range config.AsErrors(err).Problems() {
			if !p.Pos.IsValid() || p.Pos.Column < 1 || p.Pos.File == "" || p.Message == "" {
				t.Fatalf("a problem of nowhere: %+v", p)
			}
		}
	})
}
