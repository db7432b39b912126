package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gatehouse/private"
)

// Sealer seals sessions into tokens and opens them again. It is immutable and
// safe for concurrent use.
//
// A token is a version, a salt of 24 bytes, and the session sealed with
// AES-256-GCM under a key that HMAC-SHA256 makes of the salt: each key seals one
// message, so no nonce can come twice.
type Sealer struct{ key [32]byte }

// NewSealer returns a Sealer with a key of 32 random bytes.
func NewSealer(key [32]byte) *Sealer { return &Sealer{key} }

const (
	tokenVersion = 1
	saltSize     = 24
	maxPlain     = 4096 // bytes of a session; tokens stand in a header
)

// MaxToken is how many characters a token has at most.
const MaxToken = (1+saltSize+maxPlain+16)*4/3 + 3

// Seal returns the session's token. It fails with ErrTooBig alone.
func (s *Sealer) Seal(session *Session) (string, error) {
	plain, err := json.Marshal(session)
	if err != nil {
		return "", err
	}
	if len(plain) > maxPlain {
		return "", ErrTooBig
	}
	token := make([]byte, 1+saltSize, 1+saltSize+len(plain)+16)
	token[0] = tokenVersion
	_, _ = rand.Read(token[1:])
	return base64.RawURLEncoding.EncodeToString(s.aead(token).Seal(token, make([]byte, 12), plain, token[:1])), nil
}

// Open returns the session of a token that this Sealer made; whether it has
// expired is for the caller to see.
func (s *Sealer) Open(token string) (*Session, error) {
	if len(token) > MaxToken {
		return nil, ErrToken
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(sealed) < 1+saltSize || sealed[0] != tokenVersion {
		return nil, ErrToken
	}
	plain, err := s.aead(sealed).Open(nil, make([]byte, 12), sealed[1+saltSize:], sealed[:1])
	if err != nil {
		return nil, ErrToken
	}
	session := &Session{}
	if err := json.Unmarshal(plain, session); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return session, nil
}

// aead is the cipher of one token, by the salt at its beginning.
func (s *Sealer) aead(token []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte("gatehouse session token"))
	mac.Write(token[:1+saltSize])
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

// sessionKeyFile is the key of session tokens, in the folder iam of data.
const sessionKeyFile = "session.key"

// OpenSealer returns the Sealer of a data folder, making its key where there is
// none yet. Who can read the key can make credentials of every role: a file that
// others can read is refused. Removing it ends all sessions.
func OpenSealer(data string) (*Sealer, error) {
	folder := filepath.Join(data, "iam")
	path := filepath.Join(folder, sessionKeyFile)
	s, err := readSealer(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	var key [32]byte
	_, _ = rand.Read(key[:])
	err = private.Create(path, []byte(base64.StdEncoding.EncodeToString(key[:])+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readSealer(path)
}

func readSealer(path string) (*Sealer, error) {
	text, err := private.Read(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is no session key: remove it for a new one, which ends all sessions", path)
	}
	return NewSealer([32]byte(key)), nil
}
