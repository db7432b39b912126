package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

const (
	maxChunk    = 1 << 20 // bytes of a signed chunk: it is held until its signature is known to be good
	maxLine     = 1 << 10 // bytes of a chunk's head, and of a trailer's line
	maxTrailers = 8
)

// unchunk puts the reader in the way of the body that takes its chunks apart.
// What is said of the chunks goes from the request's headers.
func (v *Verifier) unchunk(p *payload, x *exchange.Exchange, r *http.Request, c *credential, key *signingKey) *Fault {
	length, err := strconv.ParseInt(single(r.Header["X-Amz-Decoded-Content-Length"]), 10, 64)
	if err != nil || length < 0 {
		return malformed("A body in chunks needs x-amz-decoded-content-length.")
	}
	if length > 0 && x.Body.Declared() == 0 {
		return malformed("There is no body where x-amz-decoded-content-length says one.")
	}
	d := &chunks{body: &x.Body, signed: !p.unsigned, key: key.key, stamp: c.stamp, scope: c.scope, previous: c.signature, left: length}
	if p.signed != streamSigned {
		if d.trailer, d.sum, err = checksumOf(r.Header["X-Amz-Trailer"]); err != nil {
			return malformed(err.Error())
		}
	}
	wrap := func(src io.ReadCloser) io.ReadCloser {
		d.src, d.in = src, bufio.NewReaderSize(src, 4<<10)
		return d
	}
	if !x.Body.Through(length, wrap) {
		return &Fault{Body: exchange.ErrBodyGone, Reason: "body", Detail: exchange.ErrBodyGone.Error()}
	}
	r.ContentLength, r.TransferEncoding = length, nil
	for _, name := range [...]string{"X-Amz-Decoded-Content-Length", "X-Amz-Trailer", "X-Amz-Content-Sha256", "Content-Length"} {
		delete(r.Header, name)
	}
	dropCoding(r.Header)
	return nil
}

// dropCoding takes aws-chunked out of Content-Encoding.
func dropCoding(h http.Header) {
	var kept []string
	for _, value := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "aws-chunked") {
				kept = append(kept, coding)
			}
		}
	}
	delete(h, "Content-Encoding")
	if len(kept) > 0 {
		h["Content-Encoding"] = []string{strings.Join(kept, ", ")}
	}
}

// chunks reads a body out of its chunks. Of signed ones nothing is handed out
// before its signature was compared, and the last bytes of any body not before
// what ends it was: whoever knows the length reads no further.
type chunks struct {
	src      io.ReadCloser
	in       *bufio.Reader
	body     *exchange.Body
	signed   bool
	key      [sha256.Size]byte
	stamp    string
	scope    string
	previous string // the signature before
	left     int64  // of the whole, to come
	trailer  string // the name of the checksum that follows; "" for none
	sum      hash.Hash

	held    []byte // the memory of a signed chunk
	ready   []byte // of it, not yet handed out
	passing int64  // of an unsigned chunk, to come
	err     error
}

// Close implements io.Closer.
func (d *chunks) Close() error { return d.src.Close() }

// Patient passes on that the client may be silent: see exchange.Body.
func (d *chunks) Patient() {
	if p, ok := d.src.(interface{ Patient() }); ok {
		p.Patient()
	}
}

// Read implements io.Reader.
func (d *chunks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(d.ready) == 0 && d.passing == 0 && d.err == nil {
		d.err = whole(d.next())
	}
	switch {
	case len(d.ready) > 0:
		n := copy(p, d.ready)
		d.ready = d.ready[n:]
		return n, nil
	case d.passing > 0 && d.err == nil:
		return d.pass(p)
	}
	return 0, d.err
}

// whole turns an end that comes too early into an error; end is the right one.
func whole(err error) error {
	switch err {
	case io.EOF:
		return io.ErrUnexpectedEOF
	case errEnd:
		return io.EOF
	}
	return err
}

var errEnd = errors.New("sigv4: the last chunk")

// pass hands out a part of an unsigned chunk.
func (d *chunks) pass(p []byte) (int, error) {
	n, err := d.in.Read(p[:min(int64(len(p)), d.passing)])
	d.passing -= int64(n)
	if d.sum != nil {
		d.sum.Write(p[:n])
	}
	if d.passing > 0 || err != nil {
		d.err = whole(err)
		return n, d.err
	}
	if d.err = whole(d.closeChunk()); d.err != nil && d.err != io.EOF {
		return 0, d.err
	}
	return n, nil
}

// closeChunk reads what follows a chunk: the end of its line and, after the last
// one, the end of all.
func (d *chunks) closeChunk() error {
	if err := d.expectLineEnd(); err != nil || d.left > 0 {
		return err
	}
	return d.next()
}

