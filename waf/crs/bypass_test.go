package crs_test

import (
	"net/http"
	"strings"
	"testing"
)

// What attackers do so that a firewall reads a body in another way than the
// service behind it. Each must end in a refusal, by the attack's own rule or by
// one about the form of the body.
func TestBypassBodies(t *testing.T) {
	set := compile(t, "{paranoia: 1}")
	const sql = "1' UNION SELECT password FROM users-- -"
	const xss = "<script>alert(1)</script>"
	part := func(head, content string) string {
		return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n--b--\r\n"
	}
	const usual = "Content-Disposition: form-data; name=\"q\""
	for _, test := range []struct {
		name, kind, body string
	}{
		// encodings
		{"twice encoded", "application/x-www-form-urlencoded", "q=%253Cscript%253Ealert(1)%253C%252Fscript%253E"},
		{"half encoded", "application/x-www-form-urlencoded", "q=%3Cscr%69pt>alert(1)</%73cript>"},
		{"%u encoded", "application/x-www-form-urlencoded", "q=%u003cscript%u003ealert(1)%u003c/script%u003e"},
		{"entities", "application/x-www-form-urlencoded", "q=%26lt;script%26gt;alert(1)%26lt;/script%26gt;"},
		{"null bytes", "application/x-www-form-urlencoded", "q=%3Cscr%00ipt%3Ealert(1)%3C/script%3E"},
		{"raw null bytes", "application/x-www-form-urlencoded", "q=<scr\x00ipt>alert(1)</script>"},
		{"comments", "application/x-www-form-urlencoded", "q=1'/**/UNION/**/SELECT/**/password/**/FROM/**/users--+-"},
		{"in a name", "application/x-www-form-urlencoded", "%3Cscript%3Ealert(1)%3C/script%3E=1"},
		{"padding", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 40_000) + "&q=" + strings.ReplaceAll(sql, " ", "+")},
		{"many arguments", "application/x-www-form-urlencoded", strings.Repeat("a=1&", 1000) + "q=" + strings.ReplaceAll(sql, " ", "+")},
		// types
		{"no type", "", "q=" + strings.ReplaceAll(sql, " ", "+")},
		{"type in capitals", "APPLICATION/JSON", `{"q": "\u003cscript\u003ealert(1)\u003c/script\u003e"}`},
		{"type with parameters", "application/json;v=1", `{"q": "` + xss + `"}`},
		{"type with space", " application/json ", `{"q": "` + xss + `"}`},
		{"wide type", "\u00a0application/json", `{"q": "` + xss + `"}`},
		{"json as form", "application/x-www-form-urlencoded", `{"q": "1\u0027 UNION SELECT password FROM users-- -"}`},
		{"json as form that hides itself", "application/x-www-form-urlencoded", `{"q": "1\u0027 UNION SELECT password FROM users-- -", "x": "&json.q=1&"}`},
		{"json as text", "text/plain", `{"q": "1\u0027 UNION SELECT password FROM users-- -"}`},
		{"json as xml", "application/xml", `{"q": "1\u0027 UNION SELECT password FROM users-- -"}`},
		{"xml as form", "application/x-www-form-urlencoded", `<q>1&#x27; UNION SELECT password FROM users-- -</q>`},
		{"xml as json", "application/json", `<q>1&#x27; UNION SELECT password FROM users-- -</q>`},
		{"form as json", "application/json", "q=" + strings.ReplaceAll(sql, " ", "+")},
		// charsets
		{"utf-7", "application/x-www-form-urlencoded; charset=utf-7", "q=+ADw-script+AD4-alert(1)+ADw-/script+AD4-"},
		{"ebcdic", "application/x-www-form-urlencoded; charset=ibm037", "%A2%97=%F1"},
		{"two charsets", "application/x-www-form-urlencoded; charset=utf-8; charset=utf-16", "q=1"},
		{"utf-16 json", "application/json", "{\x00\"\x00q\x00\"\x00:\x001\x00}\x00"},
		{"utf-16 xml", "application/xml", "\xff\xfe<\x00q\x00/\x00>\x00"},
		{"declared utf-7 xml", "application/xml", `<?xml version="1.0" encoding="UTF-7"?><q>+ADw-script+AD4-</q>`},
		{"bom before json", "application/json", "\ufeff{\"q\": \"" + xss + "\"}"},
		// JSON
		{"json twice", "application/json", `{"q": "` + xss + `", "q": "x"}`},
		{"json twice, the second", "application/json", `{"q": "x", "q": "` + xss + `"}`},
		{"json key", "application/json", `{"` + xss + `": 1}`},
		{"json text", "application/json", `"` + xss + `"`},
		{"json array", "application/json", `["` + xss + `"]`},
		{"json depth", "application/json", strings.Repeat(`{"a":`, 200) + `"` + xss + `"` + strings.Repeat("}", 200)},
		{"json with more behind it", "application/json", `{"q": 1}{"q": "` + xss + `"}`},
		{"json with a comment", "application/json", `{/**/"q": 1}`},
		{"json cut", "application/json", `{"q": "` + xss},
		{"json wide", "application/json", "[" + strings.Repeat("1,", 1500) + `"` + xss + `"]`},
		// XML
		{"cdata", "application/xml", `<q><![CDATA[` + xss + `]]></q>`},
		{"entity", "application/xml", `<!DOCTYPE q [<!ENTITY x "1' UNION">]><q>&x; SELECT password FROM users</q>`},
		{"external entity", "application/xml", `<?xml version="1.0"?><!DocType q SYSTEM "http://evil.test/x"><q/>`},
		// multipart
		{"no boundary", "multipart/form-data", part(usual, sql)},
		{"two boundaries", "multipart/form-data; boundary=a; boundary=b", part(usual, sql)},
		{"quoted boundary", `multipart/form-data; boundary="b\""`, part(usual, sql)},
		{"boundary with a comma", "multipart/form-data; boundary=b,c", part(usual, "x")},
		{"another boundary", "multipart/form-data; boundary=c", part(usual, sql)},
		{"text before", "multipart/form-data; boundary=b", "x\r\n" + part(usual, "x")},
		{"text behind", "multipart/form-data; boundary=b", part(usual, "x") + "--b\r\n" + usual + "\r\n\r\n" + sql},
		{"no end", "multipart/form-data; boundary=b", "--b\r\n" + usual + "\r\n\r\nx"},
		{"bare LF", "multipart/form-data; boundary=b", strings.ReplaceAll(part(usual, "x"), "\r\n", "\n")},
		{"boundary with more", "multipart/form-data; boundary=b", "--b\r\n" + usual + "\r\n\r\nx\r\n--bc\r\n--b--\r\n"},
		{"space behind boundary", "multipart/form-data; boundary=b", "--b  \r\n" + usual + "\r\n\r\nx\r\n--b--\r\n"},
		{"two dispositions", "multipart/form-data; boundary=b", part(usual+"\r\n"+usual, "x")},
		{"two names", "multipart/form-data; boundary=b", part(usual+"; name=\"r\"", "x")},
		{"two files", "multipart/form-data; boundary=b", part(usual+"; filename=\"a.png\"; filename=\"a.php\"", "x")},
		{"extended file", "multipart/form-data; boundary=b", part(usual+"; filename=\"a.png\"; filename*=utf-8''a.php", "x")},
		{"file in pieces", "multipart/form-data; boundary=b", part(usual+"; filename*0=\"a.\"; filename*1=\"php\"", "x")},
		{"escaped quote", "multipart/form-data; boundary=b", part(usual+"; filename=\"a\\\".php\"", "x")},
		{"single quotes", "multipart/form-data; boundary=b", part("Content-Disposition: form-data; name='q'", "x")},
		{"folded header", "multipart/form-data; boundary=b", part("Content-Disposition: form-data;\r\n name=\"q\"", "x")},
		{"no disposition", "multipart/form-data; boundary=b", part("Content-Type: text/plain", "x")},
		{"no form-data", "multipart/form-data; boundary=b", part("Content-Disposition: attachment; name=\"q\"", "x")},
		{"part in another charset", "multipart/form-data; boundary=b", part(usual+"\r\nContent-Type: text/plain; charset=utf-7", "+ADw-script+AD4-")},
		{"part in base64", "multipart/form-data; boundary=b", part(usual+"\r\nContent-Transfer-Encoding: base64", "PHNjcmlwdD4=")},
		{"_charset_", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nutf-7\r\n" + part(usual, "x")},
		{"control byte in a header", "multipart/form-data; boundary=b", part("Content-Disposition: form-data; name=\"q\x01\"", "x")},
		{"multipart of another kind", "multipart/mixed; boundary=b", part(usual, sql)},
		{"json as multipart", "multipart/form-data; boundary=b", `{"q": "1\u0027 UNION SELECT password FROM users-- -"}`},
	} {
		header := http.Header{"Content-Type": {test.kind}}
		if test.kind == "" {
			header = nil
		}
		f := ask(t, set, "POST", "/", header, test.body)
		if f.Refusal.Status != 403 {
			t.Errorf("%s: %d, score %d, %v", test.name, f.Refusal.Status, f.Score, ids(f))
		}
	}
	f := ask(t, set, "POST", "/", http.Header{"Content-Type": {"text/plain", "application/json"}}, `{"q": 1}`)
	if f.Refusal.Status != 403 {
		t.Errorf("two types: %d %v", f.Refusal.Status, ids(f))
	}
}

