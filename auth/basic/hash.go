package basic

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a new hash costs: OWASP's advice for argon2id, 19 MiB and two passes.
const (
	newMemory  = 19 << 10 // KiB
	newPasses  = 2
	newThreads = 1
	saltSize   = 16
	sumSize    = 32
)

// Bounds of hashes that are taken.
const (
	minMemory  = 8 << 10  // KiB
	maxMemory  = 64 << 10 // KiB
	maxPasses  = 10
	maxThreads = 4
)

// hash is an argon2id hash of a password (RFC 9106).
type hash struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
	salt    []byte
	sum     []byte
}

var (
	errHash  = errors.New("is no argon2id hash in PHC's form: $argon2id$v=19$m=19456,t=2,p=1$SALT$SUM (gatehouse hash makes one)")
	errCosts = fmt.Errorf("is an argon2id hash of other costs than m=%d..%d, t=1..%d, p=1..%d", minMemory, maxMemory, maxPasses, maxThreads)
)

// Hash returns the hash of a password as configurations hold it.
func Hash(password string) string {
	h := hash{memory: newMemory, passes: newPasses, threads: newThreads, salt: make([]byte, saltSize)}
	_, _ = rand.Read(h.salt)
	h.sum = h.of(password, sumSize)
	return h.String()
}

// dummy is a hash that no password has, as costly as h.
func (h *hash) dummy() *hash {
	d := *h
	d.salt, d.sum = make([]byte, len(h.salt)), make([]byte, len(h.sum))
	_, _ = rand.Read(d.salt)
	_, _ = rand.Read(d.sum)
	return &d
}

func (h *hash) of(password string, size int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(size))
}

// matches reports whether h is the hash of a password. It takes h.memory, and
// milliseconds.
func (h *hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password, len(h.sum)), h.sum) == 1
}

func (h *hash) String() string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads, encode(h.salt), encode(h.sum))
}

// parseHash reads what String writes, to the letter.
func parseHash(text string) (*hash, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errHash
	}
	h := &hash{}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil {
		return nil, errHash
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	switch {
	case err1 != nil || err2 != nil || h.String() != text:
		return nil, errHash
	case len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64:
		return nil, errHash
	case h.memory < minMemory || h.memory > maxMemory || h.passes < 1 || h.passes > maxPasses || h.threads < 1 || h.threads > maxThreads:
		return nil, errCosts
	}
	return h, nil
}
