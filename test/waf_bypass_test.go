package test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// bypassACL blocks one word wherever it stands, as an operator would.
const bypassACL = `
waf:
  edge:
    inspect-body: {limit: 8KiB}
    rules:
      - {name: path, when: {path: {contains: xyzzy, transform: [url-decode, lowercase]}}, action: block}
      - {name: query, when: {query: {contains: xyzzy, transform: [url-decode-uni, lowercase]}}, action: block}
      - {name: headers, when: {headers: {contains: xyzzy, transform: lowercase}}, action: block}
      - {name: cookies, when: {cookies: {contains: xyzzy, transform: [url-decode-uni, lowercase]}}, action: block}
      - {name: json, when: {json: {contains: xyzzy, transform: lowercase, invalid: text}}, action: block}
      - {name: body, when: {body: {contains: xyzzy, transform: [url-decode-uni, lowercase]}}, action: block}
      - {name: nulls, when: {body: {contains: xyzzy, transform: [remove-nulls, lowercase]}}, action: block}
      - {name: reads, when: {path: {starts-with: /reads}, not: {method: [GET, HEAD]}}, action: block}
apis:
  shop: {domains: [localhost], authorize: none, waf: edge, routes: [{match: "ANY /{proxy*}", target: "service:a"}]}
services:
  a: {targets: ["%s"]}
`

// reader is a service that reads a request in every way in which services do, and
// remembers where it has found the word.
type wordReader struct {
	mu    sync.Mutex
	found []string
	asked int
}

func (s *wordReader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	found := s.read(r, raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.found = append(s.found, found...)
}

// take returns what was found since the last call, and how many requests came.
func (s *wordReader) take() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, asked := s.found, s.asked
	s.found, s.asked = nil, 0
	return found, asked
}

func (s *wordReader) read(r *http.Request, raw []byte) (found []string) {
	note := func(where, text string) {
		if strings.Contains(strings.ToLower(strings.ReplaceAll(text, "\x00", "")), "xyzzy") {
			found = append(found, where)
		}
	}
	note("path", r.URL.Path)
	note("target", r.RequestURI)
	note("host", r.Host)
	if decoded, err := url.PathUnescape(r.URL.Path); err == nil && decoded != r.URL.Path {
		note("path, decoded twice", decoded)
	}
	for name, values := range r.URL.Query() {
		note("argument", name+" "+strings.Join(values, ""))
	}
	for name, values := range r.Header {
		note("header", name+": "+strings.Join(values, ","))
	}
	for _, c := range r.Cookies() {
		value, _ := url.QueryUnescape(c.Value)
		note("cookie", c.Name+"="+c.Value+" "+value)
	}
	if r.Method != "GET" && r.Method != "HEAD" && strings.HasPrefix(r.URL.Path, "/reads") {
		found = append(found, "method")
	}
	if o := r.Header.Get("X-Http-Method-Override"); o != "" {
		found = append(found, "method override")
	}
	for _, body := range bodies(r, raw) {
		note("body", string(body))
		if form, err := url.ParseQuery(string(body)); err == nil {
			note("form", fmt.Sprint(form))
		}
		var doc any
		if json.Unmarshal(body, &doc) == nil {
			note("json", fmt.Sprint(doc))
		}
		if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && params["boundary"] != "" {
			if form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(1 << 20); err == nil {
				note("multipart", fmt.Sprint(form.Value))
			}
		}
	}
	return found
}

// bodies are the body as it came and, where it is coded, what it stands for.
func bodies(r *http.Request, raw []byte) [][]byte {
	out := [][]byte{raw}
	for range 3 {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return out
		}
		raw, _ = io.ReadAll(io.LimitReader(z, 1<<20))
		out = append(out, raw)
	}
	return out
}

func gzipped(text string, times int) string {
	for range times {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
		text = b.String()
	}
	return text
}

