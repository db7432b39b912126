// Package seal seals what browsers keep for the gateway, so that they can neither
// read nor change it, under keys that are kept as the gateway's own secrets and take
// turns.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"gatehouse/secrets"
)

// File is the name of the keys' document.
const File = "cookie-keys.json"

// How long a key seals, and how long it opens what it has sealed.
const (
	seals = 30 * 24 * time.Hour
	opens = 60 * 24 * time.Hour
	ahead = 24 * time.Hour // each node has it before it seals
)

// Ring holds the keys. It is safe for concurrent use.
type Ring struct{ *secrets.Ring[*key] }

// key is a key as it is stored.
type key struct {
	ID     uint32     `json:"id"`
	Secret []byte     `json:"secret"`
	Made   time.Time  `json:"made"`
	From   *time.Time `json:"from,omitempty"`
}

// Open returns the Ring of a place, making keys where there are none yet. Removing
// the document ends all sessions.
func Open(place secrets.Place) (*Ring, error) {
	r, err := secrets.Open(place, secrets.Kind[*key]{
		Name: File, Turn: seals, Life: opens, Ahead: ahead,
		New: secrets.Random, Decode: decode, Encode: encode, Prepare: prepare,
	})
	if err != nil {
		return nil, err
	}
	return &Ring{r}, nil
}

func decode(text []byte) (out []secrets.Key, err error) {
	var keys []key
	err = json.Unmarshal(text, &keys)
	for _, k := range keys {
		if len(k.Secret) != secrets.Size {
			err = errors.New("a key of another length")
		}
		one := secrets.Key{Made: k.Made, Secret: k.Secret}
		if k.From != nil {
			one.From = *k.From
		}
		out = append(out, one)
	}
	if err != nil || len(out) == 0 {
		return nil, errors.New("it holds no keys: remove it for new ones, which ends all sessions of browsers")
	}
	return out, nil
}

func encode(keys []secrets.Key) ([]byte, error) {
	out := make([]*key, len(keys))
	for i := range keys {
		k, _ := prepare(&keys[i])
		if !keys[i].From.IsZero() {
			k.From = &keys[i].From
		}
		out[i] = k
	}
	text, err := json.Marshal(out)
	return append(text, '\n'), err
}

// prepare names a key by when it was made, as what it seals says.
func prepare(k *secrets.Key) (*key, error) {
	return &key{ID: uint32(k.Made.Unix()), Secret: k.Secret, Made: k.Made}, nil
}

const (
	version  = 1
	saltSize = 24
	headSize = 1 + 4 + saltSize
)

// Seal returns plain sealed for a purpose, in base64url: each message with
// AES-256-GCM under a key that HMAC-SHA256 makes of a salt of its own, so that no
// nonce comes twice. It opens for the same purpose alone.
func (r *Ring) Seal(purpose string, plain []byte) string {
	k := r.Current(time.Now()).Value
	out := make([]byte, headSize, headSize+len(plain)+16)
	out[0] = version
	out[1], out[2], out[3], out[4] = byte(k.ID>>24), byte(k.ID>>16), byte(k.ID>>8), byte(k.ID)
	_, _ = rand.Read(out[5:])
	return base64.RawURLEncoding.EncodeToString(k.aead(out).Seal(out, make([]byte, 12), plain, []byte(purpose)))
}

// Open returns what was sealed for a purpose; false for what was not.
func (r *Ring) Open(purpose, text string) ([]byte, bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < headSize+16 || sealed[0] != version {
		return nil, false
	}
	id := uint32(sealed[1])<<24 | uint32(sealed[2])<<16 | uint32(sealed[3])<<8 | uint32(sealed[4])
	now := time.Now()
	all := r.All()
	for i := range all {
		k := all[i].Value
		if k.ID != id || !r.Good(&all[i], now) {
			continue
		}
		// Two nodes may have made keys in the same second.
		plain, err := k.aead(sealed[:headSize]).Open(nil, make([]byte, 12), sealed[headSize:], []byte(purpose))
		if err == nil {
			return plain, true
		}
	}
	return nil, false
}

// aead is the cipher of one message, by its head.
func (k *key) aead(head []byte) cipher.AEAD {
	return secrets.AEAD(k.Secret, "gatehouse cookie", head[:headSize])
}
