package usage

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"gatehouse/exchange"
)

// Key is what is kept of an API key. Its value is told once, when it is made.
type Key struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Plan     string            `json:"plan"`
	Prefix   string            `json:"prefix"` // of the value, to recognise it by
	Enabled  bool              `json:"enabled"`
	Created  time.Time         `json:"created"`
	Expires  *time.Time        `json:"expires,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Hash     []byte            `json:"hash,omitempty"`     // HMAC-SHA256 of the value
	Previous []byte            `json:"previous,omitempty"` // of the value before a rotation
	Until    *time.Time        `json:"until,omitempty"`    // how long the previous value is taken
}

const (
	valueHead   = "ghk_" // what scanners for leaked secrets look for
	valueBytes  = 20     // 160 bits
	prefixChars = len(valueHead) + 6
	minImported = 20 // characters, as API Gateway has it
	maxValue    = 256
	maxTags     = 50
	maxText     = 256
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newValue() string {
	var raw [valueBytes]byte
	_, _ = rand.Read(raw[:])
	return valueHead + lowerBase32.EncodeToString(raw[:])
}

func newID() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// checkImported refuses values that headers cannot carry or that can be guessed.
func checkImported(value string) error {
	if len(value) < minImported || len(value) > 128 {
		return fmt.Errorf("the value of an API key has %d to 128 characters", minImported)
	}
	distinct := make(map[rune]bool)
	for _, c := range value {
		if c <= ' ' || c > '~' {
			return errors.New("the value of an API key is printable ASCII without spaces")
		}
		distinct[c] = true
	}
	if len(distinct) < 8 {
		return errors.New("the value could be guessed: it has fewer than 8 different characters")
	}
	return nil
}

func checkText(what, text string) error {
	if len(text) > maxText || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return fmt.Errorf("%s has at most %d bytes and no control characters", what, maxText)
	}
	return nil
}

// digest is the HMAC-SHA256 of a value.
type digest [sha256.Size]byte

// hasher makes digests without allocating. It is safe for concurrent use.
type hasher struct{ pool sync.Pool }

type hashing struct {
	mac hash.Hash
	in  []byte
	out digest
}

func newHasher(secret []byte) *hasher {
	h := &hasher{}
	h.pool.New = func() any {
		return &hashing{mac: hmac.New(sha256.New, secret), in: make([]byte, 0, maxValue)}
	}
	return h
}

func (h *hasher) digest(value string) digest {
	w := h.pool.Get().(*hashing)
	w.in = append(w.in[:0], value...)
	w.mac.Reset()
	_, _ = w.mac.Write(w.in)
	w.mac.Sum(w.out[:0])
	d := w.out
	clear(w.in)
	h.pool.Put(w)
	return d
}

// entry is a Key as requests find it. It is immutable.
type entry struct {
	exchange.APIKey
	enabled bool
	expires int64 // Unix nanoseconds; never for 0
	until   int64 // of the previous value
	hash    digest
	prev    digest
	hasPrev bool
}

func newEntry(k *Key) *entry {
	e := &entry{APIKey: exchange.APIKey{ID: k.ID, Name: k.Name, Plan: k.Plan}, enabled: k.Enabled}
	copy(e.hash[:], k.Hash)
	if k.Expires != nil {
		e.expires = k.Expires.UnixNano()
	}
	if len(k.Previous) == len(e.prev) && k.Until != nil {
		e.hasPrev, e.until = true, k.Until.UnixNano()
		copy(e.prev[:], k.Previous)
	}
	return e
}

// Problem says why a key is not taken; "" where it is.
type Problem string

// The reasons, as logs and metrics have them.
const (
	Missing  Problem = "no-api-key"
	Unknown  Problem = "unknown-api-key"
	Disabled Problem = "disabled-api-key"
	Expired  Problem = "expired-api-key"
	NoPlan   Problem = "api-key-plan"
	Away     Problem = "no-keys"
)

func (e *entry) problem(d *digest, now time.Time) Problem {
	at := now.UnixNano()
	switch {
	case !e.enabled:
		return Disabled
	case e.expires != 0 && at >= e.expires, *d != e.hash && at >= e.until:
		return Expired
	}
	return ""
}
