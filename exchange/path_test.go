package exchange

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestPathParse(t *testing.T) {
	for _, test := range []struct {
		target    string
		segments  []string
		slash     bool
		query     string
		oddities  Oddity
		canonical string // "" where it is the path itself
	}{
		{target: "/"},
		{target: "/orders", segments: []string{"orders"}},
		{target: "/orders/", segments: []string{"orders"}, slash: true},
		{target: "/orders/42?a=1&b=%zz?", segments: []string{"orders", "42"}, query: "a=1&b=%zz?", canonical: "/orders/42"},
		{target: "/?", canonical: "/"},
		{target: "/caf%C3%a9/%7euser", segments: []string{"café", "~user"}, canonical: "/caf%C3%A9/~user"},
		{target: "/café", segments: []string{"café"}, canonical: "/caf%C3%A9"},
		{target: "/a+b/c%20d", segments: []string{"a+b", "c d"}},
		{target: "/a:b@c,d=e$f!g'h(i)*&j", segments: []string{"a:b@c,d=e$f!g'h(i)*&j"}},
		{target: `/a"<>^{}|` + "`", segments: []string{`a"<>^{}|` + "`"}, canonical: "/a%22%3C%3E%5E%7B%7D%7C%60"},
		{target: "//", segments: []string{""}, slash: true, oddities: EmptySegment},
		{target: "//a", segments: []string{"", "a"}, oddities: EmptySegment},
		{target: "/a//", segments: []string{"a", ""}, slash: true, oddities: EmptySegment},
		{target: "/a//b", segments: []string{"a", "", "b"}, oddities: EmptySegment},
		{target: "/.", segments: []string{"."}, oddities: DotSegment},
		{target: "/a/../b", segments: []string{"a", "..", "b"}, oddities: DotSegment},
		{target: "/a/%2e%2E/b", segments: []string{"a", "..", "b"}, oddities: DotSegment, canonical: "/a/../b"},
		{target: "/a/..;x=1/b", segments: []string{"a", "..;x=1", "b"}, oddities: DotSegment | Semicolon},
		{target: "/a/..%3b/b", segments: []string{"a", "..;", "b"}, oddities: DotSegment | EncodedSemicolon, canonical: "/a/..%3B/b"},
		{target: "/a/...", segments: []string{"a", "..."}},
		{target: "/.well-known/x", segments: []string{".well-known", "x"}},
		{target: `/a\b`, segments: []string{`a\b`}, oddities: Backslash, canonical: "/a%5Cb"},
		{target: "/a%5cb", segments: []string{`a\b`}, oddities: Backslash, canonical: "/a%5Cb"},
		{target: `/a\..\b`, segments: []string{`a\..\b`}, oddities: Backslash | DotSegment, canonical: "/a%5C..%5Cb"},
		{target: "/a%2fb", segments: []string{"a/b"}, oddities: EncodedSlash, canonical: "/a%2Fb"},
		{target: "/a%2f..%2fb", segments: []string{"a/../b"}, oddities: EncodedSlash | DotSegment, canonical: "/a%2F..%2Fb"},
		{target: "/a;v=1", segments: []string{"a;v=1"}, oddities: Semicolon},
		{target: "/a%3bv=1", segments: []string{"a;v=1"}, oddities: EncodedSemicolon, canonical: "/a%3Bv=1"},
		{target: "/a;b%3bc", segments: []string{"a;b;c"}, oddities: Semicolon | EncodedSemicolon, canonical: "/a%3Bb%3Bc"},
		{target: "/100%25", segments: []string{"100%"}, oddities: EncodedPercent},
		{target: "/a%252fb", segments: []string{"a%2fb"}, oddities: EncodedPercent},
		{target: "/a/%252e%252E/b", segments: []string{"a", "%2e%2E", "b"}, oddities: EncodedPercent | DotSegment},
		{target: "/%252e%252e%255cb", segments: []string{"%2e%2e%5cb"}, oddities: EncodedPercent | DotSegment},
	} {
		var p Path
		if err := p.Parse(test.target); err != nil {
			t.Errorf("%q: %v", test.target, err)
			continue
		}
		if test.canonical == "" {
			test.canonical = test.target
		}
		if !slices.Equal(p.Segments, test.segments) || p.Slash != test.slash || p.Query != test.query || p.Oddities != test.oddities {
			t.Errorf("%q: segments %q, slash %v, query %q, oddities %s", test.target, p.Segments, p.Slash, p.Query, p.Oddities)
		}
		if got := p.Canonical(); got != test.canonical {
			t.Errorf("%q: canonical %q, not %q", test.target, got, test.canonical)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	for target, want := range map[string]error{
		"":                              ErrPathForm,
		"*":                             ErrPathForm,
		"?a":                            ErrPathForm,
		"orders":                        ErrPathForm,
		"http://shop.test/":             ErrPathForm,
		"/a#b":                          ErrPathForm,
		"/a?b#c":                        ErrPathForm,
		"/a b":                          ErrPathControl,
		"/a\tb":                         ErrPathControl,
		"/a\x00":                        ErrPathControl,
		"/a\x7f":                        ErrPathControl,
		"/a%00":                         ErrPathControl,
		"/a%0d%0aSet-Cookie:x":          ErrPathControl,
		"/a%7F":                         ErrPathControl,
		"/a?b c":                        ErrPathControl,
		"/a?b\r":                        ErrPathControl,
		"/a%":                           ErrPathEncoding,
		"/a%2":                          ErrPathEncoding,
		"/a%2/b":                        ErrPathEncoding,
		"/a%zz":                         ErrPathEncoding,
		"/a%u002f":                      ErrPathEncoding,
		"/a%ff":                         ErrPathUTF8,
		"/a\xff":                        ErrPathUTF8,
		"/a%c0%af":                      ErrPathUTF8, // an overlong "/"
		"/a%c0%ae%c0%ae/b":              ErrPathUTF8, // overlong dots
		"/%ed%a0%80":                    ErrPathUTF8, // half a surrogate pair
		"/a%c3/%a9":                     ErrPathUTF8, // a character across two segments
		strings.Repeat("/a", 129):       ErrPathSegments,
		strings.Repeat("/", 130):        ErrPathSegments,
		"/ok/" + strings.Repeat("%", 9): ErrPathEncoding,
	} {
		var p Path
		_ = p.Parse("/before/../x;y")
		if err := p.Parse(target); !errors.Is(err, want) {
			t.Errorf("%q: %v, not %v", target, err, want)
		}
		if len(p.Segments) > 0 || p.Slash || p.Oddities != 0 {
			t.Errorf("%q: the refused path has segments %q, slash %v, oddities %s", target, p.Segments, p.Slash, p.Oddities)
		}
	}
	var p Path
	if err := p.Parse(strings.Repeat("/a", MaxSegments) + "/"); err != nil {
		t.Errorf("%d segments: %v", MaxSegments, err)
	}
}

func TestPathFrom(t *testing.T) {
	var p Path
	if err := p.Parse("/beta/orders/a%20b/"); err != nil {
		t.Fatal(err)
	}
	for skip, want := range []string{"/beta/orders/a%20b/", "/orders/a%20b/", "/a%20b/", "/", "/"} {
		if got := string(p.AppendFrom([]byte("x"), skip)); got != "x"+want {
			t.Errorf("without %d: %q, not %q", skip, got, want)
		}
	}
	if got := string(p.AppendSegments(nil, 1, 3)); got != "orders/a%20b" {
		t.Errorf("segments: %q", got)
	}
	if got := string(AppendSegment(nil, `a/b;c%d\e f`)); got != "a%2Fb%3Bc%25d%5Ce%20f" {
		t.Errorf("segment: %q", got)
	}
}

func TestOddityNames(t *testing.T) {
	var all Oddity
	for _, name := range OddityNames() {
		o, ok := ParseOddity(name)
		if !ok || o.String() != name {
			t.Errorf("%s reads as %s", name, o)
		}
		all |= o
	}
	if got := all.String(); got != strings.Join(OddityNames(), ",") {
		t.Errorf("all: %s", got)
	}
	if _, ok := ParseOddity("slashes"); ok {
		t.Error("an unknown name was read")
	}
}

// FuzzPath holds the path rule: a path is refused, or its canonical form is
// read as the very same segments, and is its own canonical form.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/b/?x=1", "/caf%C3%A9", "/a/%2e%2e/b;c", "//a//", "/%252e%255c", "/a;b%3bc%2f", `/\..`, "/%", "/a%ff", "*", "/a b"} {
		f.Add(seed)
	}
	var reused Path
	f.Fuzz(func(t *testing.T, target string) {
		var p, q Path
		err := p.Parse(target)
		if again := reused.Parse(target); !errors.Is(again, err) || !slices.Equal(reused.Segments, p.Segments) || reused.Oddities != p.Oddities {
			t.Fatalf("%q: a Path used before reads %q, %v; a new one %q, %v", target, reused.Segments, again, p.Segments, err)
		}
		if err != nil {
			return
		}
		text := p.Canonical()
		if err := q.Parse(text); err != nil {
			t.Fatalf("%q: canonical form %q: %v", target, text, err)
		}
		if !slices.Equal(p.Segments, q.Segments) || p.Slash != q.Slash {
			t.Fatalf("%q: canonical form %q is read as %q, not %q", target, text, q.Segments, p.Segments)
		}
		if again := q.Canonical(); again != text {
			t.Fatalf("%q: the canonical form of %q is %q", target, text, again)
		}
		// Only the two forms of a semicolon may become one.
		if p.Oddities&^Semicolon != q.Oddities&^Semicolon {
			t.Fatalf("%q: oddities %s, in canonical form %s", target, p.Oddities, q.Oddities)
		}
		for i := 0; i < len(text); i++ {
			if text[i] <= ' ' || text[i] >= 0x7f || text[i] == '?' || text[i] == '#' || text[i] == '\\' {
				t.Fatalf("%q: canonical form %q", target, text)
			}
		}
	})
}

func BenchmarkPathParse(b *testing.B) {
	for _, target := range []string{"/orders/42", "/caf%C3%A9/a%20b"} {
		b.Run(target, func(b *testing.B) {
			b.ReportAllocs()
			var p Path
			for b.Loop() {
				_ = p.Parse(target)
			}
		})
	}
}

// The budget of the path rule: nothing for a plain path, one string for each
// encoded segment.
func TestPathAllocations(t *testing.T) {
	for target, want := range map[string]float64{"/": 0, "/orders/42/items?x=1": 0, "/a%20b/c/caf%C3%A9": 2} {
		var p Path
		_ = p.Parse("/a/b/c/d%20" + target)
		got := testing.AllocsPerRun(100, func() { _ = p.Parse(target) })
		if got > want {
			t.Errorf("%s: %v allocations, at most %v", target, got, want)
		}
	}
}
