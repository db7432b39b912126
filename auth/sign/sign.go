// Package sign makes signed tokens (RFC 7519) with private keys, for those who are
// to believe the gateway.
package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
)

// Key is a private key: ECDSA on P-256, Ed25519, or RSA with 2048 bits or more.
type Key struct {
	private   crypto.Signer
	algorithm string
	id        string
}

var errKey = errors.New("holds no private key in PEM that signs tokens: ECDSA on P-256, Ed25519, or RSA with 2048 bits or more")

// ParsePEM reads a private key in PEM: PKCS #8, SEC 1 or PKCS #1. Id is its name; ""
// for none.
func ParsePEM(data []byte, id string) (*Key, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errKey
	}
	var private any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errKey
	}
	return newKey(private, id)
}

func newKey(private any, id string) (*Key, error) {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return &Key{k, "ES256", id}, nil
		}
	case ed25519.PrivateKey:
		return &Key{k, "EdDSA", id}, nil
	case *rsa.PrivateKey:
		if k.N.BitLen() >= 2048 {
			return &Key{k, "RS256", id}, nil
		}
	}
	return nil, errKey
}

// Sign returns a token that says claims, of a type such as "JWT".
func (k *Key) Sign(kind string, claims any) (string, error) {
	head := map[string]string{"alg": k.algorithm, "typ": kind}
	if k.id != "" {
		head["kid"] = k.id
	}
	h, _ := json.Marshal(head) // texts alone: never fails
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := encode(h) + "." + encode(payload)
	signature, err := k.signature([]byte(signed))
	if err != nil {
		return "", err
	}
	return signed + "." + encode(signature), nil
}

func (k *Key) signature(signed []byte) ([]byte, error) {
	sum := sha256.Sum256(signed)
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
		if err != nil {
			return nil, err
		}
		var out [64]byte
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out[:], nil
	case ed25519.PrivateKey:
		return ed25519.Sign(private, signed), nil
	}
	return k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
