package ticket

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/private"
)

// File is the name of the keys' file in the data folder.
const File = "ticket-keys.json"

const (
	lifetime = 30 * 24 * time.Hour // of a key for new tickets
	most     = 3                   // keys that tickets are read by
)

// Ring holds the keys: the newest makes tickets, all of them read tickets. It is
// safe for concurrent use.
type Ring struct {
	folder string
	keys   atomic.Pointer[[]*key]
}

// key is one key.
type key struct {
	Made time.Time `json:"made"`
	Key  []byte    `json:"key"` // 32 bytes

	aead cipher.AEAD
}

// file is the keys' file, the newest first.
type file struct {
	Keys []*key `json:"keys"`
}

// Open returns the ring of a data folder, making folder, file and key where they
// are not there yet. The file is readable for its owner alone; one that others
// can read is refused.
func Open(folder string) (*Ring, error) {
	r := &Ring{folder: folder}
	r.keys.Store(new([]*key))
	return r, r.Refresh(time.Now())
}

// Refresh reads the keys anew, and makes a new one where the newest is a month
// old. Keys that are in use and no longer in the file, because somebody has
// removed it, go on reading tickets, as long as there is room: nobody loses
// its target to a new key. It is not safe for concurrent use.
func (r *Ring) Refresh(now time.Time) error {
	path := filepath.Join(r.folder, File)
	keys, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(keys) == 0 || now.Sub(keys[0].Made) > lifetime {
		fresh, err := newKey(now)
		if err != nil {
			return err
		}
		keys = append([]*key{fresh}, keys...)
		if err := write(r.folder, path, keys[:min(len(keys), most)]); err != nil {
			return err
		}
	}
	for _, old := range *r.keys.Load() {
		if !slices.ContainsFunc(keys, func(k *key) bool { return string(k.Key) == string(old.Key) }) {
			keys = append(keys, old)
		}
	}
	keys = keys[:min(len(keys), most)]
	r.keys.Store(&keys)
	return nil
}

func newKey(now time.Time) (*key, error) {
	k := &key{Made: now.UTC().Truncate(time.Second), Key: make([]byte, 32)}
	_, _ = rand.Read(k.Key) // never fails
	return k, k.prepare()
}

func (k *key) prepare() error {
	if len(k.Key) != 32 {
		return errors.New("a key has 32 bytes")
	}
	block, err := aes.NewCipher(k.Key)
	if err != nil {
		return err
	}
	k.aead, err = cipher.NewGCM(block)
	return err
}

func read(path string) ([]*key, error) {
	data, err := private.Read(path)
	if err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s holds no keys: remove it, for new ones (%w)", path, err)
	}
	for _, k := range f.Keys {
		if k == nil {
			return nil, fmt.Errorf("%s holds no keys: remove it, for new ones", path)
		}
		if err := k.prepare(); err != nil {
			return nil, fmt.Errorf("%s: %w: remove it, for new ones", path, err)
		}
	}
	return f.Keys, nil
}

// write writes the file whole or not at all.
func write(folder, path string, keys []*key) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(file{keys})
	if err != nil {
		return err
	}
	return private.Replace(path, append(data, '\n'))
}
