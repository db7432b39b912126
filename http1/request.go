package http1

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/http1/wire"
)

// read reads a request's head into c.request. What is returned beside an error
// is what is known of it.
func (c *Conn) read() (wire.Request, error) {
	if c.scope == nil {
		c.renewScope()
	}
	c.head.begin()
	q, values, err := c.in.ReadRequest(c.header, c.values)
	c.head.reading, c.values = false, values
	if err != nil {
		return q, err
	}
	c.fresh, c.order = false, q.Order
	r := c.request
	if err := c.locate(r, &q); err != nil {
		return q, err
	}
	r.Method, r.Host, r.RequestURI, r.Close = q.Method, q.Host, q.Target, q.Close
	r.Proto, r.ProtoMinor = "HTTP/1.1", q.Minor
	if q.Minor == 0 {
		r.Proto = "HTTP/1.0"
	}
	r.Header, r.ContentLength = c.header, q.Length
	r.Form, r.PostForm, r.MultipartForm, r.Pattern = nil, nil, nil, ""
	r.TransferEncoding, r.Trailer, r.Body = nil, nil, http.NoBody
	c.body.start(&q)
	if q.Length != 0 {
		r.Body = &c.body
	}
	if q.Length < 0 {
		r.TransferEncoding = []string{"chunked"}
		r.Trailer = announced(q.Trailer)
	}
	c.answer.start(r)
	c.watch.serve(q.Length == 0)
	return q, nil
}

// headSource is where a Conn's messages are read from. While it is a head that
// is read, that ends in time.
type headSource struct {
	conn    *Conn
	reading bool
	until   time.Time // when the head must be complete; zero while it came at once
}

func (s *headSource) begin() { s.reading, s.until = true, time.Time{} }

// Read implements io.Reader.
func (s *headSource) Read(p []byte) (int, error) {
	c := s.conn
	switch {
	case c.turn.taken:
		return 0, errNotWhole
	case !s.reading:
		return c.net.Read(p)
	}
	if s.until.IsZero() {
		s.until = time.Now().Add(c.server.HeaderTimeout)
		c.deadline.notAfter(s.until)
	}
	n, err := c.net.Read(p)
	if n == 0 && isTimeout(err) && time.Now().Before(s.until) {
		c.deadline.at(s.until) // it was the wait's
		n, err = c.net.Read(p)
	}
	return n, err
}

// renewScope makes what is used again from request to request.
func (c *Conn) renewScope() {
	c.scope = c.owner.Context(&c.watch)
	c.header = make(http.Header)
	c.answer.header = make(http.Header)
	r := &http.Request{URL: new(url.URL), ProtoMajor: 1, RemoteAddr: c.remote, TLS: c.tls}
	c.request = r.WithContext(c.scope)
}

// announced is a trailer map before the trailer has come.
func announced(names []string) http.Header {
	if len(names) == 0 {
		return nil
	}
	trailer := make(http.Header, len(names))
	for _, name := range names {
		trailer[name] = nil
	}
	return trailer
}

// locate reads the request's target into r.URL. A path that cannot be decoded
// stays as it was sent: what to make of it is the handler's.
func (c *Conn) locate(r *http.Request, q *wire.Request) error {
	u := r.URL
	*u = url.URL{}
	switch {
	case q.Target[0] == '/':
		locatePath(u, q.Target)
		return nil
	case q.Target == "*":
		u.Path = "*"
		return nil
	case q.Method == http.MethodConnect:
		u.Host = q.Target
		return nil
	}
	whole, err := url.ParseRequestURI(q.Target)
	if err != nil || whole.Host == "" {
		return errTarget
	}
	if !strings.EqualFold(whole.Host, q.Host) {
		return errOtherHost // RFC 9112 section 3.2.2 lets the target win; what is behind us may not know that
	}
	*u, q.Host = *whole, whole.Host
	return nil
}

func locatePath(u *url.URL, target string) {
	path, query, _ := strings.Cut(target, "?")
	u.RawQuery, u.Path = query, path
	u.ForceQuery = query == "" && len(path) < len(target)
	if strings.IndexByte(path, '%') < 0 {
		return
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = decoded, path
	}
}

var (
	errTarget    = errors.Join(wire.ErrBad, errors.New("the target is neither a path nor an http URL"))
	errOtherHost = errors.Join(wire.ErrBad, errors.New("the target names another host than Host"))
)

// refuse answers a request whose head could not be read, where somebody is
// there to read the answer.
func (c *Conn) refuse(q wire.Request, err error) {
	f, ok := faultOf(err)
	if !ok {
		c.answer.broken = true
		if err != io.EOF {
			c.owner.Broken()
		}
		return
	}
	c.body.cut = true
	header, text := c.owner.Refused(f)
	c.answer.refuse(f.Status, header, text, q.Method == http.MethodHead)
}

// faultOf returns what is wrong with a request; false where the connection is.
func faultOf(err error) (Fault, bool) {
	f := Fault{Status: http.StatusBadRequest, Reason: "bad-request"}
	switch {
	case isTimeout(err):
		return Fault{http.StatusRequestTimeout, "header-timeout", "the head did not come in time"}, true
	case errors.Is(err, wire.ErrTarget):
		f.Status, f.Reason = http.StatusRequestURITooLong, "target-too-long"
	case errors.Is(err, wire.ErrTooLarge):
		f.Status, f.Reason = http.StatusRequestHeaderFieldsTooLarge, "header-too-large"
	case errors.Is(err, wire.ErrVersion):
		f.Status, f.Reason = http.StatusHTTPVersionNotSupported, "version"
	case errors.Is(err, wire.ErrExpectation):
		f.Status, f.Reason = http.StatusExpectationFailed, "expectation"
	case !errors.Is(err, wire.ErrBad):
		return f, false
	}
	f.Detail = strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", ": "), wire.ErrBad.Error()+": ")
	return f, true
}