// next reads a chunk's head and, where it is signed, the chunk.
func (d *chunks) next() error {
	size, signature, err := d.head()
	switch {
	case err != nil:
		return err
	case size > d.left || size == 0 && d.left > 0:
		return broken("the chunks are not as long as x-amz-decoded-content-length says")
	case size == 0:
		return d.end(signature)
	}
	d.left -= size
	if !d.signed {
		d.passing = size
		return nil
	}
	if err := d.hold(size); err != nil {
		return err
	}
	if _, err := io.ReadFull(d.in, d.held[:size]); err != nil {
		return err
	}
	if err := d.compare(signature, "AWS4-HMAC-SHA256-PAYLOAD", emptyHash+"\n", d.held[:size]); err != nil {
		return err
	}
	if d.sum != nil {
		d.sum.Write(d.held[:size])
	}
	err = d.closeChunk()
	if err == nil || err == errEnd {
		d.ready = d.held[:size]
	}
	return err
}

// hold makes room for a signed chunk, within the gateway's budget.
func (d *chunks) hold(size int64) error {
	if size > maxChunk {
		return &exchange.BodyFault{Status: http.StatusRequestEntityTooLarge, Reason: "chunk-too-large", Detail: "a signed chunk of more than 1 MiB"}
	}
	if int64(cap(d.held)) >= size {
		return nil
	}
	if err := d.body.Reserve(size - int64(cap(d.held))); err != nil {
		return err
	}
	d.held = make([]byte, size)
	return nil
}

// head reads SIZE or SIZE;chunk-signature=SIGNATURE.
func (d *chunks) head() (size int64, signature string, err error) {
	line, err := d.line()
	if err != nil {
		return 0, "", err
	}
	digits, extension, extended := strings.Cut(line, ";")
	size, err = strconv.ParseInt(digits, 16, 48)
	if err != nil || size < 0 || strings.ContainsAny(digits, "+-_") {
		return 0, "", broken("a chunk begins with no length")
	}
	signature, named := strings.CutPrefix(extension, "chunk-signature=")
	if d.signed != named || extended != named {
		return 0, "", broken("a chunk's head is not what x-amz-content-sha256 says")
	}
	return size, signature, nil
}

// line reads a line without its end.
func (d *chunks) line() (string, error) {
	line, err := d.in.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		return "", err
	}
	if err != nil || len(line) > maxLine || !bytes.HasSuffix(line, []byte("\r\n")) {
		return "", broken("a line among the chunks is too long, or ends wrongly")
	}
	return string(line[:len(line)-2]), nil
}

func (d *chunks) expectLineEnd() error {
	line, err := d.line()
	if err == nil && line != "" {
		err = broken("a chunk is longer than its length")
	}
	return err
}

// end reads what follows the last chunk's head: its checksum, the signature of
// that, and nothing more.
func (d *chunks) end(signature string) error {
	if d.signed {
		if err := d.compare(signature, "AWS4-HMAC-SHA256-PAYLOAD", emptyHash+"\n", nil); err != nil {
			return err
		}
	}
	var trailers, given, signed string
	for range maxTrailers {
		line, err := d.line()
		if err == io.EOF && trailers == "" && d.trailer == "" {
			break // some end without the empty line
		}
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case name == "x-amz-trailer-signature" && d.signed && signed == "":
			signed = value
			continue
		case name != d.trailer || given != "":
			return broken("a trailer that x-amz-trailer does not name")
		}
		given, trailers = value, trailers+name+":"+value+"\n"
	}
	if d.trailer != "" {
		if err := d.checkTrailer(trailers, given, signed); err != nil {
			return err
		}
	}
	if _, err := d.in.ReadByte(); err == nil {
		return broken("more follows the last chunk")
	} else if err != io.EOF {
		return err
	}
	return errEnd
}

func (d *chunks) checkTrailer(trailers, given, signed string) error {
	if d.signed {
		if err := d.compare(signed, "AWS4-HMAC-SHA256-TRAILER", "", []byte(trailers)); err != nil {
			return err
		}
	}
	if base64.StdEncoding.EncodeToString(d.sum.Sum(nil)) != given {
		return &exchange.BodyFault{Status: http.StatusBadRequest, Reason: "tampered-body", Detail: "the body is not what its checksum says", Message: "The " + d.trailer + " you specified did not match the calculated checksum."}
	}
	return nil
}

// compare holds the signature of a chunk, or of the trailer, against the chain
// of those before it.
func (d *chunks) compare(signature, kind, between string, data []byte) error {
	sum := sha256.Sum256(data)
	text := kind + "\n" + d.stamp + "\n" + d.scope + "\n" + d.previous + "\n" + between + hex.EncodeToString(sum[:])
	c := credential{signature: signature}
	if !c.signedBy(d.key[:], []byte(text)) {
		f := mismatch("")
		return &exchange.BodyFault{Status: Status, Type: f.Type, Message: f.Message, Reason: "tampered-body", Detail: "a chunk's signature is not that of the chunk"}
	}
	d.previous = signature
	return nil
}

func broken(detail string) error {
	return &exchange.BodyFault{Status: http.StatusBadRequest, Reason: "body-broken", Detail: detail}
}
