package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Request is what a request's head says beside its fields.
type Request struct {
	Method string
	Target string
	Host   string // of the Host field; "" where an HTTP/1.0 request has none
	Minor  int    // the 1 or 0 of HTTP/1.1 and HTTP/1.0
	Length int64  // of the body; -1 for chunks, 0 for none
	Close  bool   // the client wants no further request on the connection

	Continue bool     // it waits for 100 Continue before it sends the body
	Trailer  []string // the fields that a trailer section was announced to hold, those allowed
	Order    string   // the names of all fields as they came, in small letters, joined by ":"; "" unless KeepOrder
}

// The errors of ReadRequest that have a status of their own; all others that
// wrap ErrBad are 400.
var (
	ErrTarget      = errors.New("the request line is too long") // 414; wrapped with ErrTooLarge
	ErrVersion     = errors.New("a version of HTTP that is not spoken here")
	ErrExpectation = errors.New("an expectation other than 100-continue")
)

// ReadRequest reads the head of a request and adds its fields to h, but Host,
// Transfer-Encoding and Trailer. Names and values are parts of one string;
// values holds the values of h, and is returned to be used again. Next and
// ReadBody then read the body.
//
// It returns io.EOF where the connection ended before the first byte, and
// io.ErrUnexpectedEOF where it ended within the head. After an error h may
// hold some of the fields.
func (rd *Reader) ReadRequest(h http.Header, values []string) (Request, []string, error) {
	var q Request
	rd.body = body{}
	end, err := rd.requestLine(&q)
	if err != nil {
		return q, values, err
	}
	end, err = rd.section(end)
	if err != nil {
		return q, values, err
	}
	values, err = rd.takeRequest(&q, end, h, values[:0])
	rd.r += end
	return q, values, err
}

// requestLine reads and checks the request line and returns its length. Where
// its parts stand is in rd.target.
func (rd *Reader) requestLine(q *Request) (int, error) {
	if rd.Buffered() == 0 {
		if err := rd.fill(); err != nil {
			return 0, err
		}
	}
	if c := rd.buf[rd.r]; classes[c]&isToken == 0 {
		return 0, bad("no method") // before more of it is waited for
	}
	end, err := rd.line(0, rd.head)
	if errors.Is(err, ErrTooLarge) {
		err = errors.Join(ErrTarget, err)
	}
	if err != nil {
		return 0, err
	}
	return end + 1, rd.parseLine(q, rd.buf[rd.r:rd.r+end-1])
}

// parseLine reads METHOD SP TARGET SP HTTP/1.x.
func (rd *Reader) parseLine(q *Request, line []byte) error {
	method := 0
	for method < len(line) && classes[line[method]]&isToken != 0 {
		method++
	}
	if method == 0 || method == len(line) || line[method] != ' ' {
		return bad("a broken method")
	}
	target := method + 1
	end := target
	for end < len(line) && line[end] > ' ' && line[end] != 0x7f {
		end++
	}
	if end == target || end == len(line) || line[end] != ' ' {
		return bad("a broken request target")
	}
	q.Method = methodOf(line[:method])
	rd.target = span{value: int32(target), valueEnd: int32(end)}
	return parseVersion(q, line[end+1:])
}

func parseVersion(q *Request, version []byte) error {
	switch string(version) {
	case "HTTP/1.1":
		q.Minor = 1
		return nil
	case "HTTP/1.0":
		return nil
	}
	if len(version) == 8 && string(version[:5]) == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]) {
		return errors.Join(ErrVersion, bad("the version %s", version))
	}
	return bad("no version of HTTP")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// takeRequest moves the head that ends at offset end into q and h.
func (rd *Reader) takeRequest(q *Request, end int, h http.Header, values []string) ([]string, error) {
	text := string(rd.buf[rd.r : rd.r+end])
	q.Target = text[rd.target.value:rd.target.valueEnd]
	if cap(values) < len(rd.spans) {
		values = make([]string, 0, len(rd.spans)+8)
	}
	if rd.order {
		q.Order = orderOf(text, rd.spans)
	}
	f := requestFraming{framing: framing{length: -1}}
	seen := known(h)
	for _, s := range rd.spans {
		name, value := text[s.name:s.nameEnd], text[s.value:s.valueEnd]
		pass, err := f.noteRequest(name, value)
		if err != nil {
			return values, err
		}
		switch {
		case !pass:
		case seen.first(name):
			values = put(h, values, name, value)
		default:
			values = add(h, values, name, value)
		}
	}
	return values, f.complete(q, &rd.body)
}

// orderOf returns the names of all fields of a head.
func orderOf(text string, spans []span) string {
	var b strings.Builder
	for i, s := range spans {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToLower(text[s.name:s.nameEnd]))
	}
	return b.String()
}

// methodOf returns a method's text: of a usual one without an allocation.
func methodOf(b []byte) string {
	switch string(b) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodOptions:
		return http.MethodOptions
	}
	return string(b)
}

// requestFraming is framing with what only requests say.
type requestFraming struct {
	framing
	host, lengths, keep, expect bool
	hostValue                   string
	wrongExpect                 bool
}

