package config_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/config"
)

// ignorePlaces compares what is said, not where; secrets by their value.
func ignorePlaces() cmp.Options {
	return cmp.Options{
		cmpopts.IgnoreTypes(config.At{}, config.Pos{}),
		cmpopts.IgnoreUnexported(shop{}),
		cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	}
}

func load(t *testing.T, text string, into any, environment ...string) *config.Sources {
	t.Helper()
	s, err := config.LoadBytes("gw.yaml", []byte(text), into, config.Options{LookupEnv: env(environment...)})
	if err != nil {
		t.Fatalf("\n%v", err)
	}
	return s
}

func defaultLimits() limits {
	return limits{Body: 10 << 20, Headers: 100, Wait: config.Duration(30 * time.Second), Ratio: 0.5, Least: 5}
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func TestDecode(t *testing.T) {
	data, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	empty := func() gateway {
		return gateway{Account: "000000000000", Data: config.Path{Value: data}, Limits: defaultLimits()}
	}
	one := func(change func(*shop)) gateway {
		return with(empty(), func(g *gateway) {
			g.APIs = map[string]*shop{"a": new(with(shop{Name: "a"}, change))}
		})
	}
	route1 := func(r route) gateway { return one(func(s *shop) { s.Routes = []route{r} }) }
	yes, both := true, []string{"ip", "route"}
	tests := map[string]struct {
		text string
		want gateway
	}{
		"empty":             {"", empty()},
		"comment":           {"# nothing\n", empty()},
		"null":              {"~", empty()},
		"no sections":       {"apis:\nservices:\nlimits:\nrule:\ninclude:\n", empty()},
		"marker":            {"---\naccount: a\n...\n", with(empty(), func(g *gateway) { g.Account = "a" })},
		"directive":         {"%YAML 1.2\n---\naccount: a\n", with(empty(), func(g *gateway) { g.Account = "a" })},
		"byte order mark":   {"\ufeffaccount: a\r\nlimits:\r\n  least: 6\r\n", with(empty(), func(g *gateway) { g.Account, g.Limits.Least = "a", 6 })},
		"text as it stands": {"account: 012", with(empty(), func(g *gateway) { g.Account = "012" })},
		"yes is text":       {"account: yes", with(empty(), func(g *gateway) { g.Account = "yes" })},
		"true as text":      {"account: True", with(empty(), func(g *gateway) { g.Account = "True" })},
		"empty text":        {`account: ""`, with(empty(), func(g *gateway) { g.Account = "" })},
		"tagged":            {"account: !!str ~", with(empty(), func(g *gateway) { g.Account = "~" })},
		"folded":            {"account: >-\n  a\n  b\n", with(empty(), func(g *gateway) { g.Account = "a b" })},
		"absolute path":     {"data: /var/x/../y", with(empty(), func(g *gateway) { g.Data.Value = "/var/y" })},
		"section":           {"apis: {a: }", one(func(s *shop) {})},
		"single":            {"apis: {a: {domains: x}}", one(func(s *shop) { s.Domains = []string{"x"} })},
		"list":              {"apis: {a: {domains: [x, y]}}", one(func(s *shop) { s.Domains = []string{"x", "y"} })},
		"empty list":        {"apis: {a: {domains: []}}", one(func(s *shop) { s.Domains = []string{} })},
		"inline key":        {"apis: {a: {throttle: 5/m}}", one(func(s *shop) { s.Throttle = []rate{{Count: 5, Unit: "m"}} })},
		"long form":         {"apis: {a: {throttle: {count: 5}}}", one(func(s *shop) { s.Throttle = []rate{{Count: 5, Unit: "s"}} })},
		"both forms":        {"apis: {a: {throttle: [1/m, {count: 5}]}}", one(func(s *shop) { s.Throttle = []rate{{Count: 1, Unit: "m"}, {Count: 5, Unit: "s"}} })},
		"pointer":           {"apis: {a: {timeout: }}", one(func(s *shop) { s.Timeout = new(defaultLimits()) })},
		"secret":            {"apis: {a: {client-secret: 0123}}", one(func(s *shop) { s.Secret = config.NewSecret("0123") })},
		"prefixes": {"apis: {a: {nets: [10.0.0.0/8, \"::/0\"]}}", one(func(s *shop) {
			s.Nets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}
		})},
		"list default":    {"apis: {a: {routes: [{match: x}]}}", route1(route{Match: "x", Per: both})},
		"single enum":     {"apis: {a: {routes: [{match: x, per: ip}]}}", route1(route{Match: "x", Per: both[:1]})},
		"pointer default": {"log: {file: /x}", with(empty(), func(g *gateway) { g.Log = &logging{File: config.Path{Value: "/x"}, Format: "json", Strict: &yes} })},
		"recursive": {"rule: {not: {all: [{ip: 1.2.3.4}, {}]}}", with(empty(), func(g *gateway) {
			g.Rules = rule{Not: &rule{All: []rule{{IP: netip.MustParseAddr("1.2.3.4")}, {}}}}
		})},
		"own map keys": {`ports: {80: x, "*": y}`, with(empty(), func(g *gateway) { g.Ports = map[port]string{"80": "x", "*": "y"} })},
		"number keys":  {"statuses: {0o10: x}", with(empty(), func(g *gateway) { g.Statuses = map[int]config.Name{8: {Value: "x"}} })},
		"numbers": {"limits: {body: 64KiB, headers: +7, ratio: 1e-1, small: -128, least: 0o17, most: -5, wait: 1.5m}", with(empty(), func(g *gateway) {
			g.Limits = limits{Body: 64 << 10, Headers: 7, Ratio: 0.1, Small: -128, Least: 15, Most: -5, Wait: config.Duration(90 * time.Second)}
		})},
		"plain data": {`apis: {a: {extra: [1, -2.5, yes, True, ~, "1", 0x10, 08, 1_0, .inf, {404: x}, 1e3, !!str 5]}}`, one(func(s *shop) {
			s.Extra = []any{int64(1), -2.5, "yes", true, nil, "1", int64(16), int64(8), "1_0", ".inf", map[string]any{"404": "x"}, 1000.0, "5"}
		})},
		"alias": {"apis: {a: {domains: &d [x, &y y], nets: [], extra: {d: *d, y: *y}}}", one(func(s *shop) {
			s.Domains, s.Nets = []string{"x", "y"}, []netip.Prefix{}
			s.Extra = map[string]any{"d": []any{"x", "y"}, "y": "y"}
		})},
		"merge": {"services:\n  a: &a {targets: [x], backup: b}\n  b: {<<: *a, targets: [y]}\n  c: {<<: [{targets: [z]}, *a]}\n", with(empty(), func(g *gateway) {
			g.Services = map[string]service{"a": {Targets: []string{"x"}, Backup: "b"}, "b": {Targets: []string{"y"}, Backup: "b"}, "c": {Targets: []string{"z"}, Backup: "b"}}
		})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got gateway
			load(t, tt.text, &got)
			if diff := cmp.Diff(tt.want, got, ignorePlaces()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The decoder says where everything stands.
func TestPlaces(t *testing.T) {
	var got gateway
	load(t, "account: a\napis:\n  shop:\n    routes:\n      - match: x\n        target: y\n      - {match: z}\n    domains: [x]\n", &got)
	pos := func(line, column int) config.Pos { return config.Pos{File: "gw.yaml", Line: line, Column: column} }
	s := got.APIs["shop"]
	for name, tt := range map[string]struct{ got, want config.Pos }{
		"root":               {got.Pos, pos(1, 1)},
		"key":                {got.Of("apis"), pos(2, 1)},
		"absent key":         {got.Of("limits"), pos(1, 1)},
		"map entry":          {s.Pos, pos(3, 3)},
		"inlined":            {s.Of("routes"), pos(4, 5)},
		"item":               {s.Routes[0].Pos, pos(5, 9)},
		"key of item":        {s.Routes[0].Of("target"), pos(6, 9)},
		"value":              {s.Routes[0].Target.At, pos(6, 17)},
		"flow item":          {s.Routes[1].Pos, pos(7, 9)},
		"key of a flow item": {s.Routes[1].Of("match"), pos(7, 10)},
		"default":            {got.Data.At, config.Pos{}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s stands at %v, not at %v", name, tt.got, tt.want)
		}
	}
	if !got.Has("apis") || got.Has("limits") || s.Name != "shop" {
		t.Error("what the file says is forgotten")
	}
}

// A section is checked once it and all below it are right, inner ones first.
func TestCheckOrder(t *testing.T) {
	var got checked
	load(t, "inner: {}\nlist: [{}, {}]\n", &got)
	if want := "inner inner inner lent outer"; strings.Join(got.order(), " ") != want {
		t.Errorf("checked %v, not %s", got.order(), want)
	}
	var absent checked
	load(t, "", &absent)
	if want := "lent outer"; strings.Join(absent.order(), " ") != want {
		t.Errorf("checked %v, not %s", absent.order(), want)
	}
}

type checked struct {
	Inner checkedInner   `yaml:"inner"`
	List  []checkedInner `yaml:"list"`
	Lent  checkedLent    `yaml:",inline"`
	done  bool
}

type checkedInner struct{ done bool }

type checkedLent struct{ done bool }

func (c *checked) Check(*config.Report)      { c.done = true }
func (c *checkedInner) Check(*config.Report) { c.done = true }
func (c *checkedLent) Check(*config.Report)  { c.done = true }

func (c *checked) order() []string {
	var order []string
	if c.Inner.done {
		order = append(order, "inner")
	}
	for _, i := range c.List {
		if i.done {
			order = append(order, "inner")
		}
	}
	if c.Lent.done {
		order = append(order, "lent")
	}
	if c.done {
		order = append(order, "outer")
	}
	return order
}

// An Unmarshaler begins with its defaults, its place and its key.
func TestUnmarshalerBeginsWithDefaults(t *testing.T) {
	var got struct {
		Map map[string]*prepared `yaml:"map"`
		Abs prepared             `yaml:"abs"`
	}
	load(t, "map: {a: short, b: {size: 5}}\n", &got)
	a, b := got.Map["a"], got.Map["b"]
	if a.Name != "a" || a.Size != 3 || a.Pos.Column != 7 || !a.seen {
		t.Errorf("short form: %+v", a)
	}
	if b.Name != "b" || b.Size != 5 || b.Of("size").Column != 21 {
		t.Errorf("long form: %+v", b)
	}
	if got.Abs.Size != 3 || got.Abs.seen {
		t.Errorf("absent: %+v", got.Abs)
	}
}

type prepared struct {
	config.At
	Name string `yaml:"-" key:"true"`
	Size int    `yaml:"size" default:"3"`
	seen bool
}

func (p *prepared) UnmarshalConfig(n *config.Node) {
	p.seen = p.Size == 3 && p.Name != "" && p.Pos.IsValid()
	if n.Kind() == config.Map {
		type long prepared
		n.Decode((*long)(p))
	}
}

// What a Node's own methods say of a reference is not what it stands for.
func TestNodeProblems(t *testing.T) {
	var got struct {
		Kind  kindName `yaml:"kind"`
		Other kindName `yaml:"other"`
	}
	_, err := config.LoadBytes("gw.yaml", []byte("kind: orng\nother: ${env:K}\n"), &got, config.Options{LookupEnv: env("K", "orn")})
	want := `gw.yaml:1:7: kind: unknown fruit "orng"
    kind: orng
          ^
  hint: did you mean "orange"?
gw.yaml:2:8: other: the value of ${env:K} is an unknown fruit
    other: ${env:K}
           ^
  hint: known: apple, orange`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

type kindName string

func (k *kindName) UnmarshalConfig(n *config.Node) {
	text, _ := n.Text()
	n.Unknown("fruit", text, []string{"apple", "orange"})
	*k = kindName(n.Pos().String())
}

// A node gives its entries in the order of the file, with their places.
func TestNodeEach(t *testing.T) {
	var got struct {
		Weights weights `yaml:"weights"`
	}
	load(t, "weights: {b: 1, a: [2, 3]}\n", &got)
	if want := []string{"b=1@11", "=2@21", "=3@24"}; !reflect.DeepEqual(got.Weights.said, want) {
		t.Errorf("%v", got.Weights.said)
	}
}

type weights struct{ said []string }

func (w *weights) UnmarshalConfig(n *config.Node) {
	n.Each(func(key string, at config.Pos, v *config.Node) {
		if v.Kind() == config.List {
			w.UnmarshalConfig(v)
			return
		}
		text, _ := v.Text()
		w.said = append(w.said, fmt.Sprintf("%s=%s@%d", key, text, at.Column))
	})
}

// What an alias repeats costs each time, so that a short file cannot grow
// without bounds.
func TestBounds(t *testing.T) {
	laughs := "apis: {x: {extra: {a: &a [l, l, l, l, l, l, l, l, l, l]"
	for c := 'b'; c < 'k'; c++ {
		laughs += fmt.Sprintf(", %c: &%c [%s*%c]", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9), c-1)
	}
	merges := "services:\n  s0: &s0 {targets: [x]}\n"
	for i := range 300 {
		merges += fmt.Sprintf("  s%d: &s%d {<<: [%s*s0], k%d: 1}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*s%d, ", i), 300), i)
	}
	keys := strings.Builder{}
	for i := range 20_000 {
		fmt.Fprintf(&keys, "k%d:\n", i)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"laughs":   {laughs + "}}}", "more than 1000000 values"},
		"merges":   {merges, "merge keys bring in more than 1000000 keys"},
		"lists":    {"apis: {x: {extra: " + strings.Repeat("[", 1e6), "nest deeper than 64"},
		"maps":     {strings.Repeat("{a: ", 1e5), "nest deeper than 64"},
		"dashes":   {strings.Repeat("- ", 1e6), "nest deeper than 64"},
		"columns":  {strings.Repeat(" ", 200) + "a:\n" + ladder(100), "nest deeper than 64"},
		"tags":     {"a: " + strings.Repeat("!!seq ", 1e5), "nest deeper than 64"},
		"keys":     {keys.String(), "a map of more than 10000 keys"},
		"empty":    {"apis:\n" + strings.Repeat("  - x:\n    y:\n", 20_000), "without a value"},
		"left out": {"apis: [" + strings.Repeat("{a, b, c},", 10_000) + "]", "without a value"},
		"blank":    {"account: |\n  x" + strings.Repeat("\n", 50_000), "more than 1000 empty lines in a row"},
		"problems": {"apis: {x: {nets: [" + strings.Repeat("x, ", 5000) + "]}}", "more than 1000 problems: the rest is not told"},
		"size":     {strings.Repeat(" ", 5<<20), "is larger than 2MiB"},
		"aliases":  {"apis: {x: {extra: " + nested(100) + "}}", "nest deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.LoadBytes("gw.yaml", []byte(tt.text), new(gateway), config.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.1000v", err)
			}
		})
	}
}

// ladder is a map within a map, depth times.
func ladder(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// nested is a list of lists that nest by aliases alone.
func nested(depth int) string {
	out := "[&a0 [x]"
	for i := range depth {
		out += fmt.Sprintf(", &a%d [*a%d]", i+1, i)
	}
	return out + "]"
}

// Mistakes in tags are found by the first test that decodes the section.
func TestBadTagsPanic(t *testing.T) {
	for name, into := range map[string]any{
		"twice": new(struct {
			A int `yaml:"a"`
			B int `yaml:"a"`
		}),
		"range": new(struct {
			A int `yaml:"a" range:"x..y"`
		}),
		"no range": new(struct {
			A string `yaml:"a" range:"1..2"`
		}),
		"enum": new(struct {
			A rate `yaml:"a" enum:"x"`
		}),
		"inline": new(struct {
			A *rate `yaml:",inline"`
		}),
		"key": new(struct {
			A int `yaml:"-" key:"true"`
		}),
		"bytes": new(struct {
			A []byte `yaml:"a" default:"x"`
		}),
		"no decoder": new(struct {
			A chan int `yaml:"a" default:"x"`
		}),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			config.LoadBytes("x", nil, into, config.Options{})
		})
	}
}