// bypasses are requests that try to bring the word past the rules: the head
// without Host, and the body.
func bypasses() map[string][2]string {
	post := func(kind, body string, more ...string) [2]string {
		head := "POST /orders HTTP/1.1\r\n"
		if kind != "" {
			head += "Content-Type: " + kind + "\r\n"
		}
		for _, line := range more {
			head += line + "\r\n"
		}
		return [2]string{head, body}
	}
	get := func(target string, more ...string) [2]string {
		head := "GET " + target + " HTTP/1.1\r\n"
		for _, line := range more {
			head += line + "\r\n"
		}
		return [2]string{head}
	}
	const form, doc = "application/x-www-form-urlencoded", "application/json"
	padding := strings.Repeat("a", 9000)
	part := func(boundary, body string) string {
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + body + "\r\n--" + boundary + "--\r\n"
	}
	return map[string][2]string{
		"path":                          get("/xyzzy"),
		"path in capitals":              get("/XyZZy"),
		"path, encoded":                 get("/%78yzz%79"),
		"path, encoded twice":           get("/%2578yzzy"),
		"path, encoded thrice":          get("/%252578yzzy"),
		"path, IIS's encoding":          get("/%u0078yzzy"),
		"path, overlong":                get("/%c1%b8yzzy"),
		"path, NUL":                     get("/xyz%00zy"),
		"path, dots":                    get("/a/../xyzzy"),
		"path, encoded dots":            get("/a/%2e%2e/xyzzy"),
		"path, a parameter":             get("/xyzzy;a=b"),
		"path, backslash":               get(`/a\xyzzy`),
		"path, encoded slash":           get("/a%2fxyzzy"),
		"path, empty segments":          get("//xyzzy//"),
		"path, whole":                   get("http://localhost/xyzzy"),
		"path, a fragment":              get("/a#/xyzzy"),
		"query":                         get("/?a=xyzzy"),
		"query, encoded":                get("/?a=%78yzz%79"),
		"query, mixed encodings":        get("/?a=x%79%7a%5Ay"),
		"query, the name":               get("/?%78yzzy=1"),
		"query, twice":                  get("/?a=1&a=xyzzy"),
		"query, semicolon":              get("/?b;a=xyzzy"),
		"query, many":                   get("/?" + strings.Repeat("a&", 1500) + "b=xyzzy"),
		"query, NUL":                    get("/?a=%00xyzzy"),
		"query, broken encoding":        get("/?a=%zz%78yzzy&b=xyzz%79"),
		"query, IIS's encoding":         get("/?a=%u0078yzzy"),
		"query, no value":               get("/?xyzzy"),
		"query, question marks":         get("/??xyzzy"),
		"header":                        get("/", "X-A: xyzzy"),
		"header, twice":                 get("/", "X-A: 1", "X-A: xyzzy"),
		"header, its name":              get("/", "X-Xyzzy: 1"),
		"header, folded":                get("/", "X-A: 1", " xyzzy"),
		"header, underscore":            get("/", "X_A: xyzzy"),
		"header, another URL":           get("/", "X-Original-URL: /xyzzy", "X-Rewrite-URL: /xyzzy"),
		"header, nominated":             get("/", "Connection: x-a", "X-A: xyzzy"),
		"header, spaces":                get("/", "X-A:\t  xyzzy  "),
		"header, NUL":                   get("/", "X-A: a\x00xyzzy"),
		"referer":                       get("/", "Referer: https://a.test/?q=XYZZY"),
		"authorization":                 get("/", "Authorization: Basic xyzzy"),
		"cookie":                        get("/", "Cookie: a=xyzzy"),
		"cookie, quoted":                get("/", `Cookie: a="xyzzy"`),
		"cookie, encoded":               get("/", "Cookie: a=%78yzzy"),
		"cookie, the second":            get("/", "Cookie: a=b", "Cookie: c=xyzzy"),
		"cookie, twice":                 get("/", "Cookie: a=b; a=xyzzy"),
		"cookie, no name":               get("/", "Cookie: xyzzy"),
		"cookie, comma":                 get("/", "Cookie: $Version=1, a=xyzzy"),
		"method":                        {"DELETE /reads/1 HTTP/1.1\r\n"},
		"method override":               get("/reads/1", "X-HTTP-Method-Override: DELETE"),
		"method override, again":        get("/reads/1", "X_HTTP_Method_Override: DELETE"),
		"form":                          post(form, "a=xyzzy"),
		"form, encoded":                 post(form, "a=%78yzzy"),
		"form, IIS's encoding":          post(form, "a=%u0078yzzy&b=%78yzzy"),
		"form, no type":                 post("", "a=%78yzzy"),
		"form, another type":            post("text/plain", "a=%78yzzy"),
		"form, two types":               post(doc, "a=%78yzzy", "Content-Type: "+form),
		"form, two types in one":        post(doc+", "+form, "a=%78yzzy"),
		"form, a charset":               post(form+"; charset=utf-7", "a=%78yzzy"),
		"form, by GET":                  {"GET / HTTP/1.1\r\nContent-Type: " + form + "\r\n", "a=%78yzzy"},
		"form, NUL":                     post(form, "a=xyz%00zy&b=xyz\x00zy"),
		"json":                          post(doc, `{"a": "xyzzy"}`),
		"json, the name":                post(doc, `{"xyzzy": 1}`),
		"json, escaped":                 post(doc, `{"a": "\u0078\u0079zzy"}`),
		"json, escaped capitals":        post(doc, `{"a": "\u0058yzzy"}`),
		"json, no type":                 post("", `["\u0078yzzy"]`),
		"json, another type":            post("text/plain; charset=utf-16", `["\u0078yzzy"]`),
		"json, two types":               post(form, `["\u0078yzzy"]`, "content-type: "+doc),
		"json, a member twice":          post(doc, `{"a": "xyzzy", "a": 1}`),
		"json, the other of two":        post(doc, `{"a": 1, "a": "\u0078yzzy"}`),
		"json, deep":                    post(doc, strings.Repeat("[", 100)+`"\u0078yzzy"`+strings.Repeat("]", 100)),
		"json, a mark before":           post(doc, "\ufeff"+`["\u0078yzzy"]`),
		"json, spaces before":           post(doc, strings.Repeat(" \n", 1000)+`["\u0078yzzy"]`),
		"multipart":                     post("multipart/form-data; boundary=b", part("b", "xyzzy")),
		"multipart, a quoted boundary":  post(`multipart/form-data; boundary="b c"`, part("b c", "xyzzy")),
		"multipart, two boundaries":     post("multipart/form-data; boundary=c; boundary=b", part("b", "xyzzy")),
		"multipart, a preamble":         post("multipart/form-data; boundary=b", "--c\r\n\r\nhello\r\n"+part("b", "xyzzy")),
		"multipart, a file's name":      post("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a; filename=xyzzy\r\n\r\n\r\n--b--\r\n"),
		"UTF-16":                        post("text/plain; charset=utf-16le", "x\x00y\x00z\x00z\x00y\x00"),
		"padding before":                post(form, "p="+padding+"&a=xyzzy"),
		"padding before, in json":       post(doc, `{"p": "`+padding+`", "a": "xyzzy"}`),
		"gzip":                          post(form, gzipped("a=%78yzzy", 1), "Content-Encoding: gzip"),
		"gzip of json":                  post(doc, gzipped(`["\u0078yzzy"]`, 1), "Content-Encoding: x-gzip"),
		"gzip, after identity":          post(form, gzipped("a=xyzzy", 1), "Content-Encoding: identity, GZIP"),
		"gzip, twice":                   post(form, gzipped("a=xyzzy", 2), "Content-Encoding: gzip, gzip"),
		"gzip, twice by two lines":      post(form, gzipped("a=xyzzy", 2), "Content-Encoding: gzip", "Content-Encoding: gzip"),
		"gzip, thrice":                  post(form, gzipped("a=xyzzy", 3), "Content-Encoding: gzip, gzip, gzip"),
		"gzip of padding":               post(form, gzipped("p="+strings.Repeat("a", 1<<20)+"&a=xyzzy", 1), "Content-Encoding: gzip"),
		"gzip, called otherwise":        post(form, gzipped("a=xyzzy", 1), "Content-Encoding: gzip;q=1"),
		"gzip, called by nobody's name": post(form, gzipped("a=xyzzy", 1), "Content-Encoding: pack200-gzip"),
		"two members of gzip":           post(form, gzipped("a=b", 1)+gzipped("&c=xyzzy", 1), "Content-Encoding: gzip"),
		"no gzip":                       post(form, "a=xyzzy", "Content-Encoding: gzip"),
	}
}

