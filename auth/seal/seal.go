// Package seal seals what browsers keep for the gateway, so that they can neither
// read nor change it, under keys that lie in the data folder and change by
// themselves.
package seal

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
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/private"
)

// File is the name of the keys' file in the data folder.
const File = "cookie-keys.json"

// How long a key seals, and how long it opens what it has sealed.
const (
	seals = 30 * 24 * time.Hour
	opens = 60 * 24 * time.Hour
)

// Ring holds the keys. It is safe for concurrent use.
type Ring struct {
	path string
	keys atomic.Pointer[[]key] // the newest first
	mu   sync.Mutex            // of changing them
}

type key struct {
	ID     uint32    `json:"id"`
	Secret []byte    `json:"secret"`
	Made   time.Time `json:"made"`
}

// Open returns the Ring of a data folder, making folder and keys where there are
// none yet. Keys that others can read are refused. Removing the file ends all
// sessions.
func Open(folder string) (*Ring, error) {
	r := &Ring{path: filepath.Join(folder, File)}
	keys, err := r.read()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(folder, 0o700); err == nil {
			err = r.turn(nil, time.Now())
		}
		return r, err
	}
	if err != nil {
		return nil, err
	}
	r.keys.Store(&keys)
	return r, nil
}

func (r *Ring) read() ([]key, error) {
	data, err := private.Read(r.path)
	if err != nil {
		return nil, err
	}
	var keys []key
	err = json.Unmarshal(data, &keys)
	for _, k := range keys {
		if len(k.Secret) != 32 {
			err = errors.New("a key of another length")
		}
	}
	if err != nil || len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no keys: remove it for new ones, which ends all sessions of browsers", r.path)
	}
	return keys, nil
}

// turn puts a new key before those that still open something.
func (r *Ring) turn(old []key, now time.Time) error {
	k := key{Secret: make([]byte, 32), Made: now}
	_, _ = rand.Read(k.Secret)
	k.ID = uint32(now.Unix())
	keys := []key{k}
	for _, o := range old {
		if now.Sub(o.Made) < opens && o.ID != k.ID {
			keys = append(keys, o)
		}
	}
	data, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if err = private.Replace(r.path, append(data, '\n')); err == nil {
		r.keys.Store(&keys)
	}
	return err
}

// current returns the key that seals, which is changed where it has sealed for
// long enough. A new one that cannot be written is tried again with the next.
func (r *Ring) current(now time.Time) key {
	keys := *r.keys.Load()
	if now.Sub(keys[0].Made) < seals {
		return keys[0]
	}
	if r.mu.TryLock() {
		defer r.mu.Unlock()
		if keys = *r.keys.Load(); now.Sub(keys[0].Made) >= seals {
			_ = r.turn(keys, now)
		}
	}
	return (*r.keys.Load())[0]
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
	k := r.current(time.Now())
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
	for _, k := range *r.keys.Load() {
		if k.ID == id && time.Since(k.Made) < opens {
			plain, err := k.aead(sealed[:headSize]).Open(nil, make([]byte, 12), sealed[headSize:], []byte(purpose))
			return plain, err == nil
		}
	}
	return nil, false
}

// aead is the cipher of one message, by its head.
func (k *key) aead(head []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte("gatehouse cookie"))
	mac.Write(head[:headSize])
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
