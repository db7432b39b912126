// Package devkey holds the development key: a key that Gatehouse makes for
// itself, so that a token for trying things out is one command away. Whoever
// can read the data folder can make tokens with it: it is not for production.
package devkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/private"
)

// File is the name of the key's file in the data folder.
const File = "development-key.json"

// Key is the development key: ECDSA on P-256, for ES256.
type Key struct {
	private *ecdsa.PrivateKey
	id      string
}

// jwk is the file: a private JSON Web Key (RFC 7518 section 6.2.2).
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	D         string `json:"d,omitempty"`
}

// Open returns the key of a data folder, making folder and key where they are
// not there yet. The key's file is readable for its owner alone; one that
// others can read is refused.
func Open(folder string) (*Key, error) {
	path := filepath.Join(folder, File)
	key, err := read(path, prefix)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if err := create(path, prefix); err != nil {
		return nil, err
	}
	return read(path, prefix)
}

// prefix begins the key's name (kid).
const prefix = "development-"

// Generate makes a key, as Parse reads it: a private JSON Web Key.
func Generate(prefix string) ([]byte, error) {
	generated, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	d, err := generated.Bytes()
	if err != nil {
		return nil, err
	}
	k := newKey(generated, prefix)
	j := k.jwk()
	j.D = encode(d)
	return json.Marshal(j)
}

// Parse reads a key whose name begins with a prefix.
func Parse(data []byte, prefix string) (*Key, error) { return parse(data, prefix) }

func read(path, prefix string) (*Key, error) {
	data, err := private.Read(path)
	if err != nil {
		return nil, err
	}
	key, err := parse(data, prefix)
	if err != nil {
		return nil, fmt.Errorf("%s is no such key: remove it for a new one (%w)", path, err)
	}
	return key, nil
}

func parse(data []byte, prefix string) (*Key, error) {
	var j jwk
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, errors.New("it is not JSON")
	}
	d, err := base64.RawURLEncoding.DecodeString(j.D)
	if err != nil || j.Curve != "P-256" {
		return nil, errors.New("it is not a private key on P-256")
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		return nil, errors.New("it is not a private key on P-256")
	}
	return newKey(private, prefix), nil
}

// create writes a new key whole or not at all, and leaves one that another
// process has made meanwhile.
func create(path, prefix string) error {
	data, err := Generate(prefix)
	if err != nil {
		return err
	}
	if err := private.Create(path, append(data, '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func newKey(private *ecdsa.PrivateKey, prefix string) *Key {
	k := &Key{private: private}
	j := k.jwk()
	// The name is the key's thumbprint (RFC 7638).
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + j.X + `","y":"` + j.Y + `"}`))
	k.id = prefix + encode(sum[:9])
	return k
}

func (k *Key) jwk() jwk {
	point, _ := k.private.PublicKey.Bytes() // of a named curve: never fails
	return jwk{Type: "EC", Use: "sig", Algorithm: "ES256", ID: k.id, Curve: "P-256", X: encode(point[1:33]), Y: encode(point[33:])}
}

// JWKS returns the public key as a JSON Web Key Set.
func (k *Key) JWKS() []byte { return JWKS(k) }

// JWKS returns the public keys as a JSON Web Key Set.
func JWKS(keys ...*Key) []byte {
	set := make([]jwk, len(keys))
	for i, k := range keys {
		set[i] = k.jwk()
	}
	data, _ := json.Marshal(map[string]any{"keys": set}) // strings alone: never fails
	return data
}

// Claims are what a development token says.
type Claims struct {
	Issuer   string
	Audience []string
	Subject  string
	Scopes   []string
	Lifetime time.Duration  // from now
	Extra    map[string]any // further claims; they cannot replace those above
}

// Sign returns a token that says c (RFC 7519), valid from now on.
func (k *Key) Sign(c Claims) (string, error) {
	now := time.Now()
	claims := make(map[string]any)
	for name, value := range c.Extra {
		claims[name] = value
	}
	claims["iss"], claims["aud"], claims["sub"] = c.Issuer, c.Audience, c.Subject
	claims["iat"], claims["exp"] = now.Unix(), now.Add(c.Lifetime).Unix()
	if len(c.Scopes) > 0 {
		claims["scope"] = joined(c.Scopes)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("claims that are no JSON: %w", err)
	}
	head := `{"alg":"ES256","kid":"` + k.id + `","typ":"JWT"}`
	signed := encode([]byte(head)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature[:]), nil
}

func joined(scopes []string) string {
	var b []byte
	for i, s := range scopes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, s...)
	}
	return string(b)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
