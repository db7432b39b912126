package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/auth/scheme"
	"gatehouse/config"
	"gatehouse/exchange"
)

const (
	testIssuer   = "https://login.shop.test"
	testAudience = "shop"
)

// signerKey is a key of the tests' issuer.
type signerKey struct {
	id, algorithm string
	private       any
}

// testKeys are one key of each type, made once: RSA keys are slow to make.
var testKeys = sync.OnceValue(func() map[string]signerKey {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	keys := map[string]signerKey{}
	add := func(id, algorithm string, private any) { keys[id] = signerKey{id, algorithm, private} }
	add("rsa", "RS256", rsaKey)
	add("rsa-pss", "PS256", rsaKey)
	for id, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		add(id, map[string]string{"p256": "ES256", "p384": "ES384", "p521": "ES512"}[id], k)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	add("ed", "EdDSA", ed)
	add("secret", "HS256", []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))
	return keys
})

// another returns a key like the named one, of another issuer.
func another(id string) signerKey {
	k := testKeys()[id]
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	k.private = private
	return k
}

// jwks returns the JWKS of keys, public where they have a public half.
func jwks(keys ...signerKey) []byte {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		j := jose.JSONWebKey{Key: k.private, KeyID: k.id, Algorithm: k.algorithm, Use: "sig"}
		if _, secret := k.private.([]byte); !secret {
			j = j.Public()
		}
		set.Keys = append(set.Keys, j)
	}
	data, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return data
}

type claims map[string]any

// good are the claims of a token that passes, changed by c; nil removes one.
func good(c claims) claims {
	out := claims{"iss": testIssuer, "aud": testAudience, "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for name, v := range c {
		out[name] = v
		if v == nil {
			delete(out, name)
		}
	}
	return out
}

// sign makes a token with a key, by go-jose; header adds members.
func sign(k signerKey, c any, header map[jose.HeaderKey]any) string {
	payload, ok := c.([]byte)
	if !ok {
		var err error
		if payload, err = json.Marshal(c); err != nil {
			panic(err)
		}
	}
	options := &jose.SignerOptions{ExtraHeaders: header}
	if _, secret := k.private.([]byte); secret && k.id != "" { // go-jose tells the kid of public keys alone
		options = options.WithHeader("kid", k.id)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.algorithm), Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, options)
	if err != nil {
		panic(err)
	}
	object, err := s.Sign(payload)
	if err != nil {
		panic(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// raw makes a token of any header and payload, with a signature of ES256.
func raw(k signerKey, header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ecSign(k.private.(*ecdsa.PrivateKey), signed))
}

func ecSign(k *ecdsa.PrivateKey, signed string) []byte {
	a, _ := algorithmOf("ES256")
	r, s, err := ecdsa.Sign(rand.Reader, k, a.digest(signed))
	if err != nil {
		panic(err)
	}
	var out [64]byte
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out[:]
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// testConfig is a configuration with a file of keys.
func testConfig(keys ...signerKey) *Config {
	return &Config{
		Issuer: testIssuer, Audience: []string{testAudience}, Expiry: "required",
		JWKS:   Source{Kind: FileSource, File: config.File{Path: "jwks.json", Content: jwks(keys...)}},
		Leeway: config.Duration(30 * time.Second), From: []From{{Place: "header", Name: "Authorization"}},
	}
}

func remoteConfig(url string) *Config {
	c := testConfig()
	c.JWKS = Source{Kind: URLSource, URL: url}
	return c
}

var errNoFetch = errors.New("no fetch in this test")

// by returns a fetch for whatever roots.
func by(fetch Fetch) func(*x509.CertPool) Fetch {
	return func(*x509.CertPool) Fetch { return fetch }
}

func testKeeper(t testing.TB, fetch Fetch) *Keeper {
	if fetch == nil {
		fetch = func(context.Context, string) ([]byte, http.Header, error) { return nil, nil, errNoFetch }
	}
	k := NewKeeper(Options{Fetch: by(fetch), Log: slog.New(slog.DiscardHandler), Development: func() ([]byte, error) { return jwks(testKeys()["p256"]), nil }})
	t.Cleanup(k.Close)
	return k
}

// lease commits a lease with one verifier.
func lease(t testing.TB, k *Keeper, c *Config) *Verifier {
	t.Helper()
	l := k.Begin()
	v, err := l.Verifier(c)
	if err != nil {
		t.Fatal(err)
	}
	l.Commit()
	return v
}

func newTestVerifier(t testing.TB, c *Config) *Verifier { return lease(t, testKeeper(t, nil), c) }

// request is one with a token in Authorization.
func request(token string) *http.Request {
	r := httptest.NewRequest("GET", "https://api.shop.test/orders", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// judge has a verifier judge a request, as at the time of its exchange.
func judge(v *Verifier, r *http.Request) scheme.Verdict {
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	if err := x.Path.Parse(r.URL.RequestURI()); err != nil {
		panic(err)
	}
	return v.Authenticate(x, r)
}

// reason returns "good", the reason of a bad verdict, or "none".
func reason(v scheme.Verdict) string {
	switch {
	case v.Principal != nil:
		return "good"
	case v.Found:
		return v.Reason
	}
	return "none"
}

func expect(t *testing.T, v *Verifier, token, want string) scheme.Verdict {
	t.Helper()
	verdict := judge(v, request(token))
	if got := reason(verdict); got != want {
		t.Errorf("got %s (%s), want %s", got, verdict.Detail, want)
	}
	return verdict
}
