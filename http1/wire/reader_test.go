package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// answer is what a Reader made of some bytes.
type answer struct {
	Status  int
	Length  int64
	Close   bool
	Header  http.Header
	Body    string
	Trailer http.Header
	Clean   bool
}

// read reads one answer, past informational ones.
func read(src io.Reader, method string) (a answer, err error) {
	rd := NewReader()
	rd.Reset(src)
	a.Header = http.Header{}
	var h Head
	for {
		if h, err = rd.ReadHead(method, a.Header); err != nil {
			return a, err
		}
		if !h.Informational() {
			break
		}
	}
	a.Status, a.Length, a.Close = h.Status, h.Length, h.Close
	var body bytes.Buffer
	for {
		p, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			a.Body = body.String()
			return a, err
		}
		body.Write(p)
	}
	a.Body, a.Trailer, a.Clean = body.String(), rd.Trailer(), rd.Clean()
	return a, nil
}

// readBoth reads the bytes in one piece and one by one; both give the same but
// for bytes behind the answer, which may not have arrived.
func readBoth(t *testing.T, in, method string) (answer, error) {
	t.Helper()
	whole, err := read(strings.NewReader(in), method)
	split, err2 := read(iotest.OneByteReader(strings.NewReader(in)), method)
	if fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Errorf("%q: %v in one piece, %v byte by byte", in, err, err2)
	}
	split.Clean = whole.Clean
	if d := cmp.Diff(whole, split); d != "" && err == nil {
		t.Errorf("%q: byte by byte it differs: %s", in, d)
	}
	return whole, err
}

type accepted struct {
	name, method, in string
	want             answer
}

func acceptedAnswers() []accepted {
	long := strings.Repeat("v", 60<<10)
	return []accepted{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok",
			answer{200, 2, false, http.Header{"Content-Length": {"2"}, "X": {"y"}}, "ok", nil, true}},
		{"no reason", "GET", "HTTP/1.1 204\r\n\r\n", answer{Status: 204, Header: http.Header{}, Clean: true}},
		{"empty reason", "GET", "HTTP/1.1 204 \r\n\r\n", answer{Status: 204, Header: http.Header{}, Clean: true}},
		{"an unusual status", "GET", "HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n", answer{Status: 999, Header: http.Header{"Content-Length": {"0"}}, Clean: true}},
		{"bytes behind", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!",
			answer{200, 2, false, http.Header{"Content-Length": {"2"}}, "ok", nil, false}},
		{"until the end", "GET", "HTTP/1.1 200 OK\r\n\r\nall of this",
			answer{200, -1, true, http.Header{}, "all of this", nil, true}},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
			answer{200, 2, true, http.Header{"Content-Length": {"2"}}, "ok", nil, true}},
		{"close", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: foo, Close\r\n\r\n",
			answer{200, 0, true, http.Header{"Content-Length": {"0"}}, "", nil, true}},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
			answer{200, -1, false, http.Header{}, "abc0123456789", nil, true}},
		{"trailer", "GET", "HTTP/1.1 200 OK\r\nTrailer: x-sum, set-cookie\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nSet-Cookie: 7\r\nX-More: 2\r\n\r\n",
			answer{200, -1, false, http.Header{}, "a", http.Header{"X-Sum": {"1"}, "X-More": {"2"}}, true}},
		{"same length twice", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
			answer{200, 2, false, http.Header{"Content-Length": {"2"}}, "ok", nil, true}},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n",
			answer{200, 2000, false, http.Header{"Content-Length": {"2000"}}, "", nil, true}},
		{"HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			answer{200, 0, false, http.Header{}, "", nil, true}},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nEtag: \"x\"\r\n\r\n",
			answer{304, 5, false, http.Header{"Content-Length": {"5"}, "Etag": {`"x"`}}, "", nil, true}},
		{"204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
			answer{204, 0, true, http.Header{}, "", nil, true}},
		{"204 of length 0", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
			answer{204, 0, false, http.Header{}, "", nil, true}},
		{"hop by hop", "GET", "HTTP/1.1 200 OK\r\nConnection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nX-Public: 2\r\nContent-Length: 0\r\n\r\n",
			answer{200, 0, false, http.Header{"X-Public": {"2"}, "Content-Length": {"0"}}, "", nil, true}},
		{"informational", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			answer{200, 2, false, http.Header{"Content-Length": {"2"}}, "ok", nil, true}},
		{"several of a name, odd case, space", "GET", "HTTP/1.1 200 OK\r\nset-COOKIE: \t a=1 \t\r\nSet-Cookie:b=2\r\nx_y: \r\ncontent-length: 0\r\n\r\n",
			answer{200, 0, false, http.Header{"Set-Cookie": {"a=1", "b=2"}, "X_y": {""}, "Content-Length": {"0"}}, "", nil, true}},
		{"a large head", "GET", "HTTP/1.1 200 OK\r\nX: " + long + "\r\nContent-Length: 1\r\n\r\nz",
			answer{200, 1, false, http.Header{"X": {long}, "Content-Length": {"1"}}, "z", nil, true}},
		{"bytes above ASCII", "GET", "HTTP/1.1 200 \xc3\xa9\r\nX: caf\xc3\xa9\r\nContent-Length: 0\r\n\r\n",
			answer{200, 0, false, http.Header{"X": {"caf\xc3\xa9"}, "Content-Length": {"0"}}, "", nil, true}},
	}
}

