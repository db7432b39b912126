package field

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"gatehouse/exchange"
	"gatehouse/waf/text"
)

// look returns what of a request a spec takes out.
func look(t testing.TB, s Spec, limits Limits, request string) (*Value, error) {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(head, "\n")
	method, target, _ := strings.Cut(lines[0], " ")
	r := httptest.NewRequest(method, "/", nil)
	r.Body = io.NopCloser(strings.NewReader(body))
	r.ContentLength = int64(len(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{JA4: "t13i"}, nil)
	if err := x.Path.Parse(target); err != nil {
		t.Fatal(err)
	}
	var plan Plan
	at := plan.Slot(&s, nil)
	v := &View{}
	if limits.Body == 0 {
		limits.Body = 1 << 10
	}
	v.Begin(&plan, limits, x, r)
	value := v.At(at)
	for i := range value.Parts {
		value.Parts[i].Name = v.Where(at, i)
	}
	return value, v.Err()
}

func TestTake(t *testing.T) {
	const request = "POST /a%62/%C3%BC%20x/?id=1&ID=%32&b&&c=d=e&%69d=3\nHost: shop.test\nX-Two: one\nX-Two: two\nCookie: a=1; b=\"2\" ;c;; =d\nCookie: a=3\nUser-Agent: x\n\n{}"
	for _, tc := range []struct {
		spec Spec
		want string
	}{
		{Spec{Kind: Method}, "POST"},
		{Spec{Kind: Path}, "/ab/%C3%BC%20x/"},
		{Spec{Kind: Query}, "id=1&ID=%32&b&&c=d=e&%69d=3"},
		{Spec{Kind: Argument, Name: "id"}, "id=1|ID=%32|%69d=3"},
		{Spec{Kind: Argument, Name: "none"}, ""},
		{Spec{Kind: Arguments}, "id=1|ID=%32|b=|c=d=e|%69d=3"},
		{Spec{Kind: Header, Name: "x-two"}, "x-two=one|x-two=two"},
		{Spec{Kind: Header, Name: "host"}, "host=shop.test"},
		{Spec{Kind: Headers, Scope: Keys, Exclude: []string{"cookie"}}, "#host|#user-agent|#x-two"},
		{Spec{Kind: Headers, Scope: Values, Include: []string{"x-two", "host"}}, "host=shop.test|x-two=one|x-two=two"},
		{Spec{Kind: Headers, Include: []string{"x-two"}}, "#x-two|x-two=one|x-two=two"},
		{Spec{Kind: Cookies}, "#a|a=1|#b|b=\"2\"|c|d|#a|a=3"},
		{Spec{Kind: Cookies, Scope: Values, Include: []string{"a"}}, "a=1|a=3"},
		{Spec{Kind: Cookies, Scope: Keys, Exclude: []string{"a"}}, "#b"},
		{Spec{Kind: Body}, "{}"},
		{Spec{Kind: JA4}, "t13i"},
		{Spec{Kind: JA3}, "absent"},
	} {
		v, err := look(t, tc.spec, Limits{}, request)
		if got := printed(v); got != tc.want || err != nil {
			t.Errorf("%v: %s (%v), want %s", tc.spec, got, err, tc.want)
		}
	}
}

// printed is a value's parts: NAME=TEXT, #NAME for a name.
func printed(v *Value) string {
	if v.Absent {
		return "absent"
	}
	var out []string
	for _, p := range v.Parts {
		switch {
		case p.Key:
			out = append(out, "#"+p.Text)
		case p.Name != "":
			out = append(out, p.Name+"="+p.Text)
		default:
			out = append(out, p.Text)
		}
	}
	return strings.Join(out, "|")
}

func TestJSON(t *testing.T) {
	for _, tc := range []struct {
		spec Spec
		body string
		want string
	}{
		{Spec{}, `{"a": 1, "b": ["x", {"c": null}], "": true}`, "#a|/a=1|#b|/b/0=x|#c|/b/1/c=null|#|/=true"},
		{Spec{Scope: Values}, `["\u0061\n\"\\\/\ud83d\ude00\ud83d"]`, "/0=a\n\"\\/😀\ufffd"},
		{Spec{Scope: Keys}, `{"a~b/c": {"\u0061": 1}}`, "#a~b/c|#a"},
		{Spec{Include: []string{"/a~0b~1c/a"}}, `{"a~b/c": {"\u0061": 1, "ab": 2}}`, "#a|/a~0b~1c/a=1"},
		{Spec{Include: []string{"/b/1"}}, `{"b": [1, [2, {"x": 3}], 4]}`, "/b/1/0=2|#x|/b/1/1/x=3"},
		{Spec{}, `{"a": 1, "a": 2}`, "#a|/a=1|#a|/a=2"},
		{Spec{}, "\ufeff 1.5e-3 ", "1.5e-3"},
		{Spec{}, `"x" y`, "x invalid"},
		{Spec{}, `{"a": 'b'}`, "#a|/a= invalid"},
		{Spec{}, `{"a": "b`, "#a|/a=b invalid"},
		{Spec{}, `{a: 1}`, " invalid"},
		{Spec{}, `[01]`, "/0=01 invalid"},
		{Spec{}, `[1,]`, "/0=1|/1= invalid"},
		{Spec{}, "[\"a\tb\"]", "/0=a invalid"},
		{Spec{Invalid: InvalidText}, `x=1`, "x=1 invalid"},
		{Spec{}, "", ""},
	} {
		tc.spec.Kind = JSON
		v, err := look(t, tc.spec, Limits{}, "POST /\n\n"+tc.body)
		got := printed(v)
		if v.Invalid {
			got += " invalid"
		}
		if got != tc.want || err != nil {
			t.Errorf("%s: %q (%v), want %q", tc.body, got, err, tc.want)
		}
	}
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	if v, _ := look(t, Spec{Kind: JSON}, Limits{}, "POST /\n\n"+deep); !v.Invalid {
		t.Error("JSON may nest for ever")
	}
	if v, _ := look(t, Spec{Kind: JSON}, Limits{}, "POST /\n\n"+deep[1:len(deep)-1]); v.Invalid {
		t.Error("JSON may not nest as deep as it may")
	}
}

func TestBeyond(t *testing.T) {
	body := "POST /\n\n" + `{"a": "` + strings.Repeat("x", 2000) + `"}`
	if _, err := look(t, Spec{Kind: Body}, Limits{}, body); err != ErrBeyond {
		t.Errorf("a body beyond the limit is no error: %v", err)
	}
	for _, limits := range []Limits{{Beyond: true}, {}} {
		for _, kind := range []Kind{Body, JSON} {
			s := Spec{Kind: kind}
			if !limits.Beyond {
				s.Over = Continue
			}
			v, err := look(t, s, limits, body)
			if err != nil || !v.Over || v.Invalid || len(v.Parts[len(v.Parts)-1].Text) > 1<<10 {
				t.Errorf("%v: over %v, invalid %v, %v", kind, v.Over, v.Invalid, err)
			}
		}
	}
	// Cut anywhere, what is there of JSON is no mistake.
	whole := `{"a": [1, "b\u0061\n", {"c": true, "d": -1.5e3}], "e": null}`
	for n := 1; n < len(whole); n++ {
		v, err := look(t, Spec{Kind: JSON, Over: Continue}, Limits{Body: n}, "POST /\n\n"+whole)
		if err != nil || v.Invalid || !v.Over {
			t.Errorf("%s: invalid %v, over %v, %v", whole[:n], v.Invalid, v.Over, err)
		}
	}
}

func TestCodings(t *testing.T) {
	coded := func(name string, plain []byte) string {
		var b bytes.Buffer
		var w io.WriteCloser
		switch name {
		case "gzip", "x-gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "br":
			w = brotli.NewWriter(&b)
		case "zstd":
			w, _ = zstd.NewWriter(&b)
		}
		w.Write(plain)
		w.Close()
		return b.String()
	}
	plain := []byte("<script>" + strings.Repeat("x", 500))
	for _, name := range []string{"gzip", "x-gzip", "deflate", "br", "zstd"} {
		request := "POST /\nContent-Encoding: " + strings.ToUpper(name) + "\n\n" + coded(name, plain)
		v, err := look(t, Spec{Kind: Body}, Limits{}, request)
		if err != nil || v.Parts[0].Text != string(plain) {
			t.Errorf("%s: %v, %v", name, v.Parts, err)
		}
		bomb := "POST /\nContent-Encoding: " + name + "\n\n" + coded(name, make([]byte, 1<<20))
		if v, err = look(t, Spec{Kind: Body}, Limits{Body: 64 << 10, Beyond: true}, bomb); err != nil || !v.Over || len(v.Parts[0].Text) != 64<<10 {
			t.Errorf("%s: a bomb gives %d bytes, %v", name, len(v.Parts[0].Text), err)
		}
		if _, err = look(t, Spec{Kind: Body}, Limits{Body: 64 << 10}, bomb); err != ErrBeyond {
			t.Errorf("%s: a bomb is no error: %v", name, err)
		}
		for _, broken := range []string{"plain <script>", coded(name, plain)[:12]} {
			_, err := look(t, Spec{Kind: Body}, Limits{}, "POST /\nContent-Encoding: "+name+"\n\n"+broken)
			if fault := (*exchange.BodyFault)(nil); !errors.As(err, &fault) || fault.Status != 415 {
				t.Errorf("%s, broken: %v", name, err)
			}
		}
	}
	twice := "POST /\nContent-Encoding: gzip\nContent-Encoding: br, identity\n\n" + coded("br", []byte(coded("gzip", plain)))
	if v, err := look(t, Spec{Kind: Body}, Limits{}, twice); err != nil || v.Parts[0].Text != string(plain) {
		t.Errorf("coded twice: %v", err)
	}
	for _, header := range []string{"compress", "gzip, gzip, gzip", "gzip;q=1"} {
		_, err := look(t, Spec{Kind: Body}, Limits{}, "POST /\nContent-Encoding: "+header+"\n\nx")
		if fault := (*exchange.BodyFault)(nil); !errors.As(err, &fault) || fault.Status != 415 {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func TestOversizeHeaders(t *testing.T) {
	for request, want := range map[string]bool{
		"GET /\nA: " + strings.Repeat("x", 8<<10):        true,
		"GET /\nA: " + strings.Repeat("x", 8000):         false,
		"GET /" + strings.Repeat("\nA: b", maxHeaders+1): true,
	} {
		if v, _ := look(t, Spec{Kind: Headers}, Limits{}, request); v.Over != want {
			t.Errorf("%.20s: over %v", request, v.Over)
		}
	}
	if v, _ := look(t, Spec{Kind: Cookies}, Limits{}, "GET /\nCookie: "+strings.Repeat("a=b; ", 201)); !v.Over {
		t.Error("cookies are never over")
	}
}

// What several statements ask for is taken out once, and transformed once.
func TestShared(t *testing.T) {
	var plan Plan
	a := plan.Slot(&Spec{Kind: Header, Name: "user-agent"}, text.Chain{text.Lowercase})
	b := plan.Slot(&Spec{Kind: Header, Name: "user-agent"}, text.Chain{text.None, text.Lowercase})
	c := plan.Slot(&Spec{Kind: Header, Name: "user-agent"}, nil)
	if a != b || a == c || plan.ReadsBody() {
		t.Error(a, b, c)
	}
	if d := plan.Slot(&Spec{Kind: Header, Name: "referer"}, nil); d == c {
		t.Error("two headers share a place")
	}
	plan.Slot(&Spec{Kind: JSON}, nil)
	if !plan.ReadsBody() || plan.ReadsHandshake() {
		t.Error("what the plan needs")
	}
}

// FuzzJSON holds the parser to encoding/json: the same documents, the same texts.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, "b", {"c": null}], "a": true}`, `"\ud83d\ude00\ud800\u0000"`, `[1.0e+5,-0,01]`, `{"a":`, "\"\xff\"", `[[[]]]`, ` {} `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.HasPrefix(body, "\ufeff") || strings.Count(body, "[")+strings.Count(body, "{") > maxDepth {
			return
		}
		var v Value
		ok := (&parser{in: body, spec: &Spec{Kind: JSON}, value: &v}).document()
		if ok != json.Valid([]byte(body)) {
			t.Fatalf("%q: %v", body, ok)
		}
		if !ok {
			return
		}
		var got []string
		for _, p := range v.Parts {
			got = append(got, string([]rune(p.Text)))
		}
		if want := tokens(t, body); !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", body, got, want)
		}
	})
}

