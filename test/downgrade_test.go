package test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asks are the pseudo-header fields of a request, each but those that are given,
// then further fields.
func asks(method string, fields ...string) (all [][2]string) {
	pseudo := [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/a"}}
	for _, p := range pseudo {
		if !slices.Contains(fields, p[0]) {
			all = append(all, p)
		}
	}
	return append(all, pairs(fields...)...)
}

func pairs(fields ...string) (all [][2]string) {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i+1] != "(none)" {
			all = append(all, [2]string{fields[i], fields[i+1]})
		}
	}
	return all
}

// TestDowngradesRefused: what HTTP/2 can carry and HTTP/1 cannot, or could as
// something else, reaches no server.
func TestDowngradesRefused(t *testing.T) {
	w := newWitness(t)
	get := func(fields ...string) stream { return stream{fields: asks("GET", fields...)} }
	post := func(data []string, fields ...string) stream {
		return stream{fields: asks("POST", fields...), data: data}
	}
	trailer := func(fields ...string) stream {
		return stream{fields: asks("POST", "trailer", "x-sum"), data: []string{"hello"}, trailer: pairs(fields...)}
	}
	for name, s := range map[string]stream{
		"an upper-case name":       get("X-Upper", "a"),
		"a space in a name":        get("x y", "a"),
		"a colon in a name":        get("x: y\r\nz", "a"),
		"a colon behind a name":    get("transfer-encoding:", "chunked"),
		"CRLF in a name":           get("x\r\ny", "a"),
		"LF in a name":             get("x\ny", "a"),
		"NUL in a name":            get("x\x00y", "a"),
		"an empty name":            get("", "a"),
		"a name beyond ASCII":      get("x\xc3\xa4", "a"),
		"CRLF in a value":          get("x", "a\r\nTransfer-Encoding: chunked"),
		"CR in a value":            get("x", "a\rb"),
		"LF in a value":            get("x", "a\nb"),
		"NUL in a value":           get("x", "a\x00b"),
		"DEL in a value":           get("x", "a\x7fb"),
		"two dashes for one":       post([]string{"hello"}, "transfer--encoding", "chunked"),
		"a dot for a dash":         post([]string{"hello"}, "transfer.encoding", "chunked"),
		"an underscore for a dash": post([]string{"hello"}, "content_length", "0"),
		"dashes around":            post([]string{"hello"}, "-content-length-", "0"),

		"no method":                get(":method", "(none)"),
		"an empty method":          get(":method", ""),
		"a request line as method": get(":method", "GET /admin HTTP/1.1"),
		"a space behind a method":  get(":method", "GET "),
		"a tab in a method":        get(":method", "G\tET"),
		"CRLF in a method":         get(":method", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"),
		"a colon in a method":      get(":method", "GET:"),
		"a method beyond ASCII":    get(":method", "G\xc3\x8bT"),
		"CONNECT":                  stream{fields: [][2]string{{":method", "CONNECT"}, {":authority", "localhost:80"}}},
		"an extended CONNECT":      get(":method", "CONNECT", ":protocol", "websocket"),
		"no path":                  get(":path", "(none)"),
		"an empty path":            get(":path", ""),
		"two paths":                get("x", "y", ":path", "/b", ":path", "/c"),
		"a path behind fields":     stream{fields: append(asks("GET", ":path", "(none)", "x", "y"), [2]string{":path", "/a"})},
		"a space in a path":        get(":path", "/a b"),
		"a version in a path":      get(":path", "/a HTTP/1.1"),
		"CRLF in a path":           get(":path", "/a HTTP/1.1\r\nX: y"),
		"a tab in a path":          get(":path", "/a\tb"),
		"a space in a query":       get(":path", "/a?b HTTP/1.1"),
		"LF in a query":            get(":path", "/a?b\nc"),
		"a fragment":               get(":path", "/a#b"),
		"no slash":                 get(":path", "a"),
		"a star":                   get(":method", "OPTIONS", ":path", "*"),
		"another host's URL":       get(":path", "http://other/a"),
		"a URL with a user":        get(":path", "https://u@localhost/a"),
		"a path that names a host": get(":path", "localhost:80"),
		"another scheme":           get(":scheme", "ftp"),
		"a URL as scheme":          get(":scheme", "https://other/?"),
		"no scheme":                get(":scheme", "(none)"),
		"an unknown pseudo field":  get(":x", "y"),
		"an answer's pseudo field": get(":status", "200"),
		"no authority":             get(":authority", "(none)"),
		"an empty authority":       get(":authority", ""),
		"a space in an authority":  get(":authority", "local host"),
		"CRLF in an authority":     get(":authority", "localhost\r\nX: y"),
		"a path in an authority":   get(":authority", "localhost/x"),
		"a user in an authority":   get(":authority", "u@localhost"),
		"two ports":                get(":authority", "localhost:80:80"),
		"a comma in an authority":  get(":authority", "localhost,other"),
		"another Host":             get("host", "other"),
		"two Hosts":                get("host", "localhost", "host", "localhost"),
		"an empty Host":            get("host", ""),

		"Connection":         get("connection", "close"),
		"Connection, more":   get("connection", "x-a", "x-a", "b"),
		"Keep-Alive":         get("keep-alive", "timeout=5"),
		"Proxy-Connection":   get("proxy-connection", "close"),
		"Transfer-Encoding":  post([]string{"0\r\n\r\n"}, "transfer-encoding", "chunked"),
		"another coding":     post([]string{"0\r\n\r\n"}, "transfer-encoding", "identity"),
		"Upgrade":            get("upgrade", "h2c"),
		"TE: gzip":           get("te", "gzip"),
		"TE: trailers, gzip": get("te", "trailers, gzip"),

		"less than the length":          post([]string{"hel"}, "content-length", "5"),
		"more than the length":          post([]string{"hello GET / HTTP/1.1\r\n\r\n"}, "content-length", "5"),
		"nothing for a length":          post(nil, "content-length", "5"),
		"an empty frame for a length":   post([]string{""}, "content-length", "5"),
		"two lengths":                   post([]string{"hello"}, "content-length", "5", "content-length", "0"),
		"a list of lengths":             post([]string{"hello"}, "content-length", "5, 5"),
		"a signed length":               post([]string{"hello"}, "content-length", "+5"),
		"a negative length":             post([]string{"hello"}, "content-length", "-5"),
		"a hexadecimal length":          post([]string{"hello"}, "content-length", "0x5"),
		"a blank length":                post([]string{"hello"}, "content-length", ""),
		"a blank length without a body": post(nil, "content-length", ""),
		"a wrong length without a body": post(nil, "content-length", "x"),
		"a space before a length":       post([]string{"hello"}, "content-length", " 5"),
		"a length of 20 digits":         post([]string{"hello"}, "content-length", "18446744073709551621"),
		"a body with GET":               stream{fields: asks("GET"), data: []string{"GET / HTTP/1.1\r\n\r\n"}},

		"a pseudo field in a trailer":    trailer(":path", "/b"),
		"an upper-case name in one":      trailer("X-Sum", "1"),
		"a space in a trailer's name":    trailer("x sum", "1"),
		"CRLF in a trailer":              trailer("x-sum", "1\r\n\r\nGET / HTTP/1.1"),
		"a length in a trailer":          trailer("content-length", "0"),
		"a coding in a trailer":          trailer("transfer-encoding", "chunked"),
		"a Host in a trailer":            trailer("host", "other"),
		"Connection in a trailer":        trailer("connection", "close"),
		"credentials in a trailer":       trailer("authorization", "x"),
		"a trailer with less than said":  {fields: asks("POST", "content-length", "9"), data: []string{"hello"}, trailer: pairs("x-sum", "1")},
		"a trailer that does not end it": {fields: asks("POST"), data: []string{"hello"}, trailer: pairs("x\x00", "1")},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.dialFrames(t).ask(s)
			w.quiet(t)
			for _, r := range w.settle(t) {
				if r.Whole {
					t.Errorf("the service saw %s %s with %q", r.Method, r.Target, r.Body)
				}
			}
			if !o.refused() {
				t.Errorf("got %+v", o)
			}
		})
	}
}

