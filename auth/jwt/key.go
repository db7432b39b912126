package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
)

// Bounds of a JWKS.
const (
	maxKeySetBytes = 1 << 20
	maxKeys        = 100
	minRSABits     = 2048
	maxRSABits     = 8192
	minSecret      = 32 // bytes; RFC 7518 section 3.2
)

// key is one key that verifies. All but gone is immutable.
type key struct {
	id        string // kid; may be empty
	algorithm string // the only one that the key is for; "" for any of its family
	family    family
	rsa       *rsa.PublicKey
	ecdsa     *ecdsa.PublicKey
	ed25519   ed25519.PublicKey
	secret    []byte
	identity  [sha256.Size]byte // equal for equal keys

	// gone is set when the issuer publishes the key no longer: what it
	// signed is forgotten.
	gone atomic.Bool
}

// fits reports whether the key may verify tokens with the algorithm name.
func (k *key) fits(name string) bool {
	a, ok := algorithmOf(name)
	if !ok || a.family != k.family {
		return false
	}
	if a.family == familySecret && len(k.secret) < a.hash.Size() {
		return false
	}
	return k.algorithm == "" || k.algorithm == name || isEdDSA(k.algorithm) && isEdDSA(name)
}

// isEdDSA knows the two names of Ed25519 (RFC 8037, RFC 9864).
func isEdDSA(name string) bool { return name == "EdDSA" || name == "Ed25519" }

// keySet is the usable keys of one JWKS. It is immutable.
type keySet struct {
	keys    []*key
	skipped []string // why each other key for signatures is not used
	others  []string // which keys are for something else
}

