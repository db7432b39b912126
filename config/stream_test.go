package config

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// streamed reads a file of words, and finds the word "bad" bad.
type streamed struct{ words int }

func (s *streamed) UnmarshalConfig(n *Node) {
	n.Stream(64, func(r io.Reader, fault func(int, error)) {
		lines := bufio.NewScanner(r)
		for line := 1; lines.Scan(); line++ {
			if s.words++; lines.Text() == "bad" {
				fault(line, errors.New("a bad word"))
				return // the rest is not read
			}
		}
	})
}

func (streamed) ConfigSchema() *Schema { return &Schema{Type: "string"} }

func TestStream(t *testing.T) {
	dir := t.TempDir()
	main, words := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "words.txt")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func() (int, *Sources, error) {
		var doc struct {
			At
			Words streamed `yaml:"words"`
		}
		sources, err := Load(main, &doc, Options{})
		return doc.Words.words, sources, err
	}
	write(main, "words: words.txt\n")
	_, absent, err := load()
	if err == nil || !strings.Contains(err.Error(), "words.txt: no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
	write(words, "a\nb\n")
	if !absent.Changed() {
		t.Error("a file that comes into being is a change")
	}
	n, sources, err := load()
	if n != 2 || err != nil || sources.Changed() {
		t.Errorf("%d words, %v", n, err)
	}
	write(words, "a\nb\nc\n")
	if !sources.Changed() {
		t.Error("another content is a change")
	}
	write(words, "a\nbad\nc\n")
	_, sources, err = load()
	if err == nil || !strings.Contains(err.Error(), "words.txt:2:1: a bad word") {
		t.Errorf("a bad word: %v", err)
	}
	write(words, "a\nbad\nd\n")
	if !sources.Changed() {
		t.Error("a change of what was not read is a change too")
	}
	write(words, strings.Repeat("a\n", 33))
	if _, _, err = load(); err == nil || !strings.Contains(err.Error(), "is larger than 64") {
		t.Errorf("a file over the limit: %v", err)
	}
}
