package mirror

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"gatehouse/exchange"
)

// letter is one copy of a request.
type letter struct {
	shadow  http.Handler
	method  string
	host    string
	target  string // path and query
	header  http.Header
	conn    *exchange.Conn
	client  netip.Addr
	copy    *exchange.Copy // nil without a body
	body    []byte
	timeout time.Duration
}

func (l *letter) free() {
	if l.copy != nil {
		l.copy.Free()
		l.copy, l.body = nil, nil
	}
}

// send sends the copy and reads the answer to its end. Panics end the copy alone.
func (l *letter) send(ctx context.Context) (became outcome) {
	r := l.request(ctx)
	w := &nowhere{header: make(http.Header)}
	x, r := exchange.Begin(w, r, l.conn, nil)
	defer x.Release()
	defer func() {
		if recover() != nil {
			x.Abort()
			became = failed
		}
	}()
	x.Client, x.Host = l.client, l.host
	if err := x.Path.Parse(l.target); err != nil {
		x.Finish()
		return failed
	}
	x.SetTimeout(l.timeout)
	l.shadow.ServeHTTP(&x.Writer, r)
	x.Finish()
	if x.Refused != nil || x.Aborted {
		return failed
	}
	return answered
}

func (l *letter) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: l.method, URL: &url.URL{Path: "/"}, Host: l.host, RequestURI: l.target, Header: l.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	if len(l.body) > 0 {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(l.body)), int64(len(l.body))
	}
	return r.WithContext(ctx)
}

// nowhere is where answers to copies go.
type nowhere struct {
	header http.Header
	left   int
	begun  bool
}

// maxAnswer is how much of an answer is read, so that its connection can be used
// again; one that goes on is cut.
const maxAnswer = 1 << 20

var errLong = errors.New("mirror: nobody wants so long an answer")

func (n *nowhere) Header() http.Header { return n.header }

func (n *nowhere) WriteHeader(int) {}

func (n *nowhere) Write(p []byte) (int, error) {
	if !n.begun {
		n.begun, n.left = true, maxAnswer
	}
	if n.left -= len(p); n.left < 0 {
		return 0, errLong
	}
	return len(p), nil
}

// Flush implements http.Flusher.
func (n *nowhere) Flush() {}
