package wire

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// Head is what an answer's head says beside its fields.
type Head struct {
	Status  int
	Length  int64       // of the body; -1 where it is not known before its end
	Close   bool        // the connection is not to be used again
	Trailer []string    // the fields that a trailer section was announced to hold, those allowed
	Early   http.Header // of an informational answer
	Upgrade string      // the protocol that a 101 switches to, as Upgrade says it where Connection names that
}

// Informational reports whether another head follows.
func (h Head) Informational() bool { return h.Status < 200 }

// ReadHead reads the head of an answer to a request by method, and adds its
// fields to h, but those of the connection. Names and values are parts of one
// string. Where the head is final, Next reads its body; that of an informational
// answer leaves h alone.
//
// It returns io.EOF where the connection ended before the first byte, and
// io.ErrUnexpectedEOF where it ended within the head. After an error h may
// hold some of the fields.
func (rd *Reader) ReadHead(method string, h http.Header) (Head, error) {
	first, err := rd.statusLine()
	if err != nil {
		return Head{}, err
	}
	head, old, err := parseStatus(rd.buf[rd.r : rd.r+first-2])
	if err != nil {
		return Head{}, err
	}
	end, err := rd.section(first)
	if err != nil {
		return Head{}, err
	}
	if head.Informational() {
		head.Early = make(http.Header, len(rd.spans))
		h = head.Early
	}
	f, err := rd.take(end, h)
	if err != nil {
		return Head{}, err
	}
	rd.r += end
	head.Close = old || f.close
	head.Trailer = f.trailer
	if head.Informational() {
		if slices.Contains(f.drop, "Upgrade") {
			head.Upgrade = f.upgrade
		}
		if f.chunked || f.length >= 0 {
			return Head{}, bad("an informational answer with a body")
		}
		return head, nil
	}
	err = rd.body.begin(&head, &f, method, old, h)
	return head, err
}

// statusLine returns the length of the status line with its CRLF. What cannot
// become one is an error before the line is complete.
func (rd *Reader) statusLine() (int, error) {
	const version = "HTTP/1."
	for rd.Buffered() < len(version) {
		if n := rd.Buffered(); string(rd.buf[rd.r:rd.w]) != version[:n] {
			return 0, bad("no status line")
		}
		if err := rd.fill(); err != nil {
			if err == io.EOF && rd.Buffered() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	if string(rd.buf[rd.r:rd.r+len(version)]) != version {
		return 0, bad("no status line")
	}
	end, err := rd.line(0, rd.head)
	return end + 1, err
}

// parseStatus reads HTTP/1.x SP 3DIGIT [SP reason].
func parseStatus(line []byte) (h Head, old bool, err error) {
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return h, false, bad("a broken status line")
	}
	if line[7] != '0' && line[7] != '1' {
		return h, false, bad("an unknown version of HTTP")
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return h, false, bad("a broken status")
		}
		h.Status = h.Status*10 + int(c-'0')
	}
	if h.Status < 100 {
		return h, false, bad("a broken status")
	}
	if !validValue(line[12:]) {
		return h, false, bad("a control byte in the status line")
	}
	return h, line[7] == '0', nil
}

// framing is what a head's fields say about the message and the connection.
type framing struct {
	length  int64 // -1 where not said
	chunked bool
	close   bool
	framed  bool // Trailer names a field that frames messages
	trailer []string
	drop    []string // fields that Connection names
	upgrade string
}

// take moves the section that ends at offset end into h.
func (rd *Reader) take(end int, h http.Header) (framing, error) {
	f := framing{length: -1}
	text := string(rd.buf[rd.r : rd.r+end])
	values := make([]string, 0, len(rd.spans))
	seen := known(h)
	for _, s := range rd.spans {
		name, value := text[s.name:s.nameEnd], text[s.value:s.valueEnd]
		pass, err := f.note(name, value)
		if err != nil {
			return f, err
		}
		switch {
		case !pass:
		case seen.first(name):
			values = put(h, values, name, value)
		default:
			values = add(h, values, name, value)
		}
	}
	for _, name := range f.drop {
		delete(h, name)
	}
	if f.chunked && f.length >= 0 {
		return f, bad("both Content-Length and Transfer-Encoding")
	}
	return f, nil
}

// note learns from a field and reports whether it is passed on.
func (f *framing) note(name, value string) (bool, error) {
	switch name {
	case "Content-Length":
		n, ok := parseLength(value)
		if !ok {
			return false, bad("a broken Content-Length")
		}
		first := f.length < 0
		if !first && n != f.length {
			return false, bad("differing Content-Lengths")
		}
		f.length = n
		return first, nil
	case "Transfer-Encoding":
		if f.chunked || !strings.EqualFold(value, "chunked") {
			return false, bad("a transfer coding other than chunked")
		}
		f.chunked = true
		return false, nil
	case "Connection":
		tokens(value, f.connection)
		return false, nil
	case "Trailer":
		tokens(value, f.announce)
		if f.framed {
			return false, bad("a trailer that would frame the message")
		}
		return false, nil
	case "Upgrade":
		if f.upgrade != "" {
			value = f.upgrade + ", " + value
		}
		f.upgrade = value
		return false, nil
	}
	return !HopByHop(name), nil
}

func (f *framing) connection(option string) {
	switch {
	case strings.EqualFold(option, "close"):
		f.close = true
	case strings.EqualFold(option, "keep-alive"):
	default:
		f.drop = append(f.drop, http.CanonicalHeaderKey(option))
	}
}

func (f *framing) announce(name string) {
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Content-Length", "Transfer-Encoding", "Trailer":
		f.framed = true
	}
	if validName(name) && TrailerAllowed(name) {
		f.trailer = append(f.trailer, name)
	}
}

// parseLength reads 1*DIGIT, up to what an int64 holds with room to count.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
