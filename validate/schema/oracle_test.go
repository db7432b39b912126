package schema

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"gatehouse/config"
	"gatehouse/config/tree"
	"gatehouse/validate/jsondoc"
)

// compile compiles a schema in JSON; what is wrong with it is an error.
func compile(text string, legacy bool) (*Schema, error) {
	root := tree.NewFile("schema.json", []byte(text)).ParseJSON(func(tree.Problem) {})
	if root == nil {
		return nil, errors.New("no JSON")
	}
	var report config.Report
	c := Compiler{Legacy: legacy, Report: &report, Resolve: func(_ *tree.File, ref string) (*tree.Value, error) {
		v := root
		if ref != "#" && !strings.HasPrefix(ref, "#/") {
			return nil, errors.New("no pointer")
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			if part == "" {
				continue
			}
			e := v.Find(part)
			if e == nil {
				return nil, errors.New("nowhere")
			}
			v = e.Value
		}
		return v, nil
	}}
	s := c.Compile(root)
	if problems := report.Problems(); len(problems) > 0 {
		return nil, errors.New(problems[0].Message)
	}
	return s, nil
}

// fits returns what is wrong with a value, "" where nothing is.
func fits(s *Schema, value string) string {
	d := jsondoc.New()
	if err := d.Parse([]byte(value), jsondoc.Limits{Depth: 100, Nodes: 100000}); err != nil {
		return "broken: " + err.What
	}
	c := Checker{Doc: d}
	if c.Check(s, 0) {
		return ""
	}
	f := c.Fault()
	return strings.TrimSpace(d.Pointer(0, f.Node) + " " + f.What)
}

// oracle returns a validator that the same schema gives another library.
func oracle(text string) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}

// TestOracle holds verdicts against those of santhosh-tekuri/jsonschema and
// against those written in testdata: a file is a txtar archive of schemas, each
// with the values that it takes and those that it does not.
func TestOracle(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			text, values, _ := strings.Cut(string(f.Data), "\n")
			legacy := strings.HasPrefix(filepath.Base(file), "legacy")
			s, err := compile(text, legacy)
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			for line := range strings.Lines(values) {
				verdict, value, ok := strings.Cut(strings.TrimSpace(line), " ")
				if !ok {
					continue
				}
				cases++
				got := fits(s, value)
				if (got == "") != (verdict == "yes") {
					t.Errorf("%s: %s: %s: got %q", f.Name, text, line, got)
				}
				if !legacy {
					holdAgainstOracle(t, text, value, got == "")
				}
			}
		}
	}
	if cases < 100 {
		t.Errorf("%d cases", cases)
	}
}

func holdAgainstOracle(t *testing.T, text, value string, ours bool) {
	t.Helper()
	s, err := oracle(text)
	if err != nil {
		t.Errorf("%s: the oracle: %v", text, err)
		return
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
	if err != nil {
		t.Errorf("%s: the oracle: %v", value, err)
		return
	}
	if theirs := s.Validate(v) == nil; theirs != ours {
		t.Errorf("%s\n%s: ours %v, the oracle's %v", text, value, ours, theirs)
	}
}

// FuzzOracle holds verdicts on any schema and value against the oracle's.
func FuzzOracle(f *testing.F) {
	files, _ := filepath.Glob("testdata/2020*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, entry := range archive.Files {
			text, values, _ := strings.Cut(string(entry.Data), "\n")
			for line := range strings.Lines(values) {
				if _, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
					f.Add(text, value)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 2000 || len(value) > 2000 || differ(text) {
			return
		}
		s, err := compile(text, false)
		if err != nil {
			return
		}
		ours := fits(s, value)
		if strings.HasPrefix(ours, "broken") || strings.Contains(ours, "steps") || strings.Contains(ours, "too many digits") {
			return
		}
		theirs, err := oracle(text)
		if err != nil {
			return
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
		if err != nil {
			return
		}
		if (theirs.Validate(v) == nil) != (ours == "") {
			t.Errorf("%s\n%s: ours %q", text, value, ours)
		}
	})
}

// differ reports schemas that mean something else to the oracle, or nothing:
// keywords of other drafts and of OpenAPI, and identifiers.
func differ(text string) bool {
	for _, word := range []string{
		"$id", "$schema", "$anchor", "$dynamic", "$recursive", "$vocabulary", "id\"", "discriminator", "readOnly", "format", "dependencies", "additionalItems", "nullable",
		"pattern", "contentEncoding", "contentMediaType", "contentSchema", `\u`, "$ref",
	} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return bytes.ContainsRune([]byte(text), '%')
}

func TestNoSchema(t *testing.T) {
	for text, want := range map[string]string{
		`5`:                          "a schema is a map, true or false",
		`{"type": "text"}`:           `"text" is no type`,
		`{"minimum": "a"}`:           "minimum is a number",
		`{"minLength": -1}`:          "minLength is not negative",
		`{"minLength": 1.5}`:         "minLength is a whole number",
		`{"multipleOf": 0}`:          "multipleOf is above 0",
		`{"pattern": "(?=a)"}`:       "the pattern \"(?=a)\" cannot be matched",
		`{"pattern": "\\1"}`:         "cannot be matched",
		`{"enum": 5}`:                "enum is a list",
		`{"allOf": {}}`:              "allOf is a list of schemas",
		`{"properties": []}`:         "properties is a map of schemas",
		`{"$ref": "#/a"}`:            `$ref "#/a": nowhere`,
		`{"$dynamicRef": "#a"}`:      "$dynamicRef is not supported",
		`{"items": {"type": "foo"}}`: `"foo" is no type`,
	} {
		if _, err := compile(text, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestBounds: neither a schema nor a value makes a check run on.
func TestBounds(t *testing.T) {
	double := `{"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 9}, {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 8}, {"items": {"$ref": "#/$defs/a"}, "maxItems": 0}]}}}`
	for name, tc := range map[string]struct{ schema, value, want string }{
		"a schema that is itself":  {`{"$ref": "#"}`, `1`, "more steps"},
		"one that holds itself":    {`{"allOf": [{"$ref": "#"}]}`, `1`, "more steps"},
		"one that doubles":         {double, strings.Repeat("[", 60) + strings.Repeat("]", 60), "fits none|more steps"},
		"many equal items":         {`{"uniqueItems": true}`, "[" + strings.Repeat("1,", 30000) + "1]", "twice"},
		"many items":               {`{"uniqueItems": true}`, numbers2(30000), ""},
		"a pattern of much text":   {`{"pattern": "^(a{1,100}b){1,10}$"}`, `"` + strings.Repeat("a", 5_000_000) + `"`, "more steps"},
		"a giant number":           {`{"maximum": 5}`, `1e999999999999999999999`, "at most 5"},
		"a giant number, negative": {`{"maximum": 5}`, `-1e999999999999999999999`, ""},
		"its fraction":             {`{"multipleOf": 0.1}`, `1e999999999999999999999`, "too many digits"},
		"a tiny number":            {`{"multipleOf": 1}`, `1e-99999999999`, "too many digits"},
	} {
		s, err := compile(tc.schema, false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := fits(s, tc.value)
		ok := got == "" && tc.want == ""
		for want := range strings.SplitSeq(tc.want, "|") {
			ok = ok || want != "" && strings.Contains(got, want)
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func numbers2(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",%d", i)
	}
	return "[" + b.String()[1:] + "]"
}
