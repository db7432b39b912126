package tree

import (
	"encoding/json"
	"strings"
	"testing"
)

func parseJSON(text string) (*Value, []Problem) {
	var problems []Problem
	v := NewFile("a.json", []byte(text)).ParseJSON(func(p Problem) { problems = append(problems, p) })
	return v, problems
}

func TestParseJSON(t *testing.T) {
	v, problems := parseJSON("{\r\n  \"a\": [1, \"b\\u00e9\\/\\ud83d\\udc9a\", null, true],\n  \"ä\": {\"x\": {}}\n}")
	if v == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	items := v.Find("a").Value.Items
	if len(items) != 4 || items[0].Text != "1" || !items[0].Plain || items[1].Text != "bé/💚" || items[1].Plain || items[2].Kind != Null || items[3].Text != "true" {
		t.Errorf("%+v", items)
	}
	for _, tc := range []struct{ got, want string }{
		{v.Pos.String(), "a.json:1:1"}, {v.Find("a").Pos.String(), "a.json:2:3"}, {items[0].Pos.String(), "a.json:2:9"},
		{v.Find("ä").Value.Find("x").Pos.String(), "a.json:3:9"}, {items[3].Pos.String(), "a.json:2:43"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}

func TestParseJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "a.json:1:1: broken JSON: a value is missing",
		"{\n \"a\" 1}":          "a.json:2:6: broken JSON: a colon is missing",
		`{"a": 1,}`:             "a.json:1:9: broken JSON: a key is missing",
		`{"a": 1 "b": 2}`:       "a.json:1:9: broken JSON: a comma or } is missing",
		`[1,]`:                  `a.json:1:4: broken JSON: "" is no value`,
		`[1 2]`:                 "a.json:1:4: broken JSON: a comma or ] is missing",
		`{a: 1}`:                "a.json:1:2: broken JSON: a key is missing",
		`{"a": yes}`:            `a.json:1:7: broken JSON: "yes" is no value`,
		`{"a": 01}`:             `"01" is no value`,
		`{"a": "x`:              "without its closing quote",
		"{\"a\": \"x\ny\"}":     "a line break",
		`{"a": "\q"}`:           `an escape that JSON does not have: \q`,
		`{"a": "\ud83d"}`:       "half a character",
		`{"a": "\u12"}`:         "without four digits",
		"{\"a\": \"\xff\"}":     "not UTF-8",
		`{} {}`:                 "something follows",
		`{"a": 1, "a": 2}`:      `a.json:1:10: duplicate key "a": first said at line 1`,
		"{ // no\n}":            "a key is missing",
		strings.Repeat("[", 65): "nest deeper than 64",
	} {
		_, problems := parseJSON(text)
		if len(problems) != 1 {
			t.Errorf("%.30q: %v", text, problems)
			continue
		}
		if got := problems[0].Pos.String() + ": " + problems[0].Message; !strings.Contains(got, want) {
			t.Errorf("%.30q: got %s, want %s", text, got, want)
		}
	}
}

func TestParseJSONManyKeys(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"k0":0`)
	for range 20_000 {
		b.WriteString(`,"k0":0`)
	}
	v, problems := parseJSON(b.String() + "}")
	if v == nil || len(v.Entries) != 1 || len(problems) != 20_000 {
		t.Errorf("%d problems", len(problems))
	}
}

// FuzzParseJSON holds what is taken against encoding/json.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"b\u00e9"],"c":null}`, `[[[]]]`, `"\ud83d\udc9a"`, `{"a":1,"a":2}`, "{\n\"a\":\t-0.0E-5}", ` true `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, problems := parseJSON(text)
		for _, p := range problems {
			if !p.Pos.IsValid() {
				t.Errorf("%v has no place", p)
			}
		}
		if v != nil && !strings.HasPrefix(text, "\ufeff") && !json.Valid([]byte(text)) {
			t.Errorf("encoding/json refuses %q", text)
		}
	})
}
