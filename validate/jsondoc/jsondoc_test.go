package jsondoc

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

func limits() Limits { return Limits{Depth: 50, Nodes: 10_000} }

func TestParse(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0`, `-12.5e+3`, `1E-7`, `""`, `"a\"\\\/\b\f\n\r\tA\u00e9\ud83d\udc9a"`, `[]`, `[1,2,[3]]`, `{}`,
		" {\n\t\"a\" : [ 1 , { \"b\" : null } ] }\r\n", `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10}`, `"äöü💚"`,
	} {
		if err := New().Parse([]byte(text), limits()); err != nil {
			t.Errorf("%s: %v at %d", text, err, err.Offset)
		}
	}
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("[", 51) + strings.Repeat("]", 51)
	many := "[" + strings.Repeat("1,", 10_000) + "1]"
	for text, want := range map[string]string{
		``: "ends before", ` `: "ends before", `nul`: "no JSON value", `True`: "no JSON value", `01`: "no JSON value", `+1`: "no JSON value", `.5`: "no JSON value",
		`1.`: "behind its point", `1e`: "in its exponent", `-`: "no JSON value", `NaN`: "no JSON value", `0x10`: "follows the value",
		`"a`: "closing quote", "\"a\nb\"": "control character", `"\x"`: "escape", `"\u12g4"`: "four digits", `"\ud83d"`: "half a character", `"\udc9a"`: "half a character", `"\ud83dA"`: "half a character",
		"\"\xff\"": "UTF-8", "\"\\n\xff\"": "UTF-8", "\"\xed\xa0\x80\"": "UTF-8",
		`[1`: "comma or ]", `[1,]`: "no JSON value", `[1 2]`: "comma or ]", `{`: "name is missing", `{"a"}`: "colon", `{"a":1,}`: "name is missing", `{a:1}`: "name is missing", `{"a":1 "b":2}`: "comma or }",
		`{"a":1,"a":2}`: "twice", `{"a":1,"\u0061":2}`: "twice", `{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"\u0031":1}`: "twice",
		`1 2`: "follows the value", `{}x`: "follows the value", "\ufeff{}": "no JSON value", deep: "nest deeper", many: "more values",
	} {
		err := New().Parse([]byte(text), limits())
		if err == nil || !strings.Contains(err.What, want) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, text := range []string{"", "-", "+1", "01", "1.", ".1", "1e", "1e+", "a", "1a", "0x1", "--1", "1 ", "Inf"} {
		if _, ok := ParseDecimal([]byte(text), nil); ok {
			t.Errorf("%q is a number", text)
		}
	}
	list := []string{"0", "-0", "0.0e5", "1", "1.0", "10e-1", "-1", "5", "5.00000000000000000001", "123456789012345678901234567890", "1e20", "100000000000000000000", "-2.5", "-25e-1", "1e-5", "0.00001", "9", "10"}
	for _, a := range list {
		for _, b := range list {
			x, _ := ParseDecimal([]byte(a), nil)
			y, _ := ParseDecimal([]byte(b), nil)
			p, _ := new(big.Rat).SetString(a)
			q, _ := new(big.Rat).SetString(b)
			if x.Compare(y) != p.Cmp(q) {
				t.Errorf("%s against %s: %d, want %d", a, b, x.Compare(y), p.Cmp(q))
			}
			if q.Sign() > 0 {
				got, known := x.IsMultiple(y)
				if want := new(big.Rat).Quo(p, q).IsInt(); !known || got != want {
					t.Errorf("%s of %s: %v, want %v", a, b, got, want)
				}
			}
		}
		x, _ := ParseDecimal([]byte(a), nil)
		if p, _ := new(big.Rat).SetString(a); x.IsWhole() != p.IsInt() {
			t.Errorf("%s is whole: %v", a, x.IsWhole())
		}
	}
}

func TestPointer(t *testing.T) {
	d := New()
	if err := d.Parse([]byte(`{"a": [1, {"b/c~": {"x\u001b\u202e": 5}}], "d": 1}`), limits()); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"": true, "/a": true, "/a/0": true, "/a/1": true, "/a/1/b~1c~0": true, "/a/1/b~1c~0/x": true, "/d": true}
	for n := range d.Nodes {
		delete(want, d.Pointer(0, uint32(n)))
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

func TestNoAllocation(t *testing.T) {
	text := []byte(`{"items": [{"sku": "ABC-1", "price": 19.99, "note": "a\nb"}, {"sku": "ABC-2", "price": 5}], "more": {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}}`)
	d := New()
	if n := testing.AllocsPerRun(100, func() { _ = d.Parse(text, limits()) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"items": [` + strings.Repeat(`{"sku": "ABC-1", "price": 19.99, "count": 3, "tags": ["a", "b"]},`, 20) + `{}], "customer": "ann"}`)
	d := New()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(text, limits()); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParse holds what is taken against encoding/json, which takes more:
// members twice, and broken characters.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"b\u00e9"],"c":null}`, `[[[]]]`, `"\ud83d\udc9a"`, `{"a":1,"a":2}`, `-0.0E-5`, ` true `, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := New()
		err := d.Parse(text, limits())
		if err != nil {
			if err.Offset < 0 || err.Offset > len(text) {
				t.Errorf("offset %d of %d", err.Offset, len(text))
			}
			return
		}
		var theirs any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&theirs); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if next := d.same(t, 0, theirs); next != uint32(len(d.Nodes)) {
			t.Errorf("%d of %d nodes", next, len(d.Nodes))
		}
		if !d.Equal(0, d, 0, func() bool { return true }) {
			t.Error("it is not equal to itself")
		}
		for n := range d.Nodes {
			_ = d.Pointer(0, uint32(n))
		}
	})
}

// same compares a node with what encoding/json made of it, and returns the node
// behind.
func (d *Doc) same(t *testing.T, n uint32, v any) uint32 {
	node := d.Nodes[n]
	ok := true
	switch v := v.(type) {
	case nil:
		ok = node.Kind == Null
	case bool:
		ok = node.Kind == True && v || node.Kind == False && !v
	case json.Number:
		ok = node.Kind == Number && string(d.Text(n)) == v.String()
	case string:
		ok = node.Kind == String && string(d.Text(n)) == v
	case []any:
		at := n + 1
		for _, item := range v {
			at = d.same(t, at, item)
		}
		ok = node.Kind == Array && int(node.Count) == len(v) && at == node.Next
	case map[string]any:
		ok = node.Kind == Object && int(node.Count) == len(v)
		for at := n + 1; at < node.Next; {
			at = d.same(t, at+1, v[string(d.Text(at))])
		}
	}
	if !ok {
		t.Errorf("node %d is %v, want %v", n, node, v)
	}
	return node.Next
}
