package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"gatehouse/auth/devkey"
	"gatehouse/secrets"
)

// File is the name of the document of the keys that sign tokens.
const File = "identity-key.json"

// How long a key signs, and how long services are told of it, which is longer than
// any token lives. They know each key a day before it signs.
const (
	signs = 30 * 24 * time.Hour
	known = signs + 25*time.Hour
	ahead = 24 * time.Hour
)

const prefix = "gatehouse-"

// Keys sign what services are told of callers. They are safe for concurrent use.
type Keys struct{ *secrets.Ring[*devkey.Key] }

// OpenKeys returns the Keys of a place, making the first one where there is none
// yet.
func OpenKeys(place secrets.Place) (*Keys, error) {
	r, err := secrets.Open(place, secrets.Kind[*devkey.Key]{
		Name: File, Turn: signs, Life: known, Ahead: ahead,
		New: func() ([]byte, error) { return devkey.Generate(prefix) }, Decode: decode, Encode: encode,
		Prepare: func(k *secrets.Key) (*devkey.Key, error) { return devkey.Parse(k.Secret, prefix) },
	})
	if err != nil {
		return nil, err
	}
	return &Keys{r}, nil
}

// JWKS returns the public keys as a JSON Web Key Set, those to come among them.
func (k *Keys) JWKS() []byte {
	all := k.All()
	keys := make([]*devkey.Key, len(all))
	for i := range all {
		keys[i] = all[i].Value
	}
	return devkey.JWKS(keys...)
}

// file is the document. Of earlier versions it is the one key itself.
type file struct {
	Keys []stored `json:"keys"`
}

type stored struct {
	Made time.Time       `json:"made"`
	From time.Time       `json:"from"`
	Key  json.RawMessage `json:"key"`
}

func decode(text []byte) (out []secrets.Key, err error) {
	var f file
	if json.Unmarshal(text, &f) == nil && len(f.Keys) > 0 {
		for _, k := range f.Keys {
			out = append(out, secrets.Key{Made: k.Made, From: k.From, Secret: k.Key})
		}
		return out, nil
	}
	if _, err := devkey.Parse(text, prefix); err != nil {
		return nil, errors.New("it holds no key that signs: remove it for a new one")
	}
	// When it was made is not known; its turn ends now.
	return []secrets.Key{{Made: time.Now().Add(-signs).UTC().Truncate(time.Second), Secret: bytes.TrimSpace(text)}}, nil
}

func encode(keys []secrets.Key) ([]byte, error) {
	var f file
	for _, k := range keys {
		f.Keys = append(f.Keys, stored{k.Made, k.Begin(), k.Secret})
	}
	text, err := json.Marshal(f)
	return append(text, '\n'), err
}
