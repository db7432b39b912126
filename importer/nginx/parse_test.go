package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// memory is files in memory.
func memory(files map[string]string) Files {
	return Files{
		Read: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
			}
			return []byte(text), nil
		},
		Glob: func(pattern string) (found []string, err error) {
			for name := range files {
				if ok, err := path.Match(pattern, name); err != nil {
					return nil, err
				} else if ok {
					found = append(found, name)
				}
			}
			return found, nil
		},
	}
}

func show(all []*Directive) string {
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "%d:%q", d.Line, append([]string{d.Name}, d.Args...))
		if d.block {
			fmt.Fprintf(&b, "{%s}", show(d.Block))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{"# nothing\n", ""},
		{"a;", `1:["a"] `},
		{"a b  c;\nd;", `1:["a" "b" "c"] 2:["d"] `},
		{"a # remark ; {\n b;", `1:["a" "b"] `},
		{"a b#c;", `1:["a" "b#c"] `},
		{`a "b c" 'd "e"' "f\"g";`, `1:["a" "b c" "d \"e\"" "f\"g"] `},
		{`a \. \; \" \\ "\." \t;`, `1:["a" "\\." "\\;" "\"" "\\" "\\." "\t"] `},
		{"a ${b} $c{d;}", `1:["a" "${b}" "$c"]{1:["d"] } `},
		{"a {}", `1:["a"]{} `},
		{"a{b{c d;}e;}f;", `1:["a"]{1:["b"]{1:["c" "d"] } 1:["e"] } 1:["f"] `},
		{"location ~ ^/a(.*)$ {\n}", `1:["location" "~" "^/a(.*)$"]{} `},
		{"a \"b\nc\";\nd;", "1:[\"a\" \"b\\nc\"] 3:[\"d\"] "},
		{"content_by_lua_block {\n if x then { y } end\n}\nb;", `1:["content_by_lua_block"]{} 4:["b"] `},
		{"\ufeffa;", `1:["a"] `},
		{"a\r\nb;\r\n", `1:["a" "b"] `},
		{"log_format x '{\"a\": \"$b\"}';", `1:["log_format" "x" "{\"a\": \"$b\"}"] `},
	} {
		all, _, err := Parse("/c/nginx.conf", memory(map[string]string{"/c/nginx.conf": tc.text}))
		if got := show(all); err != nil || got != tc.want {
			t.Errorf("%q:\ngot  %s %v\nwant %s", tc.text, got, err, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("a{", maxDepth+2)
	for _, tc := range []struct{ text, want string }{
		{"a", "/c/n:1: a is not ended by ;"},
		{"\na {\nb;", "/c/n:2: a block is not closed"},
		{"a;}", `/c/n:1: unexpected "}"`},
		{"a }", `/c/n:1: unexpected '}'`},
		{";", `/c/n:1: unexpected ';'`},
		{"{", `/c/n:1: unexpected '{'`},
		{"a \"b", "/c/n:1: a quote is not closed"},
		{"a \"b\"c;", "behind a quoted word"},
		{"x_by_lua_block { {", "/c/n:1: a block is not closed"},
		{deep, "levels"},
		{"include a b;", "one pattern"},
		{"include [;", "syntax error in pattern"},
		{"include n;", "levels"},
	} {
		_, _, err := Parse("/c/n", memory(map[string]string{"/c/n": tc.text}))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.40q: got %v, want %s", tc.text, err, tc.want)
		}
	}
	if _, _, err := Parse("/c/n", memory(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestInclude: files are found from the folder of the first one, and errors name
// the file that they are in.
func TestInclude(t *testing.T) {
	files := map[string]string{
		"/c/n":            "a;\ninclude sites/*.conf;\ninclude /d/abs;\ninclude gone;\ninclude none/*;",
		"/c/sites/x.conf": "b;\ninclude sub;",
		"/c/sub":          "c;",
		"/d/abs":          "d;",
	}
	all, missing, err := Parse("/c/n", memory(files))
	if got := show(all); err != nil || got != `1:["a"] 1:["b"] 1:["c"] 1:["d"] ` {
		t.Errorf("%s %v", got, err)
	}
	if len(missing) != 1 || missing[0].Args[0] != "gone" || missing[0].Line != 4 {
		t.Errorf("missing: %s", show(missing))
	}
	files["/c/sub"] = "c"
	if _, _, err := Parse("/c/n", memory(files)); err == nil || !strings.HasPrefix(err.Error(), "/c/sub:1: ") {
		t.Errorf("%v", err)
	}
}

func TestDisk(t *testing.T) {
	if _, err := Disk().Read(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	if _, _, err := Parse(filepath.Join(t.TempDir(), "gone"), Disk()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestValues(t *testing.T) {
	for in, want := range map[string]string{
		"10": "10s", "30s": "30s", "1m": "1m", "90s": "90s", "1h30m": "90m", "500ms": "500ms", "1d": "1d", "2w": "14d", "1y": "365d", "1h 5s": "3605s",
		"": "", "x": "", "1x": "", "9999999999": "", "-1": "", "100y": "",
	} {
		d, ok := parseTime(in)
		got := ""
		if ok {
			got = timeText(d)
		}
		if got != want {
			t.Errorf("time %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"10": "10", "8k": "8KiB", "1m": "1MiB", "20M": "20MiB", "2g": "2GiB", "0": "0", "": "", "m": "", "1t": "", "-1": "", "99999999999999": ""} {
		n, ok := parseSize(in)
		got := ""
		if ok {
			got = sizeText(n)
		}
		if got != want {
			t.Errorf("size %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"10r/s": "10/s", "30r/m": "30/m", "0r/s": "", "1r/h": "", "x": "", "": ""} {
		if got, _ := parseRate(in); got != want {
			t.Errorf("rate %q: %q, want %q", in, got, want)
		}
	}
}

// FuzzConvert: whatever a file holds, reading it ends, and what it is made into
// passes what test/import_test.go asks of it.
func FuzzConvert(f *testing.F) {
	golden, err := filepath.Glob("testdata/golden/*.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range golden {
		text, err := readFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Convert("/c/nginx.conf", memory(map[string]string{"/c/nginx.conf": text}))
		if err == nil && len(r.Text) == 0 {
			t.Error("nothing came of it, and no error")
		}
	})
}