// find returns the keys that kid names; those without a name where none has
// that one, and all where the token names none. Of keys with one name, which
// RFC 7517 section 4.5 allows for alternatives of different types, the
// algorithm chooses.
func (s *keySet) find(kid string, out []*key) []*key {
	for _, k := range s.keys {
		if kid == "" || k.id == kid {
			out = append(out, k)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, k := range s.keys {
		if k.id == "" {
			out = append(out, k)
		}
	}
	return out
}

// names reports whether a key has the name.
func (s *keySet) names(kid string) bool {
	return kid != "" && slices.ContainsFunc(s.keys, func(k *key) bool { return k.id == kid })
}

// adopt takes over the keys of before that are in s too, and marks those gone
// that are not.
func (s *keySet) adopt(before *keySet) {
	if before == nil {
		return
	}
	for _, old := range before.keys {
		kept := false
		for i, k := range s.keys {
			if k.identity == old.identity {
				s.keys[i], kept = old, true
			}
		}
		if !kept {
			old.gone.Store(true)
		}
	}
}

// dropSecrets leaves out symmetric keys: what is published is no secret.
func (s *keySet) dropSecrets() error {
	s.keys = slices.DeleteFunc(s.keys, func(k *key) bool { return k.family == familySecret })
	if len(s.keys) == 0 {
		return errors.New("the JWKS has secret keys alone, which nobody may publish")
	}
	return nil
}

// parseKeySet reads a JWKS. Keys that cannot be used, or are for something else,
// are skipped; a set that is none, or has none that can be used, is an error.
func parseKeySet(data []byte) (*keySet, error) {
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("a JWKS of %d bytes; the most is %d", len(data), maxKeySetBytes)
	}
	doc, err := readObject(data)
	keys, ok := doc["keys"].([]any)
	if err != nil || !ok {
		return nil, errors.New("this is no JWKS: it is not JSON with a list \"keys\"")
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("a JWKS of %d keys; the most is %d", len(keys), maxKeys)
	}
	set := &keySet{}
	for i, v := range keys {
		k, err := parseKey(v)
		if err == nil {
			err = set.add(k)
		}
		var other otherPurpose
		switch {
		case errors.As(err, &other):
			set.others = append(set.others, fmt.Sprintf("key %d: %v", i+1, err))
		case err != nil:
			set.skipped = append(set.skipped, fmt.Sprintf("key %d: %v", i+1, err))
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("the JWKS has no key that can be used" + list(slices.Concat(set.skipped, set.others)))
	}
	return set, nil
}

func list(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return ": " + strings.Join(reasons, "; ")
}

// add refuses a second key with the same name and type: which of them signed a
// token would be a guess.
func (s *keySet) add(k *key) error {
	for _, other := range s.keys {
		if k.id != "" && k.id == other.id && k.family == other.family && (k.algorithm == other.algorithm || k.algorithm == "" || other.algorithm == "") {
			return fmt.Errorf("a second key of the same type with the kid %q", k.id)
		}
	}
	s.keys = append(s.keys, k)
	return nil
}

// otherPurpose is the error for a key that is not for verifying signatures: many
// issuers publish such keys beside the others.
type otherPurpose string

func (e otherPurpose) Error() string { return string(e) }

// parseKey reads a JSON Web Key (RFC 7517, RFC 7518 section 6).
func parseKey(v any) (*key, error) {
	j, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	use, _ := text(j, "use")
	if j["use"] != nil && use != "sig" {
		return nil, otherPurpose("it is not for signatures (use)")
	}
	if !mayVerify(j) {
		return nil, otherPurpose("it is not for verifying (key_ops)")
	}
	id, ok1 := text(j, "kid")
	algorithm, ok2 := text(j, "alg")
	if !ok1 || !ok2 {
		return nil, errors.New("its kid or alg is not text")
	}
	k := &key{id: id, algorithm: algorithm}
	if err := k.read(j); err != nil {
		return nil, err
	}
	if k.algorithm != "" && !k.fits(k.algorithm) {
		return nil, fmt.Errorf("its alg %q does not fit its type", k.algorithm)
	}
	k.identity = identity(j)
	return k, nil
}

func mayVerify(j map[string]any) bool {
	ops, present := j["key_ops"]
	list, _ := ops.([]any)
	return !present || slices.Contains(list, any("verify"))
}

// identity hashes what makes the key: its name, its algorithm and its numbers.
func identity(j map[string]any) [sha256.Size]byte {
	var b []byte
	for _, name := range []string{"kty", "kid", "alg", "crv", "x", "y", "n", "e", "k"} {
		part, _ := text(j, name)
		b = fmt.Appendf(b, "%d:%s", len(part), part)
	}
	return sha256.Sum256(b)
}

func (k *key) read(j map[string]any) error {
	switch j["kty"] {
	case "RSA":
		return k.readRSA(j)
	case "EC":
		return k.readEC(j)
	case "OKP":
		return k.readEd25519(j)
	case "oct":
		return k.readSecret(j)
	}
	return fmt.Errorf("its type (kty) %q is not known", j["kty"])
}

func (k *key) readRSA(j map[string]any) error {
	n, err := number(j, "n")
	if err != nil {
		return err
	}
	e, err := number(j, "e")
	if err != nil {
		return err
	}
	if bits := n.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("an RSA key of %d bits; it must have %d to %d", bits, minRSABits, maxRSABits)
	}
	if n.Bit(0) == 0 || e.Bit(0) == 0 || e.BitLen() > 31 || e.Int64() < 3 {
		return errors.New("its RSA numbers are not those of a key")
	}
	k.family, k.rsa = familyRSA, &rsa.PublicKey{N: n, E: int(e.Int64())}
	return nil
}

func (k *key) readEC(j map[string]any) error {
	var curve elliptic.Curve
	switch j["crv"] {
	case "P-256":
		k.family, curve = familyP256, elliptic.P256()
	case "P-384":
		k.family, curve = familyP384, elliptic.P384()
	case "P-521":
		k.family, curve = familyP521, elliptic.P521()
	default:
		return fmt.Errorf("its curve (crv) %q is not known", j["crv"])
	}
	x, errX := octets(j, "x")
	y, errY := octets(j, "y")
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return errors.New("its point has not the length of its curve")
	}
	point := append([]byte{4}, x...)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, append(point, y...))
	if err != nil {
		return errors.New("its point is not on its curve")
	}
	k.ecdsa = public
	return nil
}

func (k *key) readEd25519(j map[string]any) error {
	x, err := octets(j, "x")
	if j["crv"] != "Ed25519" || err != nil || len(x) != ed25519.PublicKeySize {
		return errors.New("of the type OKP only Ed25519 is known")
	}
	k.family, k.ed25519 = familyEd25519, ed25519.PublicKey(x)
	return nil
}

func (k *key) readSecret(j map[string]any) error {
	secret, err := octets(j, "k")
	if err != nil {
		return err
	}
	if len(secret) < minSecret {
		return fmt.Errorf("a secret of %d bytes; it must have at least %d", len(secret), minSecret)
	}
	k.family, k.secret = familySecret, secret
	return nil
}

// octets decodes a member in base64url. Padding, which RFC 7515 section 2
// forbids and some issuers write, is taken off.
func octets(j map[string]any, name string) ([]byte, error) {
	s, _ := text(j, name)
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("its %q is missing or is not base64url", name)
	}
	return b, nil
}

func number(j map[string]any, name string) (*big.Int, error) {
	b, err := octets(j, name)
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetBytes(b), nil
}
