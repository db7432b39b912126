package config_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatehouse/config"
)

// rich has what the gateway of these tests has, and the odd corners.
type rich struct {
	gateway `yaml:"-"`
	Gateway gateway         `yaml:",inline"`
	Box     box[limits]     `yaml:"box" doc:"a generic section"`
	Boxes   map[string]box2 `yaml:"boxes"`
	Unit    config.Name     `yaml:"unit" enum:"kg|m|1|true"`
	Small   int8            `yaml:"small"`
	Wide    uint32          `yaml:"wide" range:"1.."`
	Share   *float64        `yaml:"share" range:"0..1"`
	Flags   []bool          `yaml:"flags" single:"true"`
	Levels  map[string]int  `yaml:"levels" range:"0..9"`
	Inline  struct {
		A string `yaml:"a,required"`
	} `yaml:"inline"`
}

type box[T any] struct {
	Content T   `yaml:"content"`
	More    []T `yaml:"more"`
}

type box2 struct {
	Of box[rate] `yaml:"of"`
}

func compileSchema(t *testing.T, root any) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.DocumentSchema(root, "Gatehouse")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("gatehouse.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("gatehouse.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads a document as an editor does: references are texts.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var data any
	if err := yaml.Unmarshal([]byte(text), &data); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	printed, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// An editor that knows the schema and the gateway that decodes the file must
// say the same of it.
func TestSchemaAgreesWithDecoder(t *testing.T) {
	schema := compileSchema(t, rich{})
	good := []string{
		"{}", "{account: x}", "{account: 123}", "{account: 1.5}", "{account: true}", "{account: ''}", "{account: yes}", "{account: '${env:E}'}",
		"{apis: }", "{apis: {}}", "{apis: {a: }}", "{apis: {a: {}}}", "{apis: {A.b_c-9: {}}}", "{services: {a: {targets: [x]}}}", "{services: {a: {targets: }}}",
		"{apis: {a: {domains: x}}}", "{apis: {a: {domains: [x, 5]}}}", "{apis: {a: {domains: []}}}", "{apis: {a: {domains: }}}",
		"{apis: {a: {routes: [{match: x, per: ip}, {match: y, per: [route, principal]}, {match: z, per: []}]}}}",
		"{apis: {a: {nets: [10.0.0.0/8, '::/0']}}}", "{apis: {a: {variables: {a: 1, b: x, c: true}}}}", "{apis: {a: {client-secret: 0123}}}", "{apis: {a: {public: true}}}", "{apis: {a: {public: False}}}", "{apis: {a: {public: '${env:T}'}}}",
		"{apis: {a: {extra: {any: [1, x, null, {}]}}}}", "{apis: {a: {extra: }}}", "{apis: {a: {throttle: 10/s}}}", "{apis: {a: {throttle: [10/m, {count: 5}, {count: 5, unit: m}]}}}", "{apis: {a: {timeout: }}}", "{apis: {a: {timeout: {headers: 7}}}}",
		"{limits: }", "{limits: {body: 512}}", "{limits: {body: 64KiB}}", "{limits: {body: '512'}}", "{limits: {wait: 1m30s}}", "{limits: {wait: 1.5m}}", "{limits: {headers: 1000}}", "{limits: {headers: 0x10}}", "{limits: {ratio: 0}}", "{limits: {ratio: 0.5}}",
		"{limits: {small: -128}}", "{limits: {least: 5}}", "{limits: {most: -99999}}", "{limits: {headers: '${env:N}', wait: '${env:N}s', body: '${env:N}', ratio: '${env:ONE}'}}",
		"{log: {file: x}}", "{log: {file: x, format: text, strict: false}}", "{log: {file: x, format: '${env:FORMAT}'}}",
		"{rule: }", "{rule: {not: {all: [{ip: 1.2.3.4}, {}, null]}}}", "{rule: {any: {x: 1, y: [null]}}}",
		"{ports: {80: x, '*': y}}", "{statuses: {404: x}}", "{include: [teams/*.yaml, {files: 'x*', secrets: [A]}]}",
		"{box: {content: {headers: 5}, more: [{}, {headers: 6}]}}", "{boxes: {a: {of: {content: 5/s, more: [{count: 1}]}}}}",
		"{unit: kg}", "{unit: 1}", "{unit: '1'}", "{unit: true}", "{small: 127}", "{wide: 4294967295}", "{share: 0.5}", "{flags: true}", "{flags: [true, false]}", "{levels: {a: 9}}", "{inline: {a: x}}",
		"{services: {a: &a {targets: [x]}, b: {<<: *a, backup: y}}}",
	}
	bad := []string{
		"[]", "x", "{acount: x}", "{account: [x]}", "{account: {}}", "{account: }", "{apis: []}", "{apis: x}", "{apis: {'a b': {}}}", "{apis: {'': {}}}", "{apis: {_a: {}}}", "{apis: {a: []}}", "{apis: {a: x}}", "{apis: {a: {name: x}}}",
		"{services: {a: }}", "{services: {a: {}}}", "{services: {a: {targets: x}}}", "{services: {a: {targets: [[x]]}}}", "{services: {a: {targets: [x], other: y}}}", "{services: {a: {targets: [null]}}}",
		"{apis: {a: {domains: {}}}}", "{apis: {a: {domains: [{}]}}}", "{apis: {a: {routes: {}}}}", "{apis: {a: {routes: [{}]}}}", "{apis: {a: {routes: [{match: x, per: all}]}}}", "{apis: {a: {routes: [{match: x, per: [ip, all]}]}}}", "{apis: {a: {routes: [{match: }]}}}",
		"{apis: {a: {variables: {a: [x]}}}}", "{apis: {a: {variables: {a: }}}}", "{apis: {a: {variables: [a]}}}", "{apis: {a: {client-secret: [x]}}}", "{apis: {a: {public: yes}}}", "{apis: {a: {public: 'true'}}}", "{apis: {a: {public: 1}}}", "{apis: {a: {public: }}}",
		"{apis: {a: {throttle: x}}}", "{apis: {a: {throttle: 10/h}}}", "{apis: {a: {throttle: {}}}}", "{apis: {a: {throttle: {count: 0}}}}", "{apis: {a: {throttle: {count: 5, unit: h}}}}", "{apis: {a: {throttle: [5]}}}", "{apis: {a: {timeout: 5s}}}",
		"{limits: []}", "{limits: {body: -1}}", "{limits: {body: 1.5}}", "{limits: {body: 10K}}", "{limits: {body: true}}", "{limits: {body: }}", "{limits: {wait: 30}}", "{limits: {wait: -1s}}", "{limits: {wait: 1x}}", "{limits: {wait: ''}}", "{limits: {headers: 0}}", "{limits: {headers: 1001}}", "{limits: {headers: '5'}}", "{limits: {headers: 1.5}}", "{limits: {headers: x}}", "{limits: {headers: true}}",
		"{limits: {ratio: 1.5}}", "{limits: {ratio: x}}", "{limits: {small: 128}}", "{limits: {small: -129}}", "{limits: {least: 4}}", "{limits: {most: 6}}",
		"{log: }", "{log: {}}", "{log: {file: x, format: jsn}}", "{log: {file: x, strict: on}}", "{log: {file: x, strict: }}",
		"{rule: {nt: {}}}", "{rule: {not: []}}", "{rule: {not: {all: [{not: x}]}}}", "{rule: {any: []}}", "{include: x}", "{include: [[x]]}", "{include: [{}]}", "{include: [{files: x, secret: [A]}]}",
		"{box: {content: {headers: 0}}}", "{box: {more: [{header: 6}]}}", "{boxes: {a: {of: {content: x}}}}", "{unit: g}", "{unit: 2}", "{unit: false}", "{small: 128}", "{wide: 0}", "{wide: 4294967296}", "{wide: -1}", "{share: 2}", "{flags: [x]}", "{levels: {a: 10}}", "{inline: {}}", "{inline: }", "{inline: {a: x, b: y}}",
	}
	// What a schema cannot say, or what its readers do not tell apart.
	differ := map[string]string{
		"{limits: {wait: 2h}}":                                "the range of a Duration",
		"{limits: {body: 2GiB}}":                              "the range of a Size",
		"{limits: {body: 99999999999999999999}}":              "numbers that overflow 64 bits",
		"{apis: {a: {nets: [x]}}}":                            "a TextUnmarshaler without a ConfigSchema",
		"{ports: {http: x}}":                                  "the form of map keys with a form of their own",
		"{apis: {a: {routes: [{match: x, target: itself}]}}}": "what Check finds",
		"{apis: {a: {key: absent}}}":                          "files that do not exist",
		"{limits: {headers: 10.0}}":                           "to JSON, 10.0 is a whole number",
		"{limits: {headers: 007}}":                            "a leading zero",
		"{limits: {headers: '${env:WORD}'}}":                  "what a reference stands for",
		"{include: [absent.yaml]}":                            "whether an included file exists",
		"{data: ''}":                                          "empty paths and names",
		"{account: '${NAME}'}":                                "what begins no reference",
	}
	for _, text := range good {
		if err := decodeRich(text); err != nil {
			t.Errorf("decoder refuses %s:\n%v", text, err)
		}
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("schema refuses %s:\n%v", text, err)
		}
	}
	for _, text := range bad {
		if decodeRich(text) == nil {
			t.Errorf("decoder takes %s", text)
		}
		if schema.Validate(asJSON(t, text)) == nil {
			t.Errorf("schema takes %s", text)
		}
	}
	for text, why := range differ {
		if decodeRich(text) == nil || schema.Validate(asJSON(t, text)) != nil {
			t.Errorf("%s (%s) is no difference any more", text, why)
		}
	}
}