// TestBypasses: nothing that a service reads, in whatever way, has escaped the
// rules. What it reads as harmless may pass.
func TestBypasses(t *testing.T) {
	service := &wordReader{}
	backend := httptest.NewServer(service)
	t.Cleanup(backend.Close)
	r := start(t, fmt.Sprintf(bypassACL, strings.TrimPrefix(backend.URL, "http://")), nil)
	send := func(raw string) int {
		t.Helper()
		conn, err := message{}.connect(r, "http/1.1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for name, b := range bypasses() {
		for framing, raw := range framed(b[0], b[1]) {
			status := send(raw)
			found, asked := service.take()
			if len(found) > 0 {
				t.Errorf("%s (%s): the service found it in %v", name, framing, found)
			}
			if passed := status < 400; passed != (asked == 1) {
				t.Errorf("%s (%s): %d, and the service was asked %d times", name, framing, status, asked)
			}
		}
	}
	for name, raw := range map[string]string{
		"get":  "GET /orders?a=b HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\nConnection: close\r\n\r\n",
		"json": "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"a\": \"xyz\"}",
	} {
		if status := send(raw); status != 200 {
			t.Errorf("%s is harmless, and got %d", name, status)
		}
	}
}

// framed is a request with its body in each of the ways in which one is framed.
func framed(head, body string) map[string]string {
	head += "Host: localhost\r\nConnection: close\r\n"
	out := map[string]string{"whole": head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)}
	if body == "" {
		return map[string]string{"bare": head + "\r\n"}
	}
	var chunks strings.Builder
	for i := 0; i < len(body); i += 7 {
		piece := body[i:min(i+7, len(body))]
		fmt.Fprintf(&chunks, "%x;a=xyz\r\n%s\r\n", len(piece), piece)
	}
	out["chunked"] = head + "Transfer-Encoding: chunked\r\n\r\n" + chunks.String() + "0\r\n\r\n"
	return out
}

