package openapi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"gatehouse/config"
)

// TestReal holds what is read of real, large definitions against what
// kin-openapi reads of them: operations, parameters, bodies.
func TestReal(t *testing.T) {
	if testing.Short() {
		t.Skip("kin-openapi takes its time")
	}
	names := []string{"asana.yaml", "docker.yaml", "docusignv3.1.json", "k8s.json", "stripe.yaml", "github.json"}
	if raceDetector {
		names = names[:2] // nothing runs beside them that could race
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			path := real(t, name)
			var d struct {
				config.At
				Definition *Definition[keys] `yaml:"definition"`
			}
			if _, err := config.LoadBytes("c.yaml", []byte("definition: "+path+"\n"), &d, config.Options{}); err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range d.Definition.Operations {
				got = append(got, operationText(&d.Definition.Operations[i]))
			}
			want := kinOperations(t, path)
			slices.Sort(got)
			if name == "k8s.json" {
				got, want = withoutBodies(got), withoutBodies(want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-kin-openapi +ours)\n%.3000s", diff)
			}
			if len(got) < 80 {
				t.Errorf("%d operations", len(got))
			}
		})
	}
}

// withoutBodies leaves what stands before bodies: kin-openapi loses those of
// Swagger 2 that references stand for.
func withoutBodies(lines []string) (out []string) {
	for _, l := range lines {
		before, _, _ := strings.Cut(l, ") ")
		out = append(out, before)
	}
	return out
}

// real returns the path of a real definition, which scripts/setup fetches.
func real(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/definitions/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: scripts/setup test fetches it", err)
		}
		t.Skipf("%v: scripts/setup test fetches it", err)
	}
	return path
}

func operationText(o *Operation[keys]) string {
	var parameters, types []string
	for _, p := range o.Request.Parameters {
		parameters = append(parameters, parameterText(p.In, p.Name, p.Required))
	}
	required := false
	if b := o.Request.Body; b != nil {
		required = b.Required
		for _, c := range b.Types {
			types = append(types, c.Type)
		}
	}
	return line(o.Match(), parameters, types, required)
}

func parameterText(in, name string, required bool) string {
	if required {
		name += "!"
	}
	return in + "." + name
}

func line(match string, parameters, types []string, required bool) string {
	slices.Sort(parameters)
	slices.Sort(types)
	text := match + " (" + strings.Join(parameters, " ") + ") " + strings.Join(types, " ")
	if required {
		text += "!"
	}
	return text
}

func kinOperations(t *testing.T, path string) []string {
	doc := kin(t, path)
	var out []string
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			var parameters, types []string
			for _, p := range item.Parameters {
				if o.Parameters.GetByInAndName(p.Value.In, p.Value.Name) == nil {
					parameters = append(parameters, parameterText(p.Value.In, p.Value.Name, p.Value.Required))
				}
			}
			required := false
			for _, p := range o.Parameters {
				if p.Value.In == "body" {
					continue // what kin-openapi leaves of a body of Swagger 2 that a reference stands for
				}
				parameters = append(parameters, parameterText(p.Value.In, p.Value.Name, p.Value.Required))
			}
			if o.RequestBody != nil {
				required = o.RequestBody.Value.Required
				for kind := range o.RequestBody.Value.Content {
					kind, _, _ = strings.Cut(kind, ";")
					types = append(types, kind)
				}
			}
			out = append(out, line(method+" "+path, parameters, types, required))
		}
	}
	slices.Sort(out)
	return out
}

func kin(t *testing.T, path string) *openapi3.T {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text[:min(len(text), 1<<20)]), "swagger") || strings.Contains(filepath.Base(path), "github") {
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	if filepath.Ext(path) == ".yaml" {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			t.Fatal(err)
		}
	}
	var old openapi2.T
	if err := json.Unmarshal(text, &old); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi2conv.ToV3(&old)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
