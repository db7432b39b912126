package test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"gatehouse"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// readmeExamples returns every example of a configuration in a README, by the
// file that it stands in.
func readmeExamples(t testing.TB) map[string][]string {
	t.Helper()
	examples := make(map[string][]string)
	for _, pattern := range []string{"../README.md", "../*/README.md", "../*/*/README.md", "../docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
				name := strings.TrimPrefix(file, "../")
				examples[name] = append(examples[name], completed(block[1]))
			}
		}
	}
	if len(examples) < 10 {
		t.Fatalf("examples in %d files alone", len(examples))
	}
	return examples
}

// completed is an example with what it leaves out because it is not its subject.
func completed(example string) string {
	if strings.HasPrefix(example, "authorizers:") { // a part of an API
		example = "apis:\n  shop:\n    authorize: none\n    routes: [{match: GET /, target: mock}]\n    " + strings.ReplaceAll(example, "\n", "\n    ") + "\n"
	}
	if !strings.Contains("\n"+example, "\nlisten:") {
		example = "listen: [{address: \"127.0.0.1:0\"}]\n" + example
	}
	return example
}

// TestReadmeExamples loads every example: what a reader copies must be good.
// Files that one names are made first.
func TestReadmeExamples(t *testing.T) {
	for file, examples := range readmeExamples(t) {
		for _, example := range examples {
			t.Run(file, func(t *testing.T) {
				for _, name := range exampleSecret.FindAllStringSubmatch(example, -1) {
					t.Setenv(name[1], exampleValue)
				}
				dir := t.TempDir()
				makeExampleFiles(t, dir, example)
				if _, err := gatehouse.LoadText(filepath.Join(dir, "gatehouse.yaml"), []byte(example)); err != nil {
					t.Errorf("%v\nin\n%s", err, example)
				}
			})
		}
	}
}

// TestReadmeExamplesRun starts the gateway with every example, on the ports that
// it names.
func TestReadmeExamplesRun(t *testing.T) {
	if !alone(t) {
		return
	}
	for file, examples := range readmeExamples(t) {
		for _, example := range examples {
			if strings.Contains(example, "\nfunctions:") {
				if why := cannotIsolate(); why != nil {
					t.Logf("%s: not started, since functions cannot be kept apart here: %v", file, why)
					continue
				}
			}
			dir := checkout(t)
			for _, name := range exampleSecret.FindAllStringSubmatch(example, -1) {
				t.Setenv(name[1], exampleValue)
			}
			makeExampleFiles(t, dir, example)
			write(t, filepath.Join(dir, "gatehouse.yaml"), []byte(example))
			gateway := launch(t, dir, "bin/gatehouse", "run")
			gateway.says("msg=listening")
			gateway.signal(syscall.SIGTERM)
			if code := gateway.ends(); code != 0 {
				t.Errorf("%s: exit code %d\n%s\nwith\n%s", file, code, gateway.said, example)
			}
		}
	}
}

const exampleValue = "0123456789abcdef0123456789abcdef"

var exampleSecret = regexp.MustCompile(`\$\{env:(\w+)\}`)

var (
	exampleFile    = regexp.MustCompile(`(?:ca|cert|key|jwks|files?): *\[?"?([\w./-]+\.(?:pem|crt|key|json|txt|html))`)
	exampleText    = regexp.MustCompile(`\$\{file:([\w./-]+)\}`)
	exampleCedar   = regexp.MustCompile(`(?:policies|cedar): *\[?"?([\w./-]+\.cedar)`)
	exampleProgram = regexp.MustCompile(`command: *\[?"?(\./[\w.-]+)`)
	exampleCode    = regexp.MustCompile(`code: *([\w./-]+)`)
	exampleInclude = regexp.MustCompile(`(?m)^ +- ([\w./-]+\.yaml)$`)
)

var exampleDefinition = regexp.MustCompile(`(?:definition|file): *([\w./-]+\.openapi\.yaml)`)

// definitionOfExamples is the definition that examples name.
const definitionOfExamples = `openapi: 3.1.0
info: {title: shop, version: "1"}
paths:
  /orders/{id}:
    get: {x-amazon-apigateway-integration: {type: mock}, responses: {}}
`

// makeExampleFiles puts certificates, keys, texts, programs, definitions and further
// configurations where an example names them.
func makeExampleFiles(t *testing.T, dir, example string) {
	t.Helper()
	for _, found := range exampleDefinition.FindAllStringSubmatch(example, -1) {
		write(t, filepath.Join(dir, found[1]), []byte(definitionOfExamples))
	}
	cert, key := testCertificate(t)
	for _, found := range exampleFile.FindAllStringSubmatch(example, -1) {
		content := cert
		switch {
		case strings.Contains(found[0], "key:"):
			content = key
		case strings.Contains(found[0], "jwks:"):
			content = testKeys(t)
		case strings.HasPrefix(found[0], "file"):
			content = []byte("192.0.2.1\n")
		}
		write(t, filepath.Join(dir, found[1]), content)
	}
	for _, found := range exampleText.FindAllStringSubmatch(example, -1) {
		write(t, filepath.Join(dir, found[1]), []byte("text\n"))
	}
	for _, found := range exampleProgram.FindAllStringSubmatch(example, -1) {
		write(t, filepath.Join(dir, found[1]), []byte("#!/bin/sh\n"))
	}
	for _, found := range exampleCode.FindAllStringSubmatch(example, -1) {
		makeExampleCode(t, filepath.Join(dir, found[1]))
	}
	for _, found := range exampleCedar.FindAllStringSubmatch(example, -1) {
		write(t, filepath.Join(dir, found[1]), []byte("permit (principal, action, resource);\n"))
	}
	for _, found := range exampleInclude.FindAllStringSubmatch(example, -1) {
		write(t, filepath.Join(dir, found[1]), []byte("services: {}\n"))
	}
}

// makeExampleCode makes a function's code, a folder or a zip file.
func makeExampleCode(t *testing.T, path string) {
	t.Helper()
	const program = "#!/bin/sh\n"
	if filepath.Ext(path) != ".zip" {
		write(t, filepath.Join(path, "bootstrap"), []byte(program))
		if err := os.Chmod(filepath.Join(path, "bootstrap"), 0o755); err != nil {
			t.Fatal(err)
		}
		return
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap"}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err == nil {
		_, err = io.WriteString(w, program)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, path, archive.Bytes())
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
