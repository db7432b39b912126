package escape

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestJSON(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"plain text, {braces} & <tags>", "plain text, {braces} & <tags>"},
		{`say "hi" \o/`, `say \"hi\" \\o/`},
		{"a\nb\rc\td\x00e\x7f", `a\nb\rc\td\u0000e\u007f`},
		{"\x1b[31mred\x1b[0m", `\u001b[31mred\u001b[0m`},
		{"bad \xff\xfe utf-8", `bad \ufffd\ufffd utf-8`},
		{"Grüße, 世界, 🙂", "Grüße, 世界, 🙂"},
		{"c1 \u009b31m, override \u202e, separator \u2028, bom \ufeff", `c1 \u009b31m, override \u202e, separator \u2028, bom \ufeff`},
		{"private \U000f0000", `private \udb80\udc00`},
	} {
		if got := string(JSON(nil, tc.in)); got != tc.want {
			t.Errorf("JSON(%q) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestPlain(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"plain text", "plain text"},
		{`"quoted" \ back`, `\"quoted\" \\ back`},
		{"200 forged\r\n127.0.0.1 - GET /", `200 forged\r\n127.0.0.1 - GET /`},
		{"\x1b]0;title\x07", `\x1b]0;title\x07`},
		{"\x9b31m \xff", `\x9b31m \xff`},
		{"\u009b31m \u202e", `\xc2\x9b31m \xe2\x80\xae`},
		{"Grüße", "Grüße"},
	} {
		if got := string(Plain(nil, tc.in)); got != tc.want {
			t.Errorf("Plain(%q) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

// Every byte, at every place among eight.
func TestHarmless(t *testing.T) {
	for c := range 256 {
		for i := range 8 {
			b := []byte("abcdefgh")
			b[i] = byte(c)
			want := c >= 0x20 && c < 0x7f && c != '"' && c != '\\'
			if got := harmless(string(b)); got != want {
				t.Errorf("%q: %v", b, got)
			}
		}
	}
	for c := range 256 {
		if harmless(strings.Repeat(string([]byte{byte(c)}), 8)) != harmless(string([]byte{'a', byte(c), 'a', 'a', 'a', 'a', 'a', 'a'})) {
			t.Errorf("eight of %#x", c)
		}
	}
}

func TestQuery(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"a=1&b=2;c=3", "a=1&b=2;c=3"},
		{"access_token=hunter2", "access_token=(redacted)"},
		{"a=1&Access_Token=hunter2&b=2", "a=1&Access_Token=(redacted)&b=2"},
		{"acc%65ss%5Ftoken=hunter2", "acc%65ss%5Ftoken=(redacted)"},
		{"X-Amz-Signature=ab&X-Amz-Security-Token=cd=ef&X-Amz-Date=1", "X-Amz-Signature=(redacted)&X-Amz-Security-Token=(redacted)&X-Amz-Date=1"},
		{"code=42&state=s", "code=(redacted)&state=s"},
		{"code=", "code="},
		{"code", "code"},
		{"a=1;code=42", "a=1;code=(redacted)"},
		{"access_tokens_are_not_all_of_this_key=1", "access_tokens_are_not_all_of_this_key=1"},
		{"%zz=1&%=2&code%3=4", "%zz=1&%=2&code%3=4"},
		{"&&=&", "&&=&"},
	} {
		if got := string(Query(nil, tc.in, Raw)); got != tc.want {
			t.Errorf("Query(%q) = %s, want %s", tc.in, got, tc.want)
		}
	}
	if got := string(Query(nil, "a=\"\n&code=\"", JSON)); got != `a=\"\n&code=(redacted)` {
		t.Errorf("escaped query: %s", got)
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "a\"\\\n\x00", "\xff\xc2", "\u2028\u009b\U000f0000", "\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := JSON(nil, s)
		checkPrints(t, got)
		var back string
		if err := json.Unmarshal([]byte(`"`+string(got)+`"`), &back); err != nil {
			t.Fatalf("JSON(%q) = %s: %v", s, got, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Errorf("JSON(%q) reads back as %q", s, back)
		}
	})
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "a\"\\\n\x00", "\xff\xc2", "\u2028\u009b", "\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Plain(nil, s)
		checkPrints(t, got)
		checkPrints(t, Query(nil, s, Plain))
	})
}

func checkPrints(t *testing.T, b []byte) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Errorf("%q is not UTF-8", b)
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			t.Errorf("%q holds %U", b, r)
		}
	}
}
