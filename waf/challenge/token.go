package challenge

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strconv"
	"time"
)

// Seals seals what browsers keep for the gateway. What was sealed for a purpose opens
// for that alone.
type Seals interface {
	Seal(purpose string, plain []byte) string
	Open(purpose, text string) ([]byte, bool)
}

// Lifetime is how long a challenge may be solved.
const Lifetime = 2 * time.Minute

const nonceSize = 16

// nonce makes a challenge one of its own.
type nonce [nonceSize]byte

// task is a challenge as it was set.
type task struct {
	nonce      nonce
	difficulty int
	set        time.Time // to the second
	acl        string
}

func (t *task) encode() []byte {
	b := append(make([]byte, 0, nonceSize+9+len(t.acl)), t.nonce[:]...)
	b = append(b, byte(t.difficulty))
	b = binary.BigEndian.AppendUint64(b, uint64(t.set.Unix()))
	return append(b, t.acl...)
}

func decode(b []byte) (task, bool) {
	if len(b) < nonceSize+9 {
		return task{}, false
	}
	t := task{nonce: nonce(b), difficulty: int(b[nonceSize]), acl: string(b[nonceSize+9:])}
	t.set = time.Unix(int64(binary.BigEndian.Uint64(b[nonceSize+1:])), 0)
	return t, true
}

// fresh reports whether a challenge may still be solved. One from another node may
// be a little ahead.
func (t *task) fresh(now time.Time) bool {
	age := now.Sub(t.set)
	return age <= Lifetime && age >= -Lifetime
}

// text is the nonce as scripts and solutions know it.
func (n nonce) text() string { return hex.EncodeToString(n[:]) }

// maxSolution is how long a solution may be, in digits.
const maxSolution = 15

// solved reports whether a number is a solution: the SHA-256 of the nonce in hex
// followed by the number in decimal begins with difficulty bits that are zero.
func (t *task) solved(number string) bool {
	if n, err := strconv.ParseUint(number, 10, 64); err != nil || len(number) > maxSolution || strconv.FormatUint(n, 10) != number {
		return false
	}
	sum := sha256.Sum256([]byte(t.nonce.text() + number))
	return t.difficulty <= maxDifficulty && bits.LeadingZeros32(binary.BigEndian.Uint32(sum[:])) >= t.difficulty
}

// network is whom challenges and clearances are for: the /24 of an IPv4 address, the
// /64 of an IPv6 address. People keep that for longer than their address.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	size := 64
	if a.Is4() {
		size = 24
	}
	p, _ := a.Prefix(size)
	return p
}

// purpose is what something is sealed for. No part can hold what parts them.
func purpose(kind, host string, a netip.Addr, acl string) string {
	var room [64]byte
	return "waf " + kind + "\x00" + host + "\x00" + string(network(a).AppendTo(room[:0])) + "\x00" + acl
}