// TestBypassesHTTP2: the same by what HTTP/2 alone can say.
func TestBypassesHTTP2(t *testing.T) {
	service := &wordReader{}
	backend := httptest.NewServer(service)
	t.Cleanup(backend.Close)
	r := start(t, fmt.Sprintf(bypassACL, strings.TrimPrefix(backend.URL, "http://")), nil)
	for name, s := range map[string]stream{
		"path":                        {fields: asks("GET", ":path", "/xyzzy")},
		"path, encoded":               {fields: asks("GET", ":path", "/%78yzzy")},
		"path, whole":                 {fields: asks("GET", ":path", "https://localhost/xyzzy")},
		"path, two":                   {fields: asks("GET", ":path", "/a", ":path", "/xyzzy")},
		"path, a space":               {fields: asks("GET", ":path", "/a HTTP/1.1\r\nX-A: xyzzy")},
		"method":                      {fields: asks("DELETE", ":path", "/reads/1")},
		"method, with a line":         {fields: asks("GET /xyzzy HTTP/1.1\r\nX: ")},
		"authority and host":          {fields: asks("GET", "host", "xyzzy")},
		"authority":                   {fields: asks("GET", ":authority", "xyzzy")},
		"authority with a user":       {fields: asks("GET", ":authority", "xyzzy@localhost")},
		"scheme":                      {fields: asks("GET", ":scheme", "xyzzy")},
		"cookies in pieces":           {fields: asks("GET", "cookie", "a=b", "cookie", "c=xyzzy")},
		"header":                      {fields: asks("GET", "x-a", "1", "x-a", "xyzzy")},
		"header in capitals":          {fields: asks("GET", "X-A", "xyzzy")},
		"header with a line":          {fields: asks("GET", "x-a", "1\r\nx-b: xyzzy")},
		"connection":                  {fields: asks("GET", "connection", "x-a", "x-a", "xyzzy")},
		"body":                        {fields: asks("POST"), data: []string{"a=%78", "yzzy"}},
		"body in many frames":         {fields: asks("POST"), data: strings.Split("x y z z y a=%78yzzy", "")},
		"body longer than it says":    {fields: asks("POST", "content-length", "3"), data: []string{"a=1&b=xyzzy"}},
		"body behind the padding":     {fields: asks("POST"), data: []string{strings.Repeat("a", 9000), "xyzzy"}},
		"a stream that is called RPC": {fields: asks("POST", "content-type", "application/grpc"), data: []string{"xyzzy"}},
	} {
		frames := r.dialFrames(t)
		o := frames.ask(s)
		_ = frames.conn.Close()
		found, asked := service.take()
		if len(found) > 0 {
			t.Errorf("%s: the service found it in %v", name, found)
		}
		if o.refused() && asked > 0 {
			t.Errorf("%s: the service was asked %d times, and the client told %q", name, asked, o.status)
		}
	}
}