// tokens are the names and values of a document, by encoding/json.
func tokens(t *testing.T, body string) (out []string) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	for {
		token, err := d.Token()
		switch token := token.(type) {
		case json.Delim:
		case nil:
			if err == io.EOF {
				return out
			} else if err != nil {
				t.Fatal(err)
			}
			out = append(out, "null")
		default:
			out = append(out, fmt.Sprint(token))
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	r := httptest.NewRequest("GET", "/", nil)
	for name, value := range map[string]string{"User-Agent": "Mozilla/5.0", "Accept": "*/*", "Cookie": "a=b; c=d", "Accept-Language": "en"} {
		r.Header.Set(name, value)
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	if err := x.Path.Parse("/orders/42?id=1"); err != nil {
		b.Fatal(err)
	}
	var plan Plan
	var slots []int
	for _, s := range []Spec{{Kind: Path}, {Kind: Arguments}, {Kind: Header, Name: "user-agent"}, {Kind: Cookies}, {Kind: Headers}} {
		slots = append(slots, plan.Slot(&s, text.Chain{text.URLDecode, text.Lowercase}))
	}
	var v View
	b.ReportAllocs()
	for b.Loop() {
		v.Begin(&plan, Limits{Body: 1 << 10}, x, r)
		for _, at := range slots {
			v.At(at)
		}
		v.End()
	}
}

func BenchmarkJSON(b *testing.B) {
	body := `{"items": [` + strings.Repeat(`{"sku": "ABC-1", "price": 19.99, "note": "gift \u0026 card"},`, 20) + `{"sku": "ABC-2"}], "customer": {"id": 42, "email": "a@b.test"}}`
	var v Value
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		v.Parts = v.Parts[:0]
		if !(&parser{in: body, spec: &Spec{Kind: JSON}, value: &v}).document() {
			b.Fatal("no JSON")
		}
	}
}
