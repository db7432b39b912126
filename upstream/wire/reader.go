package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The limits of what a Reader accepts.
const (
	MaxHead   = 64 << 10 // bytes of a head, or of a trailer section
	MaxFields = 512      // fields of a head, or of a trailer section
	maxLine   = 512      // bytes of a line before a chunk
	maxExtra  = 16 << 10 // bytes of chunk extensions in one body

	// MaxInformational is how many informational answers may precede the
	// final one; who reads the heads counts them.
	MaxInformational = 8
)

// ErrBad is wrapped by every error about what the other side sent.
var ErrBad = errors.New("bad answer")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBad}, args...)...)
}

// BufferSize is how large a buffer NewReader makes: whole small answers arrive
// by one read, and large bodies pass in pieces of this size.
const BufferSize = 32 << 10

// Reader reads answers from one connection at a time. It is meant to be used
// again for other connections, since its buffer is large.
type Reader struct {
	src   io.Reader
	buf   []byte
	r, w  int // buf[r:w] is not yet read
	got   bool
	spans []span
	body  body
}

// NewReader returns a Reader, to be Reset before use.
func NewReader() *Reader {
	return &Reader{buf: make([]byte, BufferSize), spans: make([]span, 0, 32)}
}

// Reset makes the Reader read from src, from the beginning of an answer. Nil
// lets go of the source.
func (rd *Reader) Reset(src io.Reader) {
	if len(rd.buf) > BufferSize {
		rd.buf = make([]byte, BufferSize)
	}
	rd.src, rd.r, rd.w, rd.got = src, 0, 0, false
	rd.body = body{}
}

// Buffered returns how many bytes were received but not read yet.
func (rd *Reader) Buffered() int { return rd.w - rd.r }

// Received reports whether a single byte has arrived since Reset.
func (rd *Reader) Received() bool { return rd.got }

// fill reads once from the source, behind what is buffered.
func (rd *Reader) fill() error {
	switch {
	case rd.r == rd.w:
		rd.r, rd.w = 0, 0
	case rd.w == len(rd.buf) && rd.r > 0:
		rd.w = copy(rd.buf, rd.buf[rd.r:rd.w])
		rd.r = 0
	case rd.w == len(rd.buf):
		rd.buf = append(make([]byte, 0, 2*len(rd.buf)), rd.buf...)
		rd.buf = rd.buf[:cap(rd.buf)]
	}
	n, err := rd.src.Read(rd.buf[rd.w:])
	if n > 0 {
		rd.w += n
		rd.got = true
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// line returns the end of the line that begins at offset from behind rd.r, as
// an offset to its LF, reading as needed. The line ends with CRLF.
func (rd *Reader) line(from, limit int) (int, error) {
	for seen := from; ; {
		if i := bytes.IndexByte(rd.buf[rd.r+seen:rd.w], '\n'); i >= 0 {
			end := seen + i
			switch {
			case end >= limit:
				return 0, bad("larger than %d bytes", limit)
			case end == from || rd.buf[rd.r+end-1] != '\r':
				return 0, bad("a line ends in a bare LF")
			}
			return end, nil
		}
		seen = rd.Buffered()
		if seen >= limit {
			return 0, bad("larger than %d bytes", limit)
		}
		if err := rd.fill(); err != nil {
			return 0, cut(err)
		}
	}
}

// cut is what the end of a connection within a message is called.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
