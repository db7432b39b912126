package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// What is signed here, go-jose verifies.
func TestSign(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	big, _ := rsa.GenerateKey(rand.Reader, 2048)
	for _, tc := range []struct {
		private, public any
		algorithm       jose.SignatureAlgorithm
	}{{p256, p256.Public(), jose.ES256}, {edwards, edwards.Public(), jose.EdDSA}, {big, big.Public(), jose.RS256}, {p384, nil, ""}} {
		der, err := x509.MarshalPKCS8PrivateKey(tc.private)
		if err != nil {
			t.Fatal(err)
		}
		k, err := ParsePEM(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "k1")
		if tc.public == nil {
			if err == nil {
				t.Errorf("%T is taken", tc.private)
			}
			continue
		}
		token, err := k.Sign("JWT", map[string]any{"sub": "ann"})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{tc.algorithm})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := parsed.Verify(tc.public)
		if err != nil || string(payload) != `{"sub":"ann"}` || parsed.Signatures[0].Header.KeyID != "k1" {
			t.Errorf("%v: %s %v", tc.algorithm, payload, err)
		}
	}
	for _, bad := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := ParsePEM([]byte(bad), ""); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
