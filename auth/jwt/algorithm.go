package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the algorithms name
	_ "crypto/sha512"
	"math/big"
)

// family is the kind of key that an algorithm works with.
type family uint8

const (
	familyRSA family = iota + 1
	familyP256
	familyP384
	familyP521
	familyEd25519
	familySecret
)

// algorithm is one signature algorithm of RFC 7518 section 3.1, RFC 8037 or
// RFC 9864.
type algorithm struct {
	family family
	hash   crypto.Hash
	pss    bool
}

// algorithmOf returns the algorithm of a name. There is no "none".
func algorithmOf(name string) (algorithm, bool) {
	switch name {
	case "RS256":
		return algorithm{familyRSA, crypto.SHA256, false}, true
	case "RS384":
		return algorithm{familyRSA, crypto.SHA384, false}, true
	case "RS512":
		return algorithm{familyRSA, crypto.SHA512, false}, true
	case "PS256":
		return algorithm{familyRSA, crypto.SHA256, true}, true
	case "PS384":
		return algorithm{familyRSA, crypto.SHA384, true}, true
	case "PS512":
		return algorithm{familyRSA, crypto.SHA512, true}, true
	case "ES256":
		return algorithm{family: familyP256, hash: crypto.SHA256}, true
	case "ES384":
		return algorithm{family: familyP384, hash: crypto.SHA384}, true
	case "ES512":
		return algorithm{family: familyP521, hash: crypto.SHA512}, true
	case "EdDSA", "Ed25519":
		return algorithm{family: familyEd25519}, true
	case "HS256":
		return algorithm{family: familySecret, hash: crypto.SHA256}, true
	case "HS384":
		return algorithm{family: familySecret, hash: crypto.SHA384}, true
	case "HS512":
		return algorithm{family: familySecret, hash: crypto.SHA512}, true
	}
	return algorithm{}, false
}

// publicAlgorithms are those allowed where the configuration says none: all
// that verify with a public key.
func publicAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
}

func isSymmetric(name string) bool {
	a, _ := algorithmOf(name)
	return a.family == familySecret
}

// verify reports whether signature is the key's own under signed. The key is
// of the algorithm's family.
func (a algorithm) verify(k *key, signed string, signature []byte) bool {
	switch a.family {
	case familyRSA:
		return a.verifyRSA(k.rsa, signed, signature)
	case familyEd25519:
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(k.ed25519, []byte(signed), signature)
	case familySecret:
		mac := hmac.New(a.hash.New, k.secret)
		mac.Write([]byte(signed))
		return hmac.Equal(mac.Sum(nil), signature)
	case familyP256, familyP384, familyP521:
		return a.verifyECDSA(k.ecdsa, signed, signature)
	}
	return false
}

func (a algorithm) digest(signed string) []byte {
	h := a.hash.New()
	h.Write([]byte(signed))
	return h.Sum(nil)
}

func (a algorithm) verifyRSA(k *rsa.PublicKey, signed string, signature []byte) bool {
	if a.pss {
		// RFC 7518 section 3.5: the salt is as long as the hash.
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(k, a.hash, a.digest(signed), signature, options) == nil
	}
	return rsa.VerifyPKCS1v15(k, a.hash, a.digest(signed), signature) == nil
}

// verifyECDSA takes the two numbers of RFC 7518 section 3.4, each of the
// curve's exact length.
func (a algorithm) verifyECDSA(k *ecdsa.PublicKey, signed string, signature []byte) bool {
	size := (k.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(k, a.digest(signed), r, s)
}