// What the same tricks look like where nothing is wrong.
func TestBypassLookalikes(t *testing.T) {
	set := compile(t, "{paranoia: 1}")
	for _, test := range []struct{ name, kind, body string }{
		{"json as form", "application/x-www-form-urlencoded", `{"q": "tea"}`},
		{"encoded", "application/x-www-form-urlencoded", "name=J%C3%BCrgen+M%C3%BCller&note=50%25"},
		{"latin", "application/x-www-form-urlencoded; charset=iso-8859-1", "name=J%FCrgen"},
		{"quoted boundary", `multipart/form-data; boundary="----WebKitFormBoundaryAbC123"`, "------WebKitFormBoundaryAbC123\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n------WebKitFormBoundaryAbC123\r\nContent-Disposition: form-data; name=\"f\"; filename=\"photo 1.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--\r\n\r\n------WebKitFormBoundaryAbC123--\r\n"},
		{"curl's boundary", "multipart/form-data; boundary=------------------------abcdef0123456789", "--------------------------abcdef0123456789\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nline\r\n--------------------------abcdef0123456789--\r\n"},
		{"deep json", "application/json", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)},
		{"empty json", "application/json", "{}"},
		{"soap", "application/soap+xml; charset=utf-8", `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>`},
	} {
		if f := ask(t, set, "POST", "/", http.Header{"Content-Type": {test.kind}}, test.body); f.Refusal.Status != 0 {
			t.Errorf("%s: %d, %s", test.name, f.Refusal.Status, f.Detail())
		}
	}
}
