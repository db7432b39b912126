package state

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gatehouse/private"
)

// Keyring holds the master keys, the one in force first. Older ones open what
// was sealed before a change of keys. It is safe for concurrent use.
type Keyring struct {
	path string // of the file; "" where the configuration says the keys themselves

	mu   sync.RWMutex
	keys []masterKey
}

type masterKey struct {
	id  string // a part of its digest
	key [32]byte
}

// DefaultMasterKey returns where the master key is where nothing says it: not
// below the data folder, since a copy of that is not to open its secrets.
func DefaultMasterKey() (string, error) {
	if os.Geteuid() == 0 && os.Getenv("XDG_CONFIG_HOME") == "" {
		return "/etc/gatehouse/master.key", nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for the master key: write state: {master-key: FILE}, or set HOME or XDG_CONFIG_HOME (%w)", err)
	}
	return filepath.Join(dir, "gatehouse", "master.key"), nil
}

// OpenKeyring opens the master keys that a configuration names; c may be nil.
// Where the file is missing it is made, and created says so. A file that others
// can read, or below the data folder, is an error.
func OpenKeyring(c *Config, data string) (ring *Keyring, created bool, err error) {
	if c != nil {
		if text := c.MasterKey.Value.Reveal(); text != "" {
			keys, err := parseKeys([]byte(text))
			return &Keyring{keys: keys}, false, err
		}
	}
	path, err := DefaultMasterKey()
	if c != nil && c.MasterKey.File != nil {
		path, err = c.MasterKey.File.Value, nil
	}
	if err != nil {
		return nil, false, err
	}
	if below(data, path) {
		return nil, false, fmt.Errorf("the master key %s lies below the data folder: who copies that would have the secrets and their key. Write state: {master-key: FILE} with a file elsewhere", path)
	}
	keys, err := readKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		created = true
		keys, err = createKeys(path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("the master key: %w", err)
	}
	return &Keyring{path: path, keys: keys}, created, nil
}

// below reports whether path lies below dir, symbolic links followed as far as
// they are there.
func below(dir, path string) bool {
	real := func(p string) string {
		p, _ = filepath.Abs(p)
		for rest := ""; ; {
			if found, err := filepath.EvalSymlinks(p); err == nil {
				return filepath.Join(found, rest)
			}
			if p == filepath.Dir(p) {
				return filepath.Join(p, rest)
			}
			p, rest = filepath.Dir(p), filepath.Join(filepath.Base(p), rest)
		}
	}
	name, err := filepath.Rel(real(dir), real(path))
	return err == nil && filepath.IsLocal(name)
}

// Path returns the file of the keys; "" where there is none.
func (k *Keyring) Path() string { return k.path }

func readKeys(path string) ([]masterKey, error) {
	text, err := private.Read(path)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// createKeys writes a file with a new key, or reads the one that another
// process has made meanwhile.
func createKeys(path string) ([]masterKey, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("%w (write state: {master-key: FILE} with a file in a folder that can be written, or {value: ...})", err)
	}
	err := private.Create(path, formatKeys([]masterKey{newMasterKey()}))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w (write state: {master-key: FILE} with a file in a folder that can be written, or {value: ...})", err)
	}
	return readKeys(path)
}

func newMasterKey() masterKey {
	var key [32]byte
	_, _ = rand.Read(key[:])
	return named(key)
}

func named(key [32]byte) masterKey {
	sum := sha256.Sum256(append([]byte("gatehouse master key id"), key[:]...))
	return masterKey{id: hex.EncodeToString(sum[:6]), key: key}
}

func formatKeys(keys []masterKey) []byte {
	var b bytes.Buffer
	for _, k := range keys {
		b.WriteString(base64.StdEncoding.EncodeToString(k.key[:]) + "\n")
	}
	return b.Bytes()
}

func parseKeys(text []byte) (keys []masterKey, err error) {
	for line := range strings.FieldsSeq(string(text)) {
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) != 32 {
			return nil, errors.New("it is not 32 bytes in base64, as `head -c32 /dev/urandom | base64` makes them")
		}
		keys = append(keys, named([32]byte(key)))
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

// Derive returns a key of 32 bytes for one purpose, made of the key in force.
func (k *Keyring) Derive(purpose string) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return derive(k.keys[0], purpose)
}

// DeriveAll returns the keys of a purpose, made of each key, the one in force
// first.
func (k *Keyring) DeriveAll(purpose string) (out [][]byte) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range k.keys {
		out = append(out, derive(key, purpose))
	}
	return out
}

func derive(k masterKey, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, k.key[:], nil, "gatehouse "+purpose, 32)
	if err != nil {
		panic(err) // 32 bytes are never too many
	}
	return out
}

// sealed is a secret in the form that is stored.
type sealed struct {
	Key string `json:"key"` // id of the master key
	Box []byte `json:"box"` // nonce and AES-256-GCM
}

// Seal encrypts a secret under the key in force. Place, such as the record's
// name, is bound to it: the secret opens nowhere else.
func (k *Keyring) Seal(place string, secret []byte) []byte {
	k.mu.RLock()
	key := k.keys[0]
	k.mu.RUnlock()
	aead := aeadOf(derive(key, "seal"))
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	out, _ := json.Marshal(sealed{Key: key.id, Box: aead.Seal(nonce, nonce, secret, []byte(place))})
	return out
}

// ErrNoKey is the error of Open where no master key at hand sealed the secret.
var ErrNoKey = errors.New("it was sealed under a master key that is not at hand: bring back the file of the master key, or its backup")

// Open decrypts what Seal made of a secret.
func (k *Keyring) Open(place string, text []byte) ([]byte, error) {
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range k.keys {
		if key.id != s.Key {
			continue
		}
		aead := aeadOf(derive(key, "seal"))
		if len(s.Box) < aead.NonceSize() {
			return nil, errors.New("it is too short to be sealed")
		}
		return aead.Open(nil, s.Box[:aead.NonceSize()], s.Box[aead.NonceSize():], []byte(place))
	}
	return nil, ErrNoKey
}

func aeadOf(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCM(block); err == nil {
			return aead
		}
	}
	panic(err) // a key of 32 bytes is never refused
}

// add puts a new key in force; those before stay, to open what they sealed.
func (k *Keyring) add() error {
	if k.path == "" {
		return errors.New("the configuration says the master key itself: put the new one before the old one there, restart, and run this again")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := append([]masterKey{newMasterKey()}, k.keys...)
	if err := private.Replace(k.path, formatKeys(keys)); err != nil {
		return err
	}
	k.keys = keys
	return nil
}

// drop forgets all keys but the one in force.
func (k *Keyring) drop() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.path != "" {
		if err := private.Replace(k.path, formatKeys(k.keys[:1])); err != nil {
			return err
		}
	}
	k.keys = k.keys[:1]
	return nil
}

// current reports whether a sealed text is under the key in force.
func (k *Keyring) current(text []byte) bool {
	var s sealed
	k.mu.RLock()
	defer k.mu.RUnlock()
	return json.Unmarshal(text, &s) == nil && s.Key == k.keys[0].id
}