func decodeRich(text string) error {
	_, err := config.LoadBytes("gw.yaml", []byte(text), new(rich), config.Options{
		LookupEnv: env("E", "e", "T", "true", "N", "7", "ONE", "1", "FORMAT", "json", "WORD", "seven"),
	})
	return err
}

func TestSchemaTexts(t *testing.T) {
	var s struct {
		Schema     string                    `json:"$schema"`
		Title      string                    `json:"title"`
		Properties map[string]map[string]any `json:"properties"`
		Defs       map[string]struct {
			Required   []string                  `json:"required"`
			Properties map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	text := config.DocumentSchema(new(rich), "Gatehouse")
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" || s.Title != "Gatehouse" {
		t.Errorf("%s: %s", s.Schema, s.Title)
	}
	if p := s.Properties["account"]; p["description"] != "account number" || p["default"] != "000000000000" {
		t.Errorf("account: %v", p)
	}
	route := s.Defs["config_test.route"]
	if !reflect.DeepEqual(route.Required, []string{"match"}) {
		t.Errorf("route requires %v", route.Required)
	}
	if diff := cmp.Diff([]any{"ip", "route"}, route.Properties["per"]["default"]); diff != "" {
		t.Error(diff)
	}
	limits := s.Defs["config_test.limits"]
	if d := limits.Properties["headers"]["default"]; d != 100.0 {
		t.Errorf("headers default to %v", d)
	}
	for _, name := range []string{"config.Duration", "config.Size", "config.Include", "config_test.rate", "config_test.rule", "reference"} {
		if _, ok := s.Defs[name]; !ok {
			t.Errorf("%s is not defined", name)
		}
	}
	if again := config.DocumentSchema(rich{}, "Gatehouse"); !bytes.Equal(text, again) {
		t.Error("the schema is another one each time")
	}
	if strings.Contains(string(text), `"$ref": ""`) {
		t.Error("a reference leads nowhere")
	}
}

// Two types of one name are two definitions.
func TestSchemaOfTwins(t *testing.T) {
	type one struct {
		A inOne `yaml:"a"`
	}
	a := func() any {
		type twin struct {
			A int `yaml:"a"`
		}
		return twin{}
	}()
	b := func() any {
		type twin struct {
			B int `yaml:"b"`
		}
		return twin{}
	}()
	root := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeOf(a), Tag: `yaml:"a"`},
		{Name: "B", Type: reflect.TypeOf(b), Tag: `yaml:"b"`},
		{Name: "C", Type: reflect.TypeOf(one{}), Tag: `yaml:"c"`},
	})).Interface()
	s := compileSchema(t, root)
	for text, ok := range map[string]bool{"{a: {a: 1}}": true, "{b: {b: 1}}": true, "{a: {b: 1}}": false, "{b: {a: 1}}": false, "{c: {a: {n: 5}}}": true, "{c: {a: 5}}": false} {
		if err := s.Validate(asJSON(t, text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

type inOne struct {
	N int `yaml:"n"`
}