func TestAccepted(t *testing.T) {
	for _, c := range acceptedAnswers() {
		got, err := readBoth(t, c.in, c.method)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func refusedAnswers() map[string]string {
	const ok = "HTTP/1.1 200 OK\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	return map[string]string{
		"no HTTP":                        "SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2":                         "HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.2":                       "HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.10":                      "HTTP/1.10 200 OK\r\n\r\n",
		"HTTP/0.9":                       "<html>hello</html>",
		"an empty line first":            "\r\n" + ok + "\r\n",
		"lower-case http":                "http/1.1 200 OK\r\n\r\n",
		"a status of two digits":         "HTTP/1.1 20 OK\r\n\r\n",
		"a status of four digits":        "HTTP/1.1 2000 OK\r\n\r\n",
		"a status of letters":            "HTTP/1.1 2x0 OK\r\n\r\n",
		"a signed status":                "HTTP/1.1 +20 OK\r\n\r\n",
		"a status below 100":             "HTTP/1.1 099 OK\r\n\r\n",
		"two spaces":                     "HTTP/1.1  200 OK\r\n\r\n",
		"a tab":                          "HTTP/1.1\t200 OK\r\n\r\n",
		"a control byte in the reason":   "HTTP/1.1 200 O\x00K\r\n\r\n",
		"a CR in the reason":             "HTTP/1.1 200 O\rK\r\n\r\n",
		"bare LF":                        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"bare LF after a field":          ok + "X: y\nContent-Length: 0\r\n\r\n",
		"bare LF as the end":             ok + "Content-Length: 0\r\n\n",
		"bare CR in a value":             ok + "X: y\rContent-Length: 5\r\n\r\n",
		"bare CR before the end":         ok + "X: y\r\r\n\r\n",
		"NUL in a value":                 ok + "X: a\x00b\r\n\r\n",
		"DEL in a value":                 ok + "X: a\x7fb\r\n\r\n",
		"a folded line":                  ok + "X: y\r\n z\r\n\r\n",
		"a folded first line":            ok + " X: y\r\n\r\n",
		"no colon":                       ok + "X y\r\n\r\n",
		"no name":                        ok + ": y\r\n\r\n",
		"space before the colon":         ok + "Content-Length : 5\r\n\r\nhello",
		"a space in a name":              ok + "X Y: z\r\n\r\n",
		"a byte above ASCII in a name":   ok + "X\xc3\xa9: z\r\n\r\n",
		"both framings":                  ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"both framings, other order":     ok + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"differing lengths":              ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"a list of lengths":              ok + "Content-Length: 3, 3\r\n\r\nabc",
		"a signed length":                ok + "Content-Length: +3\r\n\r\nabc",
		"a negative length":              ok + "Content-Length: -1\r\n\r\n",
		"a length in hex":                ok + "Content-Length: 0x3\r\n\r\nabc",
		"no length":                      ok + "Content-Length: \r\n\r\n",
		"a length that overflows":        ok + "Content-Length: 9223372036854775808\r\n\r\n",
		"gzip, chunked":                  ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":                  ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked, chunked":               ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"identity":                       ok + "Transfer-Encoding: identity\r\n\r\n",
		"an empty coding":                ok + "Transfer-Encoding:\r\n\r\n",
		"chunked in HTTP/1.0":            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a body with 100":                "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc",
		"no chunk length":                chunked + "\r\nabc\r\n0\r\n\r\n",
		"a chunk length of letters":      chunked + "xyz\r\nabc\r\n0\r\n\r\n",
		"a signed chunk length":          chunked + "+3\r\nabc\r\n0\r\n\r\n",
		"0x before a chunk length":       chunked + "0x3\r\nabc\r\n0\r\n\r\n",
		"space before a chunk length":    chunked + " 3\r\nabc\r\n0\r\n\r\n",
		"space after a chunk length":     chunked + "3 \r\nabc\r\n0\r\n\r\n",
		"a chunk length that overflows":  chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n",
		"LF after a chunk length":        chunked + "3\nabc\r\n0\r\n\r\n",
		"CR in a chunk extension":        chunked + "3;a\rb\r\nabc\r\n0\r\n\r\n",
		"NUL in a chunk extension":       chunked + "3;a\x00\r\nabc\r\n0\r\n\r\n",
		"a chunk longer than its length": chunked + "3\r\nabcd\r\n0\r\n\r\n",
		"LF after a chunk":               chunked + "3\r\nabc\n0\r\n\r\n",
		"a long line before a chunk":     chunked + "3;" + strings.Repeat("x", maxLine) + "\r\nabc\r\n0\r\n\r\n",
		"many chunk extensions":          chunked + strings.Repeat("1;"+strings.Repeat("x", maxLine-10)+"\r\na\r\n", 40) + "0\r\n\r\n",
		"a trailer that frames":          ok + "Transfer-Encoding: chunked\r\nTrailer: a, content-length\r\n\r\n0\r\n\r\n",
		"a broken trailer":               chunked + "0\r\nX y\r\n\r\n",
		"a folded trailer":               chunked + "0\r\nX: y\r\n z\r\n\r\n",
		"LF in a trailer":                chunked + "0\r\nX: y\n\r\n",
		"a head too large":               ok + "X: " + strings.Repeat("v", MaxHead) + "\r\n\r\n",
		"a status line too large":        "HTTP/1.1 200 " + strings.Repeat("v", MaxHead) + "\r\n\r\n",
		"a line without end":             ok + "X: " + strings.Repeat("v", 2*MaxHead),
		"a trailer too large":            chunked + "0\r\nX: " + strings.Repeat("v", MaxHead) + "\r\n\r\n",
		"too many fields":                ok + strings.Repeat("a: b\r\n", MaxFields+1) + "\r\n",
	}
}

func TestRefused(t *testing.T) {
	for name, in := range refusedAnswers() {
		if got, err := readBoth(t, in, "GET"); !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}

// Garbage is known for what it is before the other side ends a line.
func TestRefusedAtOnce(t *testing.T) {
	for _, in := range []string{"S", "HTTP/2", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nX: y\n"} {
		_, err := read(io.MultiReader(strings.NewReader(in), &never{t}), "GET")
		if !errors.Is(err, ErrBad) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// never is not to be read from.
type never struct{ t *testing.T }

func (n *never) Read([]byte) (int, error) {
	n.t.Error("waits for more of what is bad already")
	return 0, io.EOF
}

func TestCut(t *testing.T) {
	for _, in := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
	} {
		for n := range len(in) {
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if _, err := readBoth(t, in[:n], "GET"); err != want {
				t.Errorf("%q: %v, want %v", in[:n], err, want)
			}
		}
	}
}

// A head costs one string, one slice and nothing a field but its place in the
// map.
func TestHeadAllocations(t *testing.T) {
	in := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nDate: now\r\nServer: x\r\nX-A: 1\r\nX-B: 2\r\n\r\nok"
	src := strings.NewReader(in)
	rd, h := NewReader(), http.Header{}
	got := testing.AllocsPerRun(100, func() {
		clear(h)
		src.Reset(in)
		rd.Reset(src)
		if _, err := rd.ReadHead("GET", h); err != nil {
			t.Fatal(err)
		}
		if p, err := rd.Next(); string(p) != "ok" || err != nil {
			t.Fatal(p, err)
		}
	})
	if got > 2 {
		t.Errorf("%v allocations", got)
	}
}

func TestAppendField(t *testing.T) {
	for _, c := range [][3]string{
		{"X-A", "b", "X-A: b\r\n"},
		{"X-A", "b\r\nX-Evil: 1", "X-A: b  X-Evil: 1\r\n"},
		{"X-A", "b\x00c\x7f\td", "X-A: b c \td\r\n"},
		{"X A", "b", ""},
		{"X:A", "b", ""},
		{"", "b", ""},
		{"X-A\r\nX-Evil", "b", ""},
	} {
		if got := string(AppendField(nil, c[0], c[1])); got != c[2] {
			t.Errorf("%q: %q, want %q", c[:2], got, c[2])
		}
	}
}

func BenchmarkReadHead(b *testing.B) {
	in := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nServer: origin\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"
	src := strings.NewReader(in)
	rd, h := NewReader(), http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		src.Reset(in)
		rd.Reset(src)
		if _, err := rd.ReadHead("GET", h); err != nil {
			b.Fatal(err)
		}
	}
}
