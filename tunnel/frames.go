package tunnel

import (
	"crypto/rand"
	"encoding/binary"
)

// frames follows where the frames of one direction end.
type frames struct {
	head   [14]byte // of the frame that begins
	have   int      // bytes of head
	left   uint64   // bytes of the frame under way that are still to come
	opcode byte
	lost   bool // what came is no frame: where the next one begins is not known
	closed bool // a Close frame has passed
}

const opClose = 0x8

// between reports whether no frame is under way.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 && !f.lost }

// step follows p to the end of the frame under way, or of p, and returns how
// many bytes that is.
func (f *frames) step(p []byte) int {
	if f.lost {
		return len(p)
	}
	if f.left == 0 {
		n := f.header(p)
		if f.have == 0 && f.left == 0 {
			f.ended()
		}
		return n
	}
	n := len(p)
	if uint64(n) > f.left {
		n = int(f.left)
	}
	if f.left -= uint64(n); f.left == 0 {
		f.ended()
	}
	return n
}

// skip follows n bytes of the frame under way, which has at least as many left.
func (f *frames) skip(n uint64) {
	if f.left -= n; f.left == 0 {
		f.ended()
	}
}

// ended notes the end of a frame.
func (f *frames) ended() {
	f.closed = f.closed || f.opcode == opClose
}

// header takes bytes of a frame's header; have is 0 again once it is complete.
func (f *frames) header(p []byte) int {
	n := 0
	for n < len(p) {
		f.head[f.have] = p[n]
		f.have++
		n++
		if f.have >= 2 && f.have == f.size() {
			f.begin()
			return n
		}
	}
	return n
}

// size is how long the header is, of which two bytes are there.
func (f *frames) size() int {
	size := 2
	switch f.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.head[1]&0x80 != 0 {
		size += 4
	}
	return size
}

// begin takes the length from a complete header.
func (f *frames) begin() {
	f.opcode, f.have = f.head[0]&0x0f, 0
	switch n := f.head[1] & 0x7f; n {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(f.head[2:])
		f.lost = f.left>>63 != 0
	default:
		f.left = uint64(n)
	}
}

// The codes of Close frames (RFC 6455 section 7.4.1).
const (
	goingAway = 1001
	violation = 1008
)

// closeFrame is a Close frame; masked, as from a client. The text has at most
// 123 bytes.
func closeFrame(code uint16, text string, masked bool) []byte {
	b := append(make([]byte, 0, 8+len(text)), 0x80|opClose, byte(2+len(text)))
	if masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
		_, _ = rand.Read(b[2:6])
	}
	from := len(b)
	b = binary.BigEndian.AppendUint16(b, code)
	b = append(b, text...)
	if masked {
		for i := range b[from:] {
			b[from+i] ^= b[2+i%4]
		}
	}
	return b
}
