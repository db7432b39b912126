package text

import (
	"strings"
	"testing"
)

// TestKinds holds every transformation to what AWS's documentation says of it.
func TestKinds(t *testing.T) {
	for _, tc := range []struct{ kind, in, want string }{
		{"none", " A%41 ", " A%41 "},
		{"compress-white-space", "a  b\t\n\r\v\fc", "a b c"},
		{"compress-white-space", "a\xa0\xa0b\u00a0c", "a b c"},
		{"compress-white-space", "à la", "à la"}, // byte 160 is the end of à
		{"compress-white-space", "a b", "a b"},
		{"html-entity-decode", "&quot;&lt;b&gt;&amp;&apos;", `"<b>&'`},
		{"html-entity-decode", "a&nbsp;b", "a\xa0b"},
		{"html-entity-decode", "&#60;&#x3C;&#X3c;&#0060&#x000003c;", "<<<<<"},
		{"html-entity-decode", "&#x6a&#97;vascript", "javascript"},
		{"html-entity-decode", "&lt&#;&#x;&bogus;&", "<&#;&#x;&bogus;&"},
		{"html-entity-decode", "&#99999999999999999999;", "\ufffd"},
		{"lowercase", "SELECT Ä", "select Ä"},
		{"uppercase", "select ä", "SELECT ä"},
		{"cmd-line", `C^:\\"Windows"\s'ystem32`, "c:windowssystem32"},
		{"cmd-line", "cat   ,;/etc/passwd  (x)", "cat/etc/passwd(x)"},
		{"cmd-line", "CAT a,b;c", "cat a b c"},
		{"url-decode", "%41%2f%2F+b", "A// b"},
		{"url-decode", "100%%4", "100%%4"},
		{"url-decode", "%2541%zz%", "%41%zz%"},
		{"url-decode", "%00x", "\x00x"},
		{"url-decode", "%u0041", "%u0041"},
		{"url-decode-uni", "%u0041%U0042%u00zz%43", "AB%u00zzC"},
		{"url-decode-uni", "%uff1cscript%uFF1E", "<script>"},
		{"url-decode-uni", "%u2264", "d"}, // only the lower byte
		{"base64-decode", "PHNjcmlwdD4=", "<script>"},
		{"base64-decode", "PHNjcmlwdD4", "<script>"},
		{"base64-decode", "PHNj\r\ncmlwdD4=", "<script>"},
		{"base64-decode", "PHNj.cmlwdD4=", "<sc"},
		{"base64-decode", "!", "!"},
		{"base64-decode-ext", "P.HNj-cmlw*dD4", "<script>"},
		{"base64-decode-ext", "!", "!"},
		{"hex-decode", "3c73", "<s"},
		{"hex-decode", "3c7", "3c7"},
		{"hex-decode", "zz", "zz"},
		{"md5", "abc", "\x90\x01P\x98<\xd2O\xb0\xd6\x96?}(\xe1\x7fr"},
		{"sha256", "", "\xe3\xb0\xc4B\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99o\xb9$'\xaeA\xe4d\x9b\x93L\xa4\x95\x99\x1bxR\xb8U"},
		{"replace-comments", "UN/* x */ION/**/ALL", "UN ION ALL"},
		{"replace-comments", "a/*b*//*c*/d", "a  d"},
		{"replace-comments", "a/* b", "a "},
		{"replace-comments", "a */ b /", "a */ b /"},
		{"replace-comments", "a/*/b*/c", "a c"},
		{"escape-seq-decode", `\a\b\f\n\r\t\v\\\?\'\"`, "\a\b\f\n\r\t\v\\?'\""},
		{"escape-seq-decode", `\x41\101\0\zz\x4g\8`, "AA\x00\\zz\\x4g\\8"},
		{"sql-hex-decode", "0x414243 0X61 0x 0x4", "ABC a 0x 0x4"},
		{"sql-hex-decode", "0x41424", "AB4"},
		{"css-decode", `ja\vascript`, "javascript"},
		{"css-decode", `\6a\00061vascript`, "javascript"},
		{"css-decode", `\6A avascript\`, "javascript"},
		{"css-decode", "java\\\nscript", "javascript"},
		{"css-decode", `\ff1c`, "<"},
		{"js-decode", `\u003cscript\x3e\74`, "<script><"},
		{"js-decode", `\uff1c\n\q\'\u{3c}\u{zz}`, "<\nq'<u{zz}"},
		{"js-decode", `\`, `\`},
		{"normalize-path", "/a/./b/../c//d", "/a/c/d"},
		{"normalize-path", "/../../etc/passwd", "/etc/passwd"},
		{"normalize-path", "../../etc", "../../etc"},
		{"normalize-path", "a/../../b", "../b"},
		{"normalize-path", "a/b/..", "a/"},
		{"normalize-path", "/a/.", "/a/"},
		{"normalize-path", "/a/b/", "/a/b/"},
		{"normalize-path", "./a", "a"},
		{"normalize-path", "/.hidden/..x", "/.hidden/..x"},
		{"normalize-path-win", `\a\..\b`, "/b"},
		{"remove-nulls", "a\x00b", "ab"},
		{"replace-nulls", "a\x00b", "a b"},
		{"utf8-to-unicode", "aä€😀", "a%u00e4%u20ac%u01f600"},
		{"utf8-to-unicode", "\xff\xc3", "\xff\xc3"},
		{"remove-whitespace", " a\t b\n\u00a0c", "abc"},
		{"trim", " \ta b\r\n", "a b"},
		{"trim-left", " a ", "a "},
		{"trim-right", " a ", " a"},
	} {
		kind, ok := Parse(tc.kind)
		if !ok {
			t.Fatal(tc.kind)
		}
		if got := kind.Apply(tc.in); got != tc.want {
			t.Errorf("%s of %q: %q, want %q", tc.kind, tc.in, got, tc.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range Names() {
		kind, ok := Parse(name)
		aws, known := ParseAWS(strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
		if !ok || !known || aws != kind || kind.String() != name {
			t.Errorf("%s: %v %v", name, kind, aws)
		}
	}
	for _, name := range []string{"url_decode", "URL-DECODE", "", "ROT13"} {
		if _, ok := ParseAWS(name); ok {
			t.Errorf("%q is taken for AWS's", name)
		}
	}
	if _, ok := Parse("URL_DECODE"); ok {
		t.Error("AWS's names are not ours")
	}
}

func TestChain(t *testing.T) {
	c := Chain{None, URLDecode, None, HTMLEntityDecode, Lowercase}
	if got := c.Apply("%26lt%3BSCRIPT%26gt%3B"); got != "<script>" {
		t.Error(got)
	}
	if clean := c.Clean(); len(clean) != 3 || clean.Key() == (Chain{HTMLEntityDecode, URLDecode, Lowercase}).Key() {
		t.Error(clean)
	}
}

// What needs no change is not copied.
func TestNoAllocation(t *testing.T) {
	const plain = "/orders/42 with words, and a few more of them"
	for k := None; k < kinds; k++ {
		switch k {
		case MD5, SHA256, CmdLine, Base64Decode, Base64DecodeExt, Uppercase, RemoveWhiteSpace:
			continue
		}
		if n := testing.AllocsPerRun(100, func() { k.Apply(plain) }); n > 0 {
			t.Errorf("%v: %v allocations", k, n)
		}
	}
}

// FuzzKinds holds that no transformation panics or grows a text beyond reason, and
// that those which settle things do so for good.
func FuzzKinds(f *testing.F) {
	for _, seed := range []string{"", "%41+%u0041%", "&lt;&#x3c;&nbsp;", `\x41\u0041\101\`, "/a/../b//./c", "/* x */", "0x4142", "PHNjcmlwdD4=", "a\x00\xa0ä😀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for k := None; k < kinds; k++ {
			out := k.Apply(s)
			if len(out) > 4*len(s)+32 {
				t.Errorf("%v makes %d bytes of %d", k, len(out), len(s))
			}
			switch k {
			case Lowercase, Uppercase, CompressWhiteSpace, NormalizePath, NormalizePathWin, RemoveNulls, ReplaceNulls, RemoveWhiteSpace, Trim, TrimLeft, TrimRight:
				if again := k.Apply(out); again != out {
					t.Errorf("%v of %q is %q, and of that %q", k, s, out, again)
				}
			}
		}
	})
}
