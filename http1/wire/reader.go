package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The limits of what a Reader accepts.
const (
	MaxHead   = 64 << 10 // bytes of an answer's head, or of a trailer section
	MaxFields = 512      // fields of an answer's head, or of a trailer section
	maxLine   = 512      // bytes of a line before a chunk
	maxExtra  = 16 << 10 // bytes of chunk extensions in one body

	// MaxInformational is how many informational answers may precede the
	// final one; who reads the heads counts them.
	MaxInformational = 8
)

// The errors about what the other side sent, which all others wrap.
var (
	ErrBad      = errors.New("bad message")
	ErrTooLarge = fmt.Errorf("%w: too large", ErrBad)
)

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBad}, args...)...)
}

// Reader reads messages from one connection at a time. It takes its buffer
// from a pool; Park gives it back.
type Reader struct {
	src   io.Reader
	usual int  // how large a buffer to begin with
	first int  // and how large for this message
	roomy bool // huge ones may be used
	head  int  // bytes that a head may have
	count int  // fields that it may have
	buf   []byte
	r, w  int // buf[r:w] is not yet read
	got   bool
	spans []span
	body  body

	target span // of a request line, as a value
	order  bool // of the fields is told
}

// KeepOrder has requests tell the order of their fields.
func (rd *Reader) KeepOrder() { rd.order = true }

// NewReader returns a Reader for answers, to be Reset before use.
func NewReader() *Reader {
	return &Reader{usual: LargeBuffer, first: LargeBuffer, head: MaxHead, count: MaxFields, spans: make([]span, 0, 32)}
}

// NewRequestReader returns a Reader for requests whose heads have at most so
// many bytes and fields, to be Reset before use.
func NewRequestReader(head, fields int) *Reader {
	return &Reader{usual: SmallBuffer, first: SmallBuffer, head: head, count: fields, spans: make([]span, 0, 16)}
}

// Reset makes the Reader read from src, from the beginning of a message. Nil
// lets go of the source.
func (rd *Reader) Reset(src io.Reader) {
	rd.first, rd.roomy = rd.usual, false
	if cap(rd.buf) != rd.first {
		rd.drop()
	}
	rd.src, rd.r, rd.w, rd.got = src, 0, 0, false
	rd.body = body{}
}

// Preload makes b what is read first. It follows Reset.
func (rd *Reader) Preload(b []byte) {
	if len(b) == 0 {
		return
	}
	rd.room(len(b))
	rd.w += copy(rd.buf[rd.w:], b)
	rd.got = true
}

// Roomy lets a large body pass in pieces of huge buffers, and has the Reader begin
// with one where the next message is expected to need it. It follows Reset.
func (rd *Reader) Roomy(expected bool) {
	rd.roomy = true
	if expected {
		rd.first = HugeBuffer
		rd.drop()
	}
}

// Park gives the buffer back where nothing is in it; the next read takes
// another.
func (rd *Reader) Park() {
	if rd.r == rd.w {
		rd.drop()
	}
}

func (rd *Reader) drop() {
	Recycle(rd.buf)
	rd.buf, rd.r, rd.w = nil, 0, 0
}

// Space returns where bytes may be put that come next, for who reads the
// connection in another way than by src. Filled says how many were.
func (rd *Reader) Space() []byte {
	rd.room(1)
	return rd.buf[rd.w:]
}

// Filled says that n bytes were put into what Space returned.
func (rd *Reader) Filled(n int) {
	rd.w += n
	rd.got = rd.got || n > 0
}

// Rest returns what was received but not read yet. It is valid until the next
// read.
func (rd *Reader) Rest() []byte { return rd.buf[rd.r:rd.w] }

// Buffered returns how many bytes were received but not read yet.
func (rd *Reader) Buffered() int { return rd.w - rd.r }

// Received reports whether a single byte has arrived since Reset.
func (rd *Reader) Received() bool { return rd.got }

// room makes room for n more bytes behind what is buffered.
func (rd *Reader) room(n int) {
	if rd.r == rd.w {
		rd.r, rd.w = 0, 0
		if rd.roomy && rd.body.left > LargeBuffer && len(rd.buf) == LargeBuffer {
			Recycle(rd.buf)
			rd.buf = Buffer(HugeBuffer)
		}
	}
	if len(rd.buf)-rd.w >= n {
		return
	}
	held := rd.w - rd.r
	if len(rd.buf)-held >= n && rd.r > 0 {
		copy(rd.buf, rd.buf[rd.r:rd.w])
		rd.r, rd.w = 0, held
		return
	}
	larger := Buffer(max(held+n, 2*len(rd.buf), rd.first))
	copy(larger, rd.buf[rd.r:rd.w])
	Recycle(rd.buf)
	rd.buf, rd.r, rd.w = larger, 0, held
}

// fill reads once from the source, behind what is buffered.
func (rd *Reader) fill() error {
	rd.room(1)
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
				return 0, tooLarge(limit)
			case end == from || rd.buf[rd.r+end-1] != '\r':
				return 0, bad("a line ends in a bare LF")
			}
			return end, nil
		}
		seen = rd.Buffered()
		if seen >= limit {
			return 0, tooLarge(limit)
		}
		if err := rd.fill(); err != nil {
			return 0, cut(err)
		}
	}
}

func tooLarge(limit int) error { return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit) }

// cut is what the end of a connection within a message is called.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
