package iam

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/secrets"
)

// Sealer seals sessions into tokens and opens them again. It is safe for
// concurrent use.
//
// A token is a version, a salt of 24 bytes, and the session sealed with
// AES-256-GCM under a key that HMAC-SHA256 makes of the salt: each key seals one
// message, so no nonce can come twice.
type Sealer struct{ *secrets.Ring[sessionKey] }

// sessionKey is a key of session tokens.
type sessionKey [secrets.Size]byte

// NewSealer returns a Sealer with a key of 32 random bytes, which stays.
func NewSealer(key [32]byte) *Sealer { return &Sealer{secrets.Single(sessionKey(key))} }

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
	key := s.Current(time.Now()).Value
	return base64.RawURLEncoding.EncodeToString(key.aead(token).Seal(token, make([]byte, 12), plain, token[:1])), nil
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
	plain, ok := s.plain(sealed)
	if !ok {
		return nil, ErrToken
	}
	session := &Session{}
	if err := json.Unmarshal(plain, session); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return session, nil
}

// plain opens a token with the key that sealed it.
func (s *Sealer) plain(sealed []byte) ([]byte, bool) {
	for _, key := range s.All() {
		plain, err := key.Value.aead(sealed).Open(nil, make([]byte, 12), sealed[1+saltSize:], sealed[:1])
		if err == nil {
			return plain, true
		}
	}
	return nil, false
}

// aead is the cipher of one token, by the salt at its beginning.
func (k *sessionKey) aead(token []byte) cipher.AEAD {
	return secrets.AEAD(k[:], "gatehouse session token", token[:1+saltSize])
}

// sessionKeys is the document of the keys of session tokens.
const sessionKeys = "iam/session.key"

// How long a key seals, and how long it opens what it has sealed: longer than any
// session.
const (
	keySeals = 7 * 24 * time.Hour
	keyOpens = keySeals + MaxSession + 2*keyAhead
	keyAhead = time.Hour // each node has it before it seals
)

// OpenSealer returns the Sealer of a place, making its first key where there is
// none yet. Who can read the keys can make credentials of every role. Removing them
// ends all sessions.
func OpenSealer(place secrets.Place) (*Sealer, error) {
	r, err := secrets.Open(place, secrets.Kind[sessionKey]{
		Name: sessionKeys, Turn: keySeals, Life: keyOpens, Ahead: keyAhead,
		New: secrets.Random, Decode: decodeKeys, Encode: secrets.EncodeLines,
		Prepare: func(k *secrets.Key) (sessionKey, error) { return sessionKey(k.Secret), nil },
	})
	if err != nil {
		return nil, err
	}
	return &Sealer{r}, nil
}

// decodeKeys also reads a key alone, as earlier versions wrote it.
func decodeKeys(text []byte) ([]secrets.Key, error) {
	keys, err := secrets.DecodeLines(text, keySeals)
	if err != nil {
		return nil, errors.New("it is no session key: remove it for a new one, which ends all sessions")
	}
	return keys, nil
}
