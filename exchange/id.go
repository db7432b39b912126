package exchange

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
)

// randomness is drawn for some ids at once: the source costs as much for one.
type randomness struct {
	bytes [16 * 16]byte
	used  int
}

var sources = sync.Pool{New: func() any { return &randomness{used: 16 * 16} }}

// draw returns 128 random bits, and forgets them.
func (s *randomness) draw() (b [16]byte) {
	if s.used == len(s.bytes) {
		_, _ = rand.Read(s.bytes[:]) // never fails: crypto/rand ends the program first
		s.used = 0
	}
	from := s.bytes[s.used : s.used+len(b)]
	s.used += copy(b[:], from)
	clear(from)
	return b
}

// newID returns 122 random bits as a version 4 UUID (RFC 9562), the form in
// which API Gateway writes request ids.
func newID() string {
	source := sources.Get().(*randomness)
	b := source.draw()
	sources.Put(source)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
