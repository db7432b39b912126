package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// The one issuer and audience of the secured cases.
const (
	issuer   = "https://login.bench.test"
	audience = "bench"
	keyID    = "bench"
)

// keyring holds what one run signs with: made anew, never kept.
type keyring struct {
	dir    string
	pool   *x509.CertPool
	key    *ecdsa.PrivateKey // of the certificate and of ES256 tokens
	secret string

	publicDER string // of key, in base64
}

func newKeyring(dir string) (*keyring, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 32)
	rand.Read(random)
	k := &keyring{dir: dir, key: key, secret: hex.EncodeToString(random), pool: x509.NewCertPool()}
	if err := k.writeCertificate(); err != nil {
		return nil, err
	}
	return k, k.writeTokenKeys()
}

func (k *keyring) file(name string) string { return filepath.Join(k.dir, name) }

func (k *keyring) writeCertificate() error {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.key.Public(), k.key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	k.pool.AddCert(cert)
	private, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return k.write(map[string][]byte{"cert.pem": certPEM, "key.pem": keyPEM, "both.pem": append(certPEM, keyPEM...)})
}

// writeTokenKeys writes the keys that verify tokens, in the forms that the
// proxies read.
func (k *keyring) writeTokenKeys() error {
	public, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		return err
	}
	k.publicDER = base64.StdEncoding.EncodeToString(public)
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	return k.write(map[string][]byte{
		"public.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		"jwks.json": keySet(map[string]string{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": keyID, "use": "sig",
			"x": base64url(point[1:33]), "y": base64url(point[33:65]),
		}),
	})
}

func (k *keyring) write(files map[string][]byte) error {
	for name, data := range files {
		if err := os.WriteFile(k.file(name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func keySet(key map[string]string) []byte {
	data, _ := json.Marshal(map[string]any{"keys": []any{key}})
	return data
}

// token signs a token that is good for an hour.
func (k *keyring) token(algorithm, subject string) (string, error) {
	header, _ := json.Marshal(map[string]string{"alg": algorithm, "typ": "JWT", "kid": keyID})
	now := time.Now()
	claims, _ := json.Marshal(map[string]any{
		"iss": issuer, "aud": audience, "sub": subject, "scope": "orders.read orders.write",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	signed := base64url(header) + "." + base64url(claims)
	signature, err := k.sign(algorithm, signed)
	if err != nil {
		return "", err
	}
	return signed + "." + base64url(signature), nil
}

func (k *keyring) sign(algorithm, text string) ([]byte, error) {
	switch algorithm {
	case "HS256":
		mac := hmac.New(sha256.New, []byte(k.secret))
		mac.Write([]byte(text))
		return mac.Sum(nil), nil
	case "ES256":
		digest := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, k.key, digest[:])
		if err != nil {
			return nil, err
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	}
	return nil, fmt.Errorf("no algorithm %q", algorithm)
}

// tokenCount is how many tokens, each of a subject of its own, are in rotation.
const tokenCount = 1000

// tokens signs the tokens of a secured case.
func (k *keyring) tokens(c scenario) ([]string, error) {
	if !c.secured() {
		return nil, nil
	}
	var out []string
	for i := range tokenCount {
		token, err := k.token(c.algorithm, fmt.Sprintf("customer-%04d", i))
		if err != nil {
			return nil, err
		}
		out = append(out, token)
	}
	return out, nil
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