// TestBodyOverItsLength: what is known to be wrong once the service has its
// request is still one request, of the length that was said.
func TestBodyOverItsLength(t *testing.T) {
	w := newWitness(t)
	for said, data := range map[string][]string{"5": {"hello", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"}, "0": {"GET / HTTP/1.1\r\nHost: h\r\n\r\n"}} {
		w.dialFrames(t).ask(stream{fields: asks("POST", "content-length", said), data: data})
		w.quiet(t)
		all := w.settle(t)
		if len(all) > 1 || len(all) == 1 && strconv.Itoa(len(all[0].Body)) != said {
			t.Errorf("%s bytes were said, and the service saw %+v", said, all)
		}
	}
}

// TestDowngrades: what is good arrives in HTTP/1's words.
func TestDowngrades(t *testing.T) {
	w := newWitness(t)
	for name, tc := range map[string]struct {
		stream
		method, target, host, body string
		field, value               string // of the one field that is looked at; "" for none
		trailer                    []string
	}{
		"plain":                      {stream: stream{fields: asks("GET")}, method: "GET", target: "/a", host: "localhost"},
		"a query":                    {stream: stream{fields: asks("GET", ":path", "/%61?b=%20&c")}, method: "GET", target: "/a?b=%20&c", host: "localhost"},
		"a method of one's own":      {stream: stream{fields: asks("M-SEARCH")}, method: "M-SEARCH", target: "/a", host: "localhost"},
		"a port":                     {stream: stream{fields: asks("GET", ":authority", "localhost:8443")}, method: "GET", target: "/a", host: "localhost:8443"},
		"Host alone":                 {stream: stream{fields: asks("GET", ":authority", "(none)", "host", "localhost")}, method: "GET", target: "/a", host: "localhost"},
		"the same Host":              {stream: stream{fields: asks("GET", "host", "LOCALHOST")}, method: "GET", target: "/a", host: "localhost"},
		"crumbs of a cookie":         {stream: stream{fields: asks("GET", "cookie", "a=b", "x", "y", "cookie", "c=d")}, method: "GET", target: "/a", host: "localhost", field: "cookie", value: "a=b; c=d"},
		"TE: trailers":               {stream: stream{fields: asks("GET", "te", "trailers")}, method: "GET", target: "/a", host: "localhost", field: "te", value: "trailers"},
		"a forged address":           {stream: stream{fields: asks("GET", "x_forwarded_for", "192.0.2.1", "x.forwarded.for", "192.0.2.1", "x-forwarded-for", "192.0.2.1")}, method: "GET", target: "/a", host: "localhost", field: "x-forwarded-for", value: "127.0.0.1"},
		"a length":                   {stream: stream{fields: asks("POST", "content-length", "5"), data: []string{"he", "", "llo"}}, method: "POST", target: "/a", host: "localhost", body: "hello", field: "content-length", value: "5"},
		"twice the length":           {stream: stream{fields: asks("POST", "content-length", "5", "content-length", "5"), data: []string{"hello"}}, method: "POST", target: "/a", host: "localhost", body: "hello", field: "content-length", value: "5"},
		"no length":                  {stream: stream{fields: asks("POST"), data: []string{"0\r\n\r\n", "GET /"}}, method: "POST", target: "/a", host: "localhost", body: "0\r\n\r\nGET /", field: "transfer-encoding", value: "chunked"},
		"no body":                    {stream: stream{fields: asks("POST")}, method: "POST", target: "/a", host: "localhost", field: "content-length", value: "0"},
		"a trailer":                  {stream: stream{fields: asks("POST", "trailer", "x-sum"), data: []string{"hello"}, trailer: pairs("x-sum", "1")}, method: "POST", target: "/a", host: "localhost", body: "hello", trailer: []string{"X-Sum"}},
		"one that nobody announced":  {stream: stream{fields: asks("POST"), data: []string{"hello"}, trailer: pairs("x-sum", "1")}, method: "POST", target: "/a", host: "localhost", body: "hello"},
		"a length as a trailer":      {stream: stream{fields: asks("POST", "trailer", "content-length"), data: []string{"hello"}, trailer: pairs("content-length", "0")}, method: "POST", target: "/a", host: "localhost", body: "hello"},
		"trailers that are not ours": {stream: stream{fields: asks("POST", "trailer", "x-sum, x_forwarded_for, x.forwarded.for, x-real-ip, x-original-url, cookie"), data: []string{"hello"}, trailer: pairs("x-sum", "1", "x_forwarded_for", "192.0.2.1", "x.forwarded.for", "192.0.2.1", "x-real-ip", "192.0.2.1", "x-original-url", "/b", "cookie", "a=b")}, method: "POST", target: "/a", host: "localhost", body: "hello", trailer: []string{"X-Sum"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.dialFrames(t).ask(tc.stream)
			w.quiet(t)
			all := w.settle(t)
			if o.status != "200" || o.body != tc.method+" "+tc.target || len(all) != 1 {
				t.Fatalf("got %+v, and the service saw %d requests", o, len(all))
			}
			r := all[0]
			got := []string{r.Method, r.Target, r.Host, r.Body, strings.Join(r.Trailer(), ",")}
			want := []string{tc.method, tc.target, tc.host, tc.body, strings.Join(tc.trailer, ",")}
			if tc.field != "" {
				got, want = append(got, r.Field(tc.field)...), append(want, tc.value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzDowngrade sends fields and a body by HTTP/2, and holds that the service
// sees one request or none. Fields are separated by LF, their names and values
// by TAB, unless they hold it, which is said by \n and \t; an empty field
// stands before the body's frames, and the body's before the trailer.
func FuzzDowngrade(f *testing.F) {
	for _, seed := range []string{
		":method\tPOST\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a\n\nhello\n",
		":method\tPOST\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a\ncontent-length\t5\n\nhe\nllo\n",
		":method\tGET /x HTTP/1.1\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a\n",
		":method\tGET\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a?b c\n",
		":method\tPUT\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a\ntrailer\tx-sum\n\nhe\n\nx-sum\t1\ntransfer-encoding\tchunked\n",
		":method\tGET\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a\nhost\tlocalhost\nte\ttrailers\ntransfer.encoding\tchunked\n",
		":method\tPOST\n:scheme\thttps\n:authority\tlocalhost\n:path\t/a\nx\ta\\r\\nb\n\n0\\r\\n\\r\\n\n",
	} {
		f.Add(seed)
	}
	w := newWitness(f)
	f.Fuzz(func(t *testing.T, text string) {
		w.t = t
		o := w.dialFrames(t).ask(streamOf(text))
		w.quiet(t)
		all := w.settle(t)
		if len(all) > 1 || len(all) > 0 && all[0].Whole && (o.status == "" || all[0].Method+" "+all[0].Target != o.body && o.status == "200" && all[0].Method != "HEAD") {
			t.Errorf("got %+v, and the service saw %+v", o, all)
		}
	})
}

func streamOf(text string) (s stream) {
	real := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\0`, "\x00")
	part := 0
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" && part < 2 {
			part++
			continue
		}
		name, value, _ := strings.Cut(line, "\t")
		field := [2]string{real.Replace(name), real.Replace(value)}
		switch part {
		case 0:
			s.fields = append(s.fields, field)
		case 1:
			s.data = append(s.data, real.Replace(line))
		default:
			s.trailer = append(s.trailer, field)
		}
	}
	return s
}

// FuzzMessages sends bytes and holds what TestMutations does.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;x=y\r\n0\r\n\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
		"POST http://h/early HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
		"PUT /deny HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\nExpect: 100-continue\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nConnection: Content-Length, X-A\r\nX-A: b\r\nX_Forwarded_For: 1.1.1.1\r\nContent-Length: 2\r\n\r\n\r\n",
	} {
		f.Add(seed)
	}
	w := newWitness(f)
	f.Fuzz(func(t *testing.T, sent string) {
		w.t = t
		w.say(t, sent, true)
		intended(t, sent, w.settle(t))
	})
}
