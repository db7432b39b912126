package wire

import (
	"io"
	"math"
	"net/http"
)

// step is what of a body comes next.
type step uint8

const (
	ended     step = iota
	data           // left bytes of a body of known length
	untilEOF       // everything up to the end of the connection
	chunkLine      // a chunk's length
	chunkData      // left bytes of a chunk
	chunkEnd       // the CRLF after a chunk
	failed
)

// body is how far the body of a message has been read.
type body struct {
	step    step
	left    int64
	extra   int // bytes of chunk extensions
	err     error
	trailer http.Header
}

// begin decides how long the body is (RFC 9112 section 6.3), completes head
// and takes from h what would say otherwise.
func (b *body) begin(head *Head, f *framing, method string, old bool, h http.Header) error {
	switch {
	case old && f.chunked:
		return bad("Transfer-Encoding in HTTP/1.0")
	case head.Status == http.StatusNoContent:
		head.Close = head.Close || f.chunked || f.length > 0
		delete(h, "Content-Length")
	case method == http.MethodHead, head.Status == http.StatusNotModified:
		head.Length = max(f.length, 0)
	case f.chunked:
		head.Length, b.step = -1, chunkLine
	case f.length >= 0:
		head.Length, b.left = f.length, f.length
		if f.length > 0 {
			b.step = data
		}
	default:
		head.Length, head.Close, b.step = -1, true, untilEOF
	}
	if !f.chunked || b.step == ended {
		head.Trailer = nil
	}
	return nil
}

// Next returns the next bytes of the body, which are valid until the next
// call, or io.EOF at its end. The connection's end within the body is
// io.ErrUnexpectedEOF.
func (rd *Reader) Next() ([]byte, error) { return rd.next(math.MaxInt) }

func (rd *Reader) next(most int) ([]byte, error) {
	b := &rd.body
	for {
		switch b.step {
		case ended:
			return nil, io.EOF
		case failed:
			return nil, b.err
		case data, untilEOF, chunkData:
			if rd.r < rd.w {
				return rd.piece(most), nil
			}
			if err := rd.fill(); err != nil {
				return nil, b.broken(err)
			}
		case chunkLine:
			if err := rd.chunkLine(); err != nil {
				return nil, b.fail(err)
			}
		case chunkEnd:
			if err := rd.chunkEnd(); err != nil {
				return nil, b.fail(err)
			}
		}
	}
}

// piece hands out what is buffered of the body's present part, up to most
// bytes.
func (rd *Reader) piece(most int) []byte {
	b := &rd.body
	p := rd.buf[rd.r:min(rd.w, rd.r+min(most, len(rd.buf)))]
	if b.step != untilEOF && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	rd.r += len(p)
	b.advance(len(p))
	return p
}

// advance notes that n bytes of the body's present part were handed out.
func (b *body) advance(n int) {
	if b.step == untilEOF {
		return
	}
	b.left -= int64(n)
	switch {
	case b.left > 0:
	case b.step == data:
		b.step = ended
	default:
		b.step = chunkEnd
	}
}

// broken is what an error of the connection means to the body.
func (b *body) broken(err error) error {
	if err == io.EOF && b.step == untilEOF {
		b.step = ended
		return io.EOF
	}
	return b.fail(cut(err))
}

func (b *body) fail(err error) error {
	b.step, b.err = failed, err
	return err
}

// Ended reports whether the body was read to its end.
func (rd *Reader) Ended() bool { return rd.body.step == ended }

// Clean reports whether the answer was read to its end and nothing came
// behind it: the next answer would be the next request's.
func (rd *Reader) Clean() bool { return rd.Ended() && rd.r == rd.w }

// Trailer returns the fields of the trailer section that are allowed there,
// after Next returned io.EOF; nil where there were none.
func (rd *Reader) Trailer() http.Header { return rd.body.trailer }

// chunkLine reads a chunk's length, and after the last chunk the trailer.
func (rd *Reader) chunkLine() error {
	end, err := rd.line(0, maxLine)
	if err != nil {
		return err
	}
	b := &rd.body
	line := rd.buf[rd.r : rd.r+end-1]
	size, digits := int64(0), 0
	for digits < len(line) {
		v := unhex(line[digits])
		if v > 15 {
			break
		}
		if digits++; digits > 15 {
			return bad("a chunk too large")
		}
		size = size<<4 | int64(v)
	}
	switch extension := line[digits:]; {
	case digits == 0, len(extension) > 0 && extension[0] != ';':
		return bad("a broken chunk length")
	case !validValue(extension):
		return bad("a control byte in a chunk extension")
	default:
		if b.extra += len(extension); b.extra > maxExtra {
			return bad("more than %d bytes of chunk extensions", maxExtra)
		}
	}
	rd.r += end + 1
	if size == 0 {
		return rd.trailerSection()
	}
	b.step, b.left = chunkData, size
	return nil
}

func (rd *Reader) chunkEnd() error {
	for rd.Buffered() < 2 {
		if err := rd.fill(); err != nil {
			return cut(err)
		}
	}
	if rd.buf[rd.r] != '\r' || rd.buf[rd.r+1] != '\n' {
		return bad("a chunk longer than its length")
	}
	rd.r += 2
	rd.body.step = chunkLine
	return nil
}

func (rd *Reader) trailerSection() error {
	end, err := rd.section(0)
	if err != nil {
		return err
	}
	if len(rd.spans) > 0 {
		text := string(rd.buf[rd.r : rd.r+end])
		rd.body.trailer = make(http.Header, len(rd.spans))
		for _, s := range rd.spans {
			if name := text[s.name:s.nameEnd]; TrailerAllowed(name) {
				add(rd.body.trailer, nil, name, text[s.value:s.valueEnd])
			}
		}
	}
	rd.r += end
	rd.body.step = ended
	return nil
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
