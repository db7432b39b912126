// Package ticket makes tickets: what a client keeps in a cookie and gives back,
// so that its requests go to the same target. A client can neither read a ticket
// nor make one: it is encrypted and authenticated (AES-256-GCM), with keys that
// are kept as the gateway's own secrets.
package ticket

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

// Ticket is what a ticket says.
type Ticket struct {
	Target uint64    // which of the service's targets, as the service numbers them
	Issued time.Time // to the second
}

const (
	nonceSize = 12
	plainSize = 12
	tagSize   = 16
	rawSize   = nonceSize + plainSize + tagSize
)

// Size is the length of a ticket's text.
const Size = (rawSize*8 + 5) / 6

// scratch is the memory that a ticket is made or read in.
type scratch struct {
	raw   [rawSize]byte
	plain [plainSize]byte
	about [160]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Append appends a ticket of a service. One service's are none of another's.
func (r *Ring) Append(b []byte, service string, t Ticket) []byte {
	return appendWith(r.Current(time.Now()).Value, b, service, t)
}

func appendWith(key cipher.AEAD, b []byte, service string, t Ticket) []byte {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	binary.BigEndian.PutUint64(s.plain[:], t.Target)
	binary.BigEndian.PutUint32(s.plain[8:], uint32(t.Issued.Unix()))
	_, _ = rand.Read(s.raw[:nonceSize]) // never fails
	out := key.Seal(s.raw[:nonceSize], s.raw[:nonceSize], s.plain[:], append(s.about[:0], service...))
	return base64.RawURLEncoding.AppendEncode(b, out)
}

// Read reads a ticket of a service; false for what is none of it, whoever made
// it up.
func (r *Ring) Read(service, text string) (Ticket, bool) {
	if len(text) != Size {
		return Ticket{}, false
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if n, err := base64.RawURLEncoding.Strict().Decode(s.raw[:], append(s.about[:0], text...)); err != nil || n != rawSize {
		return Ticket{}, false
	}
	about := append(s.about[:0], service...)
	for _, key := range r.All() {
		plain, err := key.Value.Open(s.plain[:0], s.raw[:nonceSize], s.raw[nonceSize:], about)
		if err == nil {
			return Ticket{binary.BigEndian.Uint64(plain), time.Unix(int64(binary.BigEndian.Uint32(plain[8:])), 0)}, true
		}
	}
	return Ticket{}, false
}
