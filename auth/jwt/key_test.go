package jwt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// member returns the JWK of a test key with members changed; nil removes one.
func member(id string, change claims) string {
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(jwks(testKeys()[id]), &set); err != nil {
		panic(err)
	}
	j := set.Keys[0]
	maps.Copy(j, change)
	for name, v := range change {
		if v == nil {
			delete(j, name)
		}
	}
	data, _ := json.Marshal(j)
	return string(data)
}

func TestKeys(t *testing.T) {
	short := b64(strings.Repeat("\xff", 128))
	for _, tc := range []struct{ name, key, want string }{
		{"RSA", member("rsa", nil), ""},
		{"no use and no alg", member("rsa", claims{"use": nil, "alg": nil}), ""},
		{"padding", member("p256", claims{"kid": "x", "x": paddedX("p256")}), ""},
		{"unknown members", member("p256", claims{"x5t": "abc", "foo": claims{"a": 1}}), ""},
		{"for verifying", member("p256", claims{"use": nil, "key_ops": []string{"verify"}}), ""},
		{"for signing alone", member("p256", claims{"key_ops": []string{"sign"}}), "not for verifying"},
		{"for nothing", member("p256", claims{"key_ops": []string{}}), "not for verifying"},
		{"key_ops that is text", member("p256", claims{"key_ops": "verify"}), "not for verifying"},
		{"for encryption", member("p256", claims{"use": "enc"}), "not for signatures"},
		{"use that is a list", member("p256", claims{"use": []string{"sig"}}), "not for signatures"},
		{"no type", member("p256", claims{"kty": nil}), "not known"},
		{"type in other case", member("p256", claims{"kty": "ec"}), "not known"},
		{"kid that is a number", member("p256", claims{"kid": 1}), "not text"},
		{"alg of another type", member("p256", claims{"alg": "RS256"}), "does not fit"},
		{"alg of another curve", member("p256", claims{"alg": "ES384"}), "does not fit"},
		{"alg for encryption", member("rsa", claims{"alg": "RSA-OAEP"}), "does not fit"},
		{"alg none", member("p256", claims{"alg": "none"}), "does not fit"},
		{"HMAC with a public key", member("rsa", claims{"alg": "HS256"}), "does not fit"},
		{"short RSA", member("rsa", claims{"n": short}), "1024 bits"},
		{"huge RSA", member("rsa", claims{"n": b64(strings.Repeat("\xff", 1025))}), "8200 bits"},
		{"even RSA modulus", member("rsa", claims{"n": b64(strings.Repeat("\xfe", 256))}), "RSA numbers"},
		{"RSA exponent 1", member("rsa", claims{"e": b64("\x01")}), "RSA numbers"},
		{"RSA exponent 2", member("rsa", claims{"e": b64("\x02")}), "RSA numbers"},
		{"RSA exponent huge", member("rsa", claims{"e": b64(strings.Repeat("\xff", 9))}), "RSA numbers"},
		{"RSA exponent zero", member("rsa", claims{"e": b64("\x00")}), "RSA numbers"},
		{"no modulus", member("rsa", claims{"n": nil}), `"n" is missing`},
		{"no exponent", member("rsa", claims{"e": nil}), `"e" is missing`},
		{"modulus that is a number", member("rsa", claims{"n": 17}), `"n" is missing`},
		{"point off the curve", member("p256", claims{"y": b64(strings.Repeat("\x01", 32))}), "not on its curve"},
		{"point at zero", member("p256", claims{"x": b64(strings.Repeat("\x00", 32)), "y": b64(strings.Repeat("\x00", 32))}), "not on its curve"},
		{"point too short", member("p256", claims{"x": b64("\x01")}), "length of its curve"},
		{"another curve's point", member("p256", claims{"crv": "P-384"}), "length of its curve"},
		{"secp256k1", member("p256", claims{"crv": "secp256k1"}), "not known"},
		{"Ed25519 too short", member("ed", claims{"x": b64("abc")}), "only Ed25519"},
		{"X25519", member("ed", claims{"crv": "X25519"}), "only Ed25519"},
		{"short secret", member("secret", claims{"k": b64("too short")}), "9 bytes"},
		{"secret too short for HS512", member("secret", claims{"k": b64(strings.Repeat("x", 32)), "alg": "HS512"}), "does not fit"},
		{"not base64", member("p256", claims{"x": "!!"}), "length of its curve"},
	} {
		set, err := parseKeySet([]byte(`{"keys":[` + tc.key + `]}`))
		switch {
		case tc.want == "" && (err != nil || len(set.keys) != 1 || len(set.skipped) != 0):
			t.Errorf("%s: %v", tc.name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.want)
		}
	}
}

