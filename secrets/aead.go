package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
)

// AEAD is AES-256-GCM under a key that HMAC-SHA256 makes of a ring's key for one
// purpose and one salt. Where each message has a salt of its own no nonce comes
// twice, so that it may be zero.
func AEAD(key []byte, purpose string, salt []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	mac.Write(salt)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // a key of 32 bytes is never refused
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}
