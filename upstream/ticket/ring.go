package ticket

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/secrets"
)

// File is the name of the keys' document.
const File = "ticket-keys.json"

const (
	lifetime = 30 * 24 * time.Hour // of a key for new tickets
	good     = 3 * lifetime        // of a key that reads tickets
	ahead    = 24 * time.Hour      // each node has it before it makes tickets
)

// Ring holds the keys: one makes tickets, all of them read tickets. It is safe for
// concurrent use.
type Ring struct {
	*secrets.Ring[cipher.AEAD]
}

// key is a key as it is stored.
type key struct {
	Made time.Time  `json:"made"`
	From *time.Time `json:"from,omitempty"`
	Key  []byte     `json:"key"` // 32 bytes
}

// file is the document, the newest key first.
type file struct {
	Keys []*key `json:"keys"`
}

// Open returns the ring of a place, making its first key where there is none yet.
func Open(place secrets.Place) (*Ring, error) {
	r, err := secrets.Open(place, secrets.Kind[cipher.AEAD]{
		Name: File, Turn: lifetime, Life: good, Ahead: ahead,
		New: secrets.Random, Decode: decode, Encode: encode, Prepare: prepare,
	})
	if err != nil {
		return nil, err
	}
	return &Ring{r}, nil
}

func prepare(k *secrets.Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.Secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func decode(text []byte) (out []secrets.Key, err error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("it holds no keys: remove it, for new ones (%w)", err)
	}
	for _, k := range f.Keys {
		switch {
		case k == nil:
			return nil, errors.New("it holds no keys: remove it, for new ones")
		case len(k.Key) != secrets.Size:
			return nil, errors.New("a key has 32 bytes: remove it, for new ones")
		}
		one := secrets.Key{Made: k.Made, Secret: k.Key}
		if k.From != nil {
			one.From = *k.From
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no keys: remove it, for new ones")
	}
	return out, nil
}

func encode(keys []secrets.Key) ([]byte, error) {
	var f file
	for i := range keys {
		k := &key{Made: keys[i].Made, Key: keys[i].Secret}
		if !keys[i].From.IsZero() {
			k.From = &keys[i].From
		}
		f.Keys = append(f.Keys, k)
	}
	text, err := json.Marshal(f)
	return append(text, '\n'), err
}
