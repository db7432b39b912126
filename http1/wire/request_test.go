package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// message is what a reader made of a request.
type message struct {
	Method, Target, Host string
	Minor                int
	Close                bool
	Header               http.Header
	Body                 string
	Trailer              http.Header
	Rest                 int // bytes behind it
}

func parseRequest(in []byte, piece int) (m message, err error) {
	rd := NewRequestReader(64<<10, 1000)
	src := bytes.NewReader(in)
	rd.Reset(io.Reader(&pieces{src, piece}))
	m.Header = http.Header{}
	q, _, err := rd.ReadRequest(m.Header, nil)
	if err != nil {
		return m, err
	}
	m.Method, m.Target, m.Host, m.Minor, m.Close = q.Method, q.Target, q.Host, q.Minor, q.Close
	var body bytes.Buffer
	buf := make([]byte, 5000)
	for {
		n, err := rd.ReadBody(buf)
		body.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return m, err
		}
	}
	m.Body, m.Trailer, m.Rest = body.String(), rd.Trailer(), rd.Buffered()+src.Len()
	return m, nil
}

// pieces gives at most n bytes a read.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

func parseRequestStandard(in []byte) (m message, err error) {
	src := bytes.NewReader(in)
	r := bufio.NewReader(src)
	req, err := http.ReadRequest(r)
	if err != nil {
		return m, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return m, err
	}
	m = message{Method: req.Method, Target: req.RequestURI, Host: req.Host, Minor: req.ProtoMinor, Close: req.Close, Header: req.Header, Body: string(body), Trailer: req.Trailer}
	m.Rest = r.Buffered() + src.Len()
	return m, nil
}

func seeds() []string {
	const host = "Host: h\r\n"
	return []string{
		"GET / HTTP/1.1\r\n" + host + "\r\n",
		"GET /a?b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcGET",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-A: b\r\n\r\nrest",
		"POST / HTTP/1.1\r\n" + host + "Connection: close, x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		"GET http://h/ HTTP/1.1\r\n" + host + "\r\n",
		"OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"GET / HTTP/1.1\n" + host + "\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n",
	}
}

// FuzzRequest reads the same bytes with net/http's own parser, in one piece
// and in several. What is accepted here must be accepted there and read in the
// same way: otherwise a server behind us would see another request, or another
// end of it.
func FuzzRequest(f *testing.F) {
	for _, in := range seeds() {
		f.Add([]byte(in), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		ours, err := parseRequest(in, 1<<20)
		inPieces, errPieces := parseRequest(in, int(piece)+1)
		if (err == nil) != (errPieces == nil) {
			t.Fatalf("%v in one piece, %v in pieces of %d", err, errPieces, piece+1)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(ours, inPieces); diff != "" {
			t.Fatal(diff)
		}
		theirs, err := parseRequestStandard(in)
		if _, ok := errors.AsType[*url.Error](err); ok {
			return // targets are judged elsewhere: by the engine, and the gateway's rule for paths
		}
		if err != nil {
			t.Fatalf("accepted here, refused by net/http: %v", err)
		}
		normalize(&ours, &theirs)
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatal(diff)
		}
	})
}

// normalize takes away what net/http keeps in other places, or in other words.
func normalize(ours, theirs *message) {
	for name := range theirs.Trailer {
		if !TrailerAllowed(name) || theirs.Trailer[name] == nil {
			delete(theirs.Trailer, name) // announced, and did not come
		}
	}
	delete(theirs.Header, "Trailer") // stays there where the body has no chunks
	if len(ours.Trailer) == 0 && len(theirs.Trailer) == 0 {
		ours.Trailer, theirs.Trailer = nil, nil
	}
	if ours.Header["Pragma"] != nil && ours.Header["Cache-Control"] == nil {
		delete(theirs.Header, "Cache-Control") // net/http makes one of Pragma: no-cache
	}
	if strings.Contains(ours.Target, "://") {
		ours.Host, theirs.Host = "", "" // the target's; the engine compares them
	}
}

// Small chunks that have come together are read together, and none is waited
// for while there is something to read.
func TestSmallChunksTogether(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		body string
		want []string
	}{
		{"1\r\na\r\n1\r\nb\r\n2\r\ncd\r\n0\r\n\r\n", []string{"abcd", ""}},
		{"1\r\na\r\n01\r\nb\r\n0\r\nX: y\r\n\r\n", []string{"a", "b", ""}},
		{"1\r\na\r\n1\r\n", []string{"a"}},
		{"1\r\na\r\n1;x=y\r\nb\r\n3\r\nc", []string{"abc"}},
		{"1\r\na\r\n1", []string{"a"}},
		{"1\r\na\r\n", []string{"a"}},
	} {
		rd := NewRequestReader(64<<10, 100)
		rd.Reset(strings.NewReader(head + c.body))
		if _, _, err := rd.ReadRequest(http.Header{}, nil); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		for _, want := range c.want {
			if n, err := rd.ReadBody(buf); string(buf[:n]) != want || err != nil && err != io.EOF {
				t.Errorf("%q: %q %v, want %q", c.body, buf[:n], err, want)
			}
		}
	}
}

func TestOrder(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nuser-AGENT: x\r\nX-B: 2\r\nConnection: close\r\n\r\n"
	for keep, want := range map[bool]string{false: "", true: "host:x-b:user-agent:x-b:connection"} {
		rd := NewRequestReader(MaxHead, MaxFields)
		if keep {
			rd.KeepOrder()
		}
		rd.Reset(strings.NewReader(head))
		q, _, err := rd.ReadRequest(make(http.Header), nil)
		if err != nil || q.Order != want {
			t.Errorf("%q, %v; want %q", q.Order, err, want)
		}
	}
}
