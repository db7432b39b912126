package grpcweb

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
)

// ErrText says that a body is no base64.
var ErrText = errors.New("grpc-web-text: the body is no base64")

// Decoder reads a body in base64. The body may be several texts one after the
// other, each with its own padding, as they come of messages that were encoded
// one by one. What has come is decoded at once.
type Decoder struct {
	src  io.Reader
	raw  [4 << 10]byte
	have int // bytes of raw that are not decoded yet
	out  []byte
	err  error
}

// NewDecoder returns a Decoder of src.
func NewDecoder(src io.Reader) *Decoder { return &Decoder{src: src} }

// Read implements io.Reader. A text that ends within four characters is
// io.ErrUnexpectedEOF.
func (d *Decoder) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		d.fill()
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// fill reads once, and decodes the groups of four that are complete.
func (d *Decoder) fill() {
	n, err := d.src.Read(d.raw[d.have:])
	d.have += n
	whole := d.have / 4 * 4
	d.out, d.err = decode(d.out[:0], d.raw[:whole])
	d.have = copy(d.raw[:], d.raw[whole:d.have])
	switch {
	case d.err != nil || err == nil:
	case err == io.EOF && d.have > 0:
		d.err = io.ErrUnexpectedEOF
	default:
		d.err = err
	}
}

// decode appends what groups of four characters stand for. Padding ends a text,
// and another may follow.
func decode(b, text []byte) ([]byte, error) {
	for len(text) > 0 {
		part := text
		if at := bytes.IndexByte(text, '='); at >= 0 {
			part = text[:at/4*4+4]
		}
		out, err := base64.StdEncoding.Strict().AppendDecode(b, part)
		if err != nil || bytes.ContainsAny(part, "\r\n") { // which the standard library skips
			return b, ErrText
		}
		b, text = out, text[len(part):]
	}
	return b, nil
}

// Encoder writes a body in base64. Each Write is a text of its own, so that
// nothing of it has to wait for the next one.
type Encoder struct {
	dst io.Writer
	buf []byte
}

// NewEncoder returns an Encoder to dst.
func NewEncoder(dst io.Writer) *Encoder { return &Encoder{dst: dst} }

// Write implements io.Writer.
func (e *Encoder) Write(p []byte) (int, error) {
	e.buf = base64.StdEncoding.AppendEncode(e.buf[:0], p)
	if _, err := e.dst.Write(e.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}
