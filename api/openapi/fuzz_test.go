package openapi

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"gatehouse/config"
)

// FuzzDefinition: whatever a definition holds, it is read, or what is wrong with
// it is said with its place.
func FuzzDefinition(f *testing.F) {
	files, _ := filepath.Glob("testdata/errors/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Add(`{"swagger": "2.0", "basePath": "/v1", "paths": {"/a/{b}": {"post": {"consumes": ["application/json"], "parameters": [{"name": "x", "in": "body", "schema": {"$ref": "#/definitions/X"}}, {"name": "f", "in": "formData", "type": "string", "required": true}]}}}, "definitions": {"X": {}}}`)
	f.Add(head + "paths: {/a: {get: {security: [{a: [b]}], x-amazon-apigateway-integration: {type: mock, responses: {default: {statusCode: 200}}}}}}\ncomponents: {securitySchemes: {a: {type: http}}}\n")
	dir := f.TempDir()
	path := filepath.Join(dir, "d.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var d struct {
			config.At
			Definition *Definition[keys] `yaml:"definition"`
		}
		_, err := config.LoadBytes(filepath.Join(dir, "c.yaml"), []byte("definition: {file: d.yaml, base-path: prepend}\n"), &d, config.Options{})
		if all := config.AsErrors(err); all != nil {
			for _, p := range all.Problems() {
				if !p.Pos.IsValid() {
					t.Errorf("%v has no place", p)
				}
			}
		} else if err != nil {
			t.Error(err)
		}
		for i := range d.Definition.Operations {
			o := &d.Definition.Operations[i]
			if o.Callers != nil {
				_, _ = o.Callers.Authorize(&Rules{Schemes: d.Definition.Schemes})
			}
			if o.Integration != nil && o.Integration.Mock == nil {
				_, _ = o.Integration.Place(&d.Definition.Options, map[string]string{"a": "b"})
			}
		}
	})
}
