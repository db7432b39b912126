package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// TestReadmeExamples loads every example of a configuration in a README: what
// a reader copies must work. Files that an example names are made first, where
// it names them under ca, cert, key or jwks they are those of testdata.
func TestReadmeExamples(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../README.md", "../*/README.md", "../*/*/README.md", "../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	examples := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			examples++
			example := block[1]
			t.Run(strings.TrimPrefix(file, "../"), func(t *testing.T) { loadExample(t, example) })
		}
	}
	if examples == 0 {
		t.Error("no example was found")
	}
}

func loadExample(t *testing.T, example string) {
	for _, name := range exampleSecret.FindAllStringSubmatch(example, -1) {
		t.Setenv(name[1], "0123456789abcdef0123456789abcdef")
	}
	dir := t.TempDir()
	makeExampleFiles(t, dir, example)
	example = whole(example)
	if !strings.Contains("\n"+example, "\nlisten:") {
		example = "listen: [{address: \"127.0.0.1:0\"}]\n" + example
	}
	if _, err := gatehouse.LoadText(filepath.Join(dir, "gatehouse.yaml"), []byte(example)); err != nil {
		t.Errorf("%v\nin\n%s", err, example)
	}
}

// whole returns an example as a whole configuration: some show a part of an API.
func whole(example string) string {
	if strings.HasPrefix(example, "authorizers:") {
		return "apis:\n  shop:\n    " + strings.ReplaceAll(example, "\n", "\n    ") + "\n"
	}
	return example
}

var exampleSecret = regexp.MustCompile(`\$\{env:(\w+)\}`)

var exampleFile = regexp.MustCompile(`(?:ca|cert|key|jwks): *"?([\w./-]+\.(?:pem|crt|key|json))`)

var exampleDefinition = regexp.MustCompile(`(?:definition|file): *([\w./-]+\.openapi\.yaml)`)

// definitionOfExamples is the definition that examples name.
const definitionOfExamples = `openapi: 3.1.0
info: {title: shop, version: "1"}
paths:
  /orders/{id}:
    get: {x-amazon-apigateway-integration: {type: mock}, responses: {}}
`

// makeExampleFiles puts certificates, keys and definitions where an example
// names them.
func makeExampleFiles(t *testing.T, dir, example string) {
	t.Helper()
	for _, found := range exampleDefinition.FindAllStringSubmatch(example, -1) {
		if err := os.WriteFile(filepath.Join(dir, found[1]), []byte(definitionOfExamples), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := testCertificate(t)
	for _, found := range exampleFile.FindAllStringSubmatch(example, -1) {
		content := cert
		switch {
		case strings.Contains(found[0], "key:"):
			content = key
		case strings.Contains(found[0], "jwks:"):
			content = testKeys(t)
		}
		path := filepath.Join(dir, found[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestShopExample holds examples/shop against the code.
func TestShopExample(t *testing.T) {
	cfg, err := gatehouse.Load("../examples/shop/gatehouse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(cfg.Routes()); n < 4 {
		t.Errorf("%d routes", n)
	}
}
