package importer

import (
	"strings"
	"testing"

	"gatehouse/config"
)

type document struct {
	config.At
	Text  string            `yaml:"text"`
	List  []string          `yaml:"list"`
	Map   map[string]string `yaml:"map"`
	Items []item            `yaml:"items"`
}

type item struct {
	config.At
	A string   `yaml:"a"`
	B []string `yaml:"b"`
}

func load(t *testing.T, text string) document {
	t.Helper()
	var d document
	if _, err := config.LoadBytes("t.yaml", []byte(text), &d, config.Options{}); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return d
}

// odd is text that YAML, references or terminals would take for something else.
var odd = []string{
	"plain", "with space", " leading", "trailing ", "", "a: b", "a #b", "#a", "- a", "-", "true", "no", "null", "~", "12", "1.5", "0x1f", "1e3", "1:2", "2001-01-01",
	"{a}", "[a]", "a, b", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", `"a"`, "'a'", `back\slash`, "line\nbreak", "tab\ttab", "\x00", "\x1b[31m", "\u202e", "é", "日本", "\U0001f600",
	"${env:HOME}", "$${x}", "a${b", "ANY /p/{proxy*}", "service:orders", "http://localhost:3000", "?", ":", "a:", "key: value", "---", "...", "a\u2028b", "\ufeffx", "=", "<<",
	"10.0.0.0/8", "10/s", "GET,POST /x", "x y: z", "{proxy}", "a]b", "a}b",
}

func TestScalarsStayThemselves(t *testing.T) {
	for _, text := range odd {
		if text == "" {
			continue
		}
		for _, style := range []struct {
			name string
			make func() *Map
		}{{"block", NewMap}, {"flow", Flow}} {
			root := NewMap().Put("text", text).Put("list", []string{text, "x"}).Put("map", style.make().Put("k", text).Put("l", "y"))
			items := NewList().Add(style.make().Put("a", text).Put("b", []string{text}))
			root.Put("items", items)
			var w writer
			w.mapping(root, 0)
			d := load(t, w.b.String())
			if d.Text != text || d.List[0] != text || d.List[1] != "x" || d.Map["k"] != text || d.Map["l"] != "y" || d.Items[0].A != text || d.Items[0].B[0] != text {
				t.Errorf("%s: %q was read as %q, %q, %q, %+v of\n%s", style.name, text, d.Text, d.List, d.Map, d.Items, w.b.String())
			}
		}
	}
}

// TestKeysStayThemselves: names are the source's, as far as they can be keys.
func TestKeysStayThemselves(t *testing.T) {
	for _, key := range []string{"x-tier", "X_Tier", "true", "no", "null", "12", "1.5", "2001-01-01", "a.b", "y", "0x1f", "1e3"} {
		if !IsName(key) {
			t.Errorf("%q is no name", key)
		}
		for _, m := range []*Map{NewMap(), Flow()} {
			m.Put(key, "v")
			var w writer
			w.mapping(NewMap().Put("map", m), 0)
			if d := load(t, w.b.String()); d.Map[key] != "v" {
				t.Errorf("%q was read as %q of\n%s", key, d.Map, w.b.String())
			}
		}
	}
	for _, key := range []string{"", "-a", "_a", ".a", "a b", "a:b", "é", strings.Repeat("x", 129)} {
		if IsName(key) {
			t.Errorf("%q is a name", key)
		}
	}
}

// TestComments: nothing in one begins a line of its own, long ones are broken,
// and each stands before what it is about.
func TestComments(t *testing.T) {
	root := NewMap().Note("first\nmap: {k: broken}", "\x1b[31mred", strings.Repeat("word ", 60)).Put("text", "a")
	inner := NewList().Note("of the item").Add(NewMap().Note("of its key").Put("a", "b").Note("at its end"))
	root.Put("items", inner).Note("at the end")
	var w writer
	w.mapping(root, 0)
	text := w.b.String()
	if d := load(t, text); d.Text != "a" || d.Map != nil || len(d.Items) != 1 || d.Items[0].A != "b" {
		t.Errorf("read as %+v of\n%s", d, text)
	}
	for line := range strings.Lines(text) {
		if len(line) > width+1 || strings.ContainsAny(line, "\x1b") {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	want := "items:\n  # of the item\n  # of its key\n  - a: b\n    # at its end\n# at the end\n"
	if !strings.HasSuffix(text, want) {
		t.Errorf("got\n%s\nwant at the end\n%s", text, want)
	}
}

func TestNames(t *testing.T) {
	n := Names{}
	for _, tc := range [][2]string{{"Shop API", "shop-api"}, {"shop.api", "shop-api-2"}, {"***", "service"}, {"日本", "service-2"}, {strings.Repeat("x", 100), strings.Repeat("x", 60)}, {"-a-", "a"}} {
		if got := n.Of(tc[0], "service"); got != tc[1] {
			t.Errorf("%q: %q, want %q", tc[0], got, tc[1])
		}
	}
}

// TestAccess: what is alike for all routes is said once; what is closed has an
// authorizer that lets nobody in.
func TestAccess(t *testing.T) {
	open, closed, named := Access{}, Access{Closed: "keys"}, Access{Authorizers: []string{"people"}}
	for _, tc := range []struct {
		routes []Access
		want   []string
		not    string
	}{
		{[]Access{open, open}, []string{"    authorize: none\n    routes:", "OPEN to everybody"}, "undecided"},
		{[]Access{closed, closed}, []string{"    authorize: undecided\n", "CLOSED until you decide who may call: keys", "jwks: development"}, "none"},
		{[]Access{open, closed, named}, []string{"authorize: none", "authorize: undecided", "authorize: people"}, "    authorize: none\n    routes:"},
	} {
		c := &Config{}
		a := &API{Name: "a"}
		for i, access := range tc.routes {
			a.Routes = append(a.Routes, &Route{Match: "GET /" + string(rune('a'+i)), Target: "service:s", Access: access})
		}
		c.APIs = append(c.APIs, a)
		r := c.Result()
		for _, want := range tc.want {
			if !strings.Contains(string(r.Text), want) {
				t.Errorf("%v: no %q in\n%s", tc.routes, want, r.Text)
			}
		}
		if strings.Contains(string(r.Text), tc.not) {
			t.Errorf("%v: %q in\n%s", tc.routes, tc.not, r.Text)
		}
	}
}