func paddedX(id string) string {
	var set struct{ Keys []struct{ X string } }
	_ = json.Unmarshal(jwks(testKeys()[id]), &set)
	return set.Keys[0].X + "="
}

// One bad key does not take the others with it.
func TestBadKeysAreSkipped(t *testing.T) {
	set, err := parseKeySet([]byte(`{"keys":[` + member("p256", claims{"use": "enc"}) + `, 7, ` + member("ed", nil) + `, ` + member("p384", claims{"crv": "P-999"}) + `]}`))
	if err != nil || len(set.keys) != 1 || set.keys[0].id != "ed" || len(set.others) != 1 || !strings.HasPrefix(set.others[0], "key 1: ") || len(set.skipped) != 2 || !strings.HasPrefix(set.skipped[1], "key 4: ") {
		t.Errorf("%v %+v", err, set)
	}
}

func TestDuplicateKids(t *testing.T) {
	for _, tc := range []struct {
		name string
		keys []string
		want string // the kids and algorithms of those used
	}{
		{"two of one type: the first", []string{member("p256", claims{"kid": "a"}), member("p256", claims{"kid": "a", "x": paddedX("p256")})}, "a ES256,"},
		{"of two types", []string{member("p256", claims{"kid": "a"}), member("rsa", claims{"kid": "a"})}, "a ES256,a RS256,"},
		{"of one type for two algorithms", []string{member("rsa", claims{"kid": "a"}), member("rsa-pss", claims{"kid": "a"})}, "a RS256,a PS256,"},
		{"of one type, one for any algorithm", []string{member("rsa", claims{"kid": "a"}), member("rsa", claims{"kid": "a", "alg": nil})}, "a RS256,"},
		{"without names", []string{member("p256", claims{"kid": nil}), member("p256", claims{"kid": nil})}, " ES256, ES256,"},
	} {
		set, err := parseKeySet([]byte(`{"keys":[` + strings.Join(tc.keys, ",") + `]}`))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		got := ""
		for _, k := range set.keys {
			got += k.id + " " + k.algorithm + ","
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	// Alternatives of two types under one name: the algorithm chooses.
	ec, rsa := testKeys()["p256"], testKeys()["rsa"]
	ec.id, rsa.id = "a", "a"
	v := newTestVerifier(t, testConfig(ec, rsa))
	expect(t, v, sign(ec, good(nil), nil), "good")
	expect(t, v, sign(rsa, good(nil), nil), "good")
}

// Keys without a name verify tokens that name one, where no key has that name.
func TestKeysWithoutNames(t *testing.T) {
	unnamed := testKeys()["p256"]
	unnamed.id = ""
	v := newTestVerifier(t, testConfig(unnamed, testKeys()["ed"]))
	expect(t, v, issue("p256"), "good")
	expect(t, v, sign(unnamed, good(nil), nil), "good")
	expect(t, v, issue("ed"), "good")
	expect(t, v, issue("rsa"), "algorithm")
	expect(t, v, sign(another("p256"), good(nil), nil), "bad-signature")
}

// A token without a kid is tried on few keys only.
func TestTokensWithoutKid(t *testing.T) {
	var keys []signerKey
	for i := range 8 {
		k := another("p256")
		k.id = fmt.Sprint(i)
		keys = append(keys, k)
	}
	v := newTestVerifier(t, testConfig(keys...))
	for i, k := range keys {
		k.id = ""
		want := "good"
		if i >= maxCandidates {
			want = "bad-signature"
		}
		expect(t, v, sign(k, good(nil), nil), want)
	}
}

// Whatever comes is read without a panic, and no public key is used that
// go-jose does not take.
func FuzzKeySet(f *testing.F) {
	for id := range testKeys() {
		f.Add([]byte(`{"keys":[` + member(id, nil) + `]}`))
	}
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := parseKeySet(data)
		if err != nil {
			return
		}
		var theirs jose.JSONWebKeySet
		if err := json.Unmarshal(data, &theirs); err != nil {
			return // it refuses a set for one key
		}
		valid := 0
		for _, k := range theirs.Keys {
			if k.Valid() {
				valid++
			}
		}
		used := slices.DeleteFunc(set.keys, func(k *key) bool { return k.family == familySecret })
		if len(used) > valid {
			t.Errorf("%d public keys are used, go-jose takes %d of\n%s", len(used), valid, data)
		}
	})
}
