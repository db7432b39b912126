package event

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	json2 := []Field{{"Content-Type", "application/json"}}
	plain := []Field{{"Content-Type", "text/plain;charset=utf-8"}}
	for _, tc := range []struct {
		name, answer string
		form         Form
		want         *Answer // nil: malformed
	}{
		{"least", `{"statusCode": 200}`, One, &Answer{200, json2, nil}},
		{"status as text", `{"statusCode":"404","body":"no"}`, One, &Answer{404, json2, []byte("no")}},
		{"escapes", `{"statusCode":200,"body":"a\n\u00e9\ud83d\ude00\/"}`, One, &Answer{200, json2, []byte("a\né😀/")}},
		{"base64", `{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`, One, &Answer{200, json2, []byte{0, 255}}},
		{"headers", `{"statusCode":200,"headers":{"x-a":"1","X-N":2,"x-t":true,"x-null":null,"content-type":"text/html"}}`, One,
			&Answer{200, []Field{{"X-A", "1"}, {"X-N", "2"}, {"X-T", "true"}, {"Content-Type", "text/html"}}, nil}},
		{"multi wins", `{"statusCode":200,"headers":{"X-A":"0","X-B":"b"},"multiValueHeaders":{"x-a":["1","2"],"content-type":["a/b"]}}`, One,
			&Answer{200, []Field{{"X-A", "1"}, {"X-A", "2"}, {"Content-Type", "a/b"}, {"X-B", "b"}}, nil}},
		{"cookies", `{"statusCode":200,"cookies":["a=1; Secure","b=2"]}`, Two, &Answer{200, append([]Field{{"Set-Cookie", "a=1; Secure"}, {"Set-Cookie", "b=2"}}, plain...), nil}},
		{"no cookies in 1.0", `{"statusCode":200,"cookies":["a=1"]}`, One, &Answer{200, json2, nil}},
		{"hop by hop", `{"statusCode":200,"headers":{"Connection":"close","transfer-encoding":"chunked","Content-Length":"3","keep-alive":"1","UPGRADE":"h2","trailer":"x","te":"x","proxy-connection":"x","x-amzn-requestid":"mine"},"body":"hello"}`, One,
			&Answer{200, json2, []byte("hello")}},
		{"body alone", `{"a": 1}`, Two, &Answer{200, json2, []byte(`{"a": 1}`)}},
		{"text alone", `"hello"`, Two, &Answer{200, json2, []byte(`"hello"`)}},
		{"a statusCode below", `{"a":{"statusCode":404}}`, Two, &Answer{200, json2, []byte(`{"a":{"statusCode":404}}`)}},
		{"a statusCode in a text", `"\"statusCode\""`, Two, &Answer{200, json2, []byte(`"\"statusCode\""`)}},
		{"url", `{"statusCode":201,"body":"x"}`, URL, &Answer{201, json2, []byte("x")}},
		{"a null body", `{"statusCode":204,"body":null,"headers":null,"multiValueHeaders":null}`, One, &Answer{204, json2, nil}},

		{"empty", ``, One, nil}, {"empty", ``, Two, nil}, {"null", `null`, One, nil}, {"no object", `[]`, One, nil}, {"text", `"hello"`, One, nil},
		{"no status", `{"body":"x"}`, One, nil}, {"status 99", `{"statusCode":99}`, One, nil}, {"status 101", `{"statusCode":101}`, Two, nil},
		{"status 200.5", `{"statusCode":200.5}`, Two, nil}, {"status null", `{"statusCode":null}`, One, nil}, {"status 1000", `{"statusCode":1000}`, One, nil},
		{"a body that is an object", `{"statusCode":200,"body":{}}`, One, nil},
		{"a header that is an object", `{"statusCode":200,"headers":{"a":{}}}`, One, nil},
		{"a header that is a list", `{"statusCode":200,"headers":{"a":["b"]}}`, One, nil},
		{"a multi header that is a text", `{"statusCode":200,"multiValueHeaders":{"a":"b"}}`, One, nil},
		{"headers that are a list", `{"statusCode":200,"headers":[]}`, One, nil},
		{"a split line", `{"statusCode":200,"headers":{"a":"b\r\nSet-Cookie: c"}}`, One, nil},
		{"a split line in a cookie", `{"statusCode":200,"cookies":["a\nb"]}`, Two, nil},
		{"a name that is none", `{"statusCode":200,"headers":{"a b":"c"}}`, One, nil},
		{"a name with an end of line", `{"statusCode":200,"headers":{"a\r\nb":"c"}}`, One, nil},
		{"broken base64", `{"statusCode":200,"body":"A","isBase64Encoded":true}`, One, nil},
		{"no truth", `{"statusCode":200,"isBase64Encoded":"true"}`, One, nil},
		{"trailing", `{"statusCode":200}{}`, One, nil}, {"cut", `{"statusCode":200`, One, nil}, {"no JSON", `hello`, Two, nil},
		{"deep", `{"statusCode":200,"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, One, nil},
	} {
		got, err := Read([]byte(tc.answer), tc.form)
		if (err == nil) != (tc.want != nil) {
			t.Errorf("%s: %+v, %v", tc.name, got, err)
			continue
		}
		if err == nil {
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: %s", tc.name, diff)
			}
		}
	}
}

func TestReadPrelude(t *testing.T) {
	got, err := ReadPrelude([]byte(`{"headers":{"Content-Type":"text/event-stream"},"cookies":["a=1"]}`), URL)
	if err != nil || got.Status != 200 || len(got.Fields) != 2 || got.Body != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{``, `[]`, `{"statusCode":7}`, `{}x`} {
		if a, err := ReadPrelude([]byte(bad), URL); err == nil {
			t.Errorf("%q: %+v", bad, a)
		}
	}
}

// What is JSON to encoding/json is to us, and an answer never has a field that
// could end its line.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"statusCode":200,"headers":{"a":"b"},"body":"x\u00e9"}`, `{"multiValueHeaders":{"a":["b",1,null]},"statusCode":"200"}`, `[1e5,-0.5,true]`, `"\ud83d\ude00"`, `{"statusCode":200,"cookies":["a"],"isBase64Encoded":true,"body":"AA=="}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &scanner{b: b}
		err := s.skip(0)
		ours := err == nil && s.end()
		if theirs := json.Valid(b); ours && !theirs || theirs && !ours && len(b) < maxDepth && !strings.ContainsRune(string(b), '\ufffd') {
			t.Errorf("%q: ours %v, encoding/json's %v", b, ours, theirs)
		}
		for _, form := range []Form{One, Two, URL} {
			a, err := Read(b, form)
			if err != nil {
				continue
			}
			if a.Status < 200 || a.Status > 599 || !json.Valid(b) {
				t.Errorf("%q: %+v", b, a)
			}
			for _, field := range a.Fields {
				if !isToken(field.Name) || isOwn(field.Name) || strings.ContainsAny(field.Value, "\r\n\x00") {
					t.Errorf("%q: %q", b, field)
				}
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	answer := []byte(`{"statusCode":200,"headers":{"Content-Type":"application/json"},"multiValueHeaders":null,"body":"{\"id\":\"42\",\"total\":1299}","isBase64Encoded":false,"cookies":null}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(answer, Two); err != nil {
			b.Fatal(err)
		}
	}
}