// noteRequest learns from a field and reports whether it is passed on.
func (f *requestFraming) noteRequest(name, value string) (bool, error) {
	switch name {
	case "Host":
		if f.host {
			return false, bad("more than one Host")
		}
		f.host, f.hostValue = true, value
		return false, nil
	case "Content-Length":
		if f.lengths {
			return false, bad("more than one Content-Length")
		}
		f.lengths = true
		n, ok := parseLength(value)
		if !ok {
			return false, bad("a broken Content-Length")
		}
		f.length = n
		return true, nil
	case "Connection":
		tokens(value, f.option)
		return true, nil
	case "Expect":
		f.expect = true
		f.wrongExpect = f.wrongExpect || !strings.EqualFold(value, "100-continue")
		return true, nil
	case "Transfer-Encoding", "Trailer":
		return f.note(name, value)
	}
	if ResemblesFraming(name) {
		return false, bad("a field that resembles one of the body's framing")
	}
	return true, nil
}

func (f *requestFraming) option(token string) {
	switch {
	case strings.EqualFold(token, "close"):
		f.close = true
	case strings.EqualFold(token, "keep-alive"):
		f.keep = true
	}
}

// complete decides how long the body is (RFC 9112 section 6.3).
func (f *requestFraming) complete(q *Request, b *body) error {
	q.Host, q.Trailer = f.hostValue, f.trailer
	q.Close = f.close || q.Minor == 0 && !f.keep
	q.Continue = f.expect && q.Minor > 0
	switch {
	case f.chunked && f.lengths:
		return bad("both Content-Length and Transfer-Encoding")
	case f.chunked && q.Minor == 0:
		return bad("Transfer-Encoding in HTTP/1.0")
	case !f.host && q.Minor > 0:
		return bad("no Host")
	case f.chunked:
		q.Length, b.step = -1, chunkLine
	case f.length > 0:
		q.Length, b.step, b.left = f.length, data, f.length
	}
	if q.Length != 0 && (q.Method == http.MethodGet || q.Method == http.MethodHead) {
		// RFC 9110 section 9.3.1: it has no meaning, and what is behind us may
		// take it for the next request.
		return bad("a body with %s", q.Method)
	}
	if f.wrongExpect {
		return errors.Join(ErrExpectation, bad("an unknown expectation"))
	}
	if q.Length == 0 {
		q.Continue, q.Trailer = false, nil
	}
	return nil
}

// ResemblesFraming reports whether a lenient server could take name, which is
// neither, for Content-Length or Transfer-Encoding: many take any punctuation in
// a name for the "_" of a CGI variable.
func ResemblesFraming(name string) bool {
	const most = len("Transfer-Encoding") + 8
	if len(name) < len("ContentLength") || len(name) > most {
		return false
	}
	switch c := name[0] | 0x20; {
	case c == 'c', c == 't':
	case 'a' <= c && c <= 'z', isDigit(name[0]):
		return false
	}
	var letters [most]byte
	n := 0
	for i := range len(name) {
		if c := name[i] | 0x20; 'a' <= c && c <= 'z' {
			letters[n] = c
			n++
		} else if isDigit(name[i]) {
			return false
		}
	}
	folded := string(letters[:n])
	return folded == "contentlength" || folded == "transferencoding"
}

// ReadBody reads the next bytes of the body into p: past what is buffered, from
// the connection itself. It returns io.EOF at the body's end, with the last
// bytes where it can.
func (rd *Reader) ReadBody(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b := &rd.body
	if rd.r == rd.w && (b.step == data || b.step == chunkData) && len(p) >= SmallBuffer {
		return rd.readDirect(p)
	}
	piece, err := rd.next(len(p))
	n := copy(p, piece)
	for err == nil && n < len(p) && rd.another() {
		piece, err = rd.next(len(p) - n)
		n += copy(p[n:], piece)
	}
	if err == nil && b.step == ended {
		err = io.EOF
	}
	return n, err
}

// another reports whether some of a further chunk can be had without waiting for
// it: small chunks are not worth a write each to whoever reads them.
func (rd *Reader) another() bool {
	const end = len("\r\n")
	have := rd.Rest()
	if rd.body.step != chunkEnd || len(have) <= end || have[end] == '0' {
		return false // what may be the last is left for later: a trailer could have to be waited for
	}
	line := bytes.IndexByte(have[end:], '\n')
	return line >= 0 && end+line+1 < len(have)
}

// readDirect reads a piece of the body without the buffer.
func (rd *Reader) readDirect(p []byte) (int, error) {
	b := &rd.body
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := rd.src.Read(p)
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return 0, b.broken(err)
	}
	b.advance(n)
	if b.step == ended {
		return n, io.EOF
	}
	return n, nil
}

// Left returns how many bytes of the body are known to come; -1 where that is
// not known, 0 at its end.
func (rd *Reader) Left() int64 {
	switch rd.body.step {
	case ended, failed:
		return 0
	case data:
		return rd.body.left
	}
	return -1
}

// Passed says that n bytes of a body of known length, none of them buffered,
// were taken from the connection past the Reader: no more than Left.
func (rd *Reader) Passed(n int64) { rd.body.advance(int(n)) }

// Broke is what an error of the connection means where the body is taken past
// the Reader.
func (rd *Reader) Broke(err error) error { return rd.body.broken(err) }
