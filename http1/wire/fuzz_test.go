package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// FuzzAnswer reads the same bytes with net/http's own parser. Whatever is
// accepted here must be accepted there, and read in the same way: otherwise
// somebody else would see another answer, or another end of it.
func FuzzAnswer(f *testing.F) {
	for _, a := range acceptedAnswers() {
		f.Add([]byte(a.in), a.method == http.MethodHead)
	}
	for _, in := range refusedAnswers() {
		if len(in) < 1<<10 {
			f.Add([]byte(in), false)
		}
	}
	readers := sync.Pool{New: func() any { return NewReader() }}
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		rd := readers.Get().(*Reader)
		defer readers.Put(rd)
		ours, err := parse(rd, in, method)
		if err != nil {
			return
		}
		theirs, err := parseStandard(in, method)
		if err != nil {
			t.Fatalf("accepted here, refused by net/http: %v", err)
		}
		compare(t, ours, theirs, named(in))
	})
}

type parsed struct {
	status  int
	final   bool
	header  http.Header
	body    []byte
	trailer http.Header
	rest    int // bytes behind the answer
}

func parse(rd *Reader, in []byte, method string) (p parsed, err error) {
	src := bytes.NewReader(in)
	rd.Reset(src)
	p.header = http.Header{}
	h, err := rd.ReadHead(method, p.header)
	if err != nil {
		return p, err
	}
	p.status, p.final = h.Status, !h.Informational()
	if !p.final {
		p.header = h.Early
	}
	for p.final {
		b, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return p, err
		}
		p.body = append(p.body, b...)
	}
	p.trailer = rd.Trailer()
	p.rest = rd.Buffered() + src.Len()
	return p, nil
}

func parseStandard(in []byte, method string) (p parsed, err error) {
	src := bytes.NewReader(in)
	br := bufio.NewReader(src)
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		return p, err
	}
	p.status, p.header = resp.StatusCode, resp.Header
	if p.body, err = io.ReadAll(resp.Body); err != nil {
		return p, err
	}
	p.trailer = resp.Trailer
	p.rest = br.Buffered() + src.Len()
	return p, nil
}

func compare(t *testing.T, ours, theirs parsed, dropped map[string]bool) {
	if ours.status != theirs.status {
		t.Fatalf("status %d, net/http %d", ours.status, theirs.status)
	}
	for name, values := range ours.header {
		if !slices.Equal(values, theirs.header[name]) {
			t.Fatalf("%s: %q, net/http %q", name, values, theirs.header[name])
		}
	}
	for name, values := range theirs.header {
		if _, ok := ours.header[name]; !ok && !HopByHop(name) && !dropped[name] {
			t.Fatalf("%s: %q is missing", name, values)
		}
	}
	if !ours.final {
		return
	}
	if !bytes.Equal(ours.body, theirs.body) {
		t.Fatalf("body %q, net/http %q", ours.body, theirs.body)
	}
	if ours.rest != theirs.rest {
		t.Fatalf("%d bytes behind it, net/http %d", ours.rest, theirs.rest)
	}
	for name, values := range ours.trailer {
		if have, ok := theirs.trailer[name]; ok && have != nil && !slices.Equal(values, have) {
			t.Fatalf("trailer %s: %q, net/http %q", name, values, have)
		}
	}
}

// named are the fields that Connection names in any of the lines, which
// net/http may have taken out; and Content-Length, which 204 may not have.
func named(in []byte) map[string]bool {
	out := map[string]bool{"Content-Length": true}
	for line := range bytes.Lines(in) {
		if name, list, ok := strings.Cut(string(line), ":"); ok && strings.EqualFold(name, "connection") {
			tokens(strings.TrimSpace(list), func(s string) { out[http.CanonicalHeaderKey(s)] = true })
		}
	}
	return out
}
