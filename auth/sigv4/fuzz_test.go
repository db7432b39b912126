package sigv4

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
)

// FuzzCredential holds that no header, query or path breaks the verifier, and
// that none that was not signed with the secret is good.
func FuzzCredential(f *testing.F) {
	good := request(f, "GET", "https://api.shop.test/a?b=1", "")
	sign(f, good, keys, emptyHash, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	f.Add(good.Header.Get("Authorization"), "20260101T000000Z", "", "/a?b=1")
	f.Add("", "", "", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260101%2Feu-central-1%2Fexecute-api%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=a;b,Signature=x", "Thu, 01 Jan 2026 00:00:00 GMT", "token", "//a/./../b?a=+&a&=&%zz")
	g := newGate(f)
	g.now = time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC)
	f.Fuzz(func(t *testing.T, authorization, date, token, target string) {
		in := httptest.NewRequest("GET", "/", nil)
		in.Body, in.RequestURI, in.Host = http.NoBody, target, "api.shop.test"
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Security-Token": token} {
			if value != "" {
				in.Header[name] = []string{value}
			}
		}
		x, in := exchange.Begin(httptest.NewRecorder(), in, &exchange.Conn{TLS: true}, nil)
		defer x.Finish()
		x.Start = g.now
		if x.Path.Parse(target) != nil {
			return
		}
		Service(in, x.Path.Query)
		if formOf(in, x.Path.Query) == unsigned {
			return
		}
		caller, fault := g.verifier.Verify(x, in)
		switch {
		case fault == nil && authorization == good.Header.Get("Authorization") && strings.HasPrefix(target, "/a?"):
		case fault == nil:
			t.Errorf("%s %s was taken for %s", authorization, target, caller.Known.ID)
		case fault.Reason == "" || fault.Message == "" || fault.Type == "":
			t.Errorf("%+v", fault)
		}
	})
}

// FuzzChunks holds that nothing but what was signed comes out of chunks,
// whatever goes in.
func FuzzChunks(f *testing.F) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := newGate(f)
	g.now = at
	for _, kind := range []string{streamSigned, streamTrailer, streamUnsigned} {
		c := chunked{kind: kind, chunks: []string{"hello", "world"}}
		if kind != streamSigned {
			c.trailer = "x-amz-checksum-crc32"
		}
		r := c.signAt(f, at, same)
		data, _ := io.ReadAll(r.Body)
		f.Add(kind, data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		c := chunked{kind: kind, chunks: []string{"hello", "world"}}
		if kind != streamSigned {
			c.trailer = "x-amz-checksum-crc32"
		}
		if kind != streamTrailer && kind != streamSigned {
			c.kind = streamUnsigned
		}
		r := c.signAt(t, at, func(string) string { return string(data) })
		_, fault, body, err := g.verify(t, r)
		signed := c.kind != streamUnsigned
		switch {
		case fault != nil:
		case signed && !strings.HasPrefix("helloworld", body):
			t.Errorf("%q came out", body)
		case signed && err == nil && body != "helloworld":
			t.Errorf("%q passes for the whole", body)
		case err == nil && len(body) != 10:
			t.Errorf("%d bytes pass for 10", len(body))
		}
	})
}
