package jwt

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

type document struct {
	config.At
	JWT *Config `yaml:"jwt"`
}

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("jwks.json", jwks(testKeys()["p256"], testKeys()["rsa"]))
	write("oct.json", jwks(testKeys()["secret"]))
	write("twice.json", []byte(`{"keys":[`+member("p256", nil)+`,`+member("p256", nil)+`]}`))
	write("mixed.json", jwks(testKeys()["p256"], testKeys()["secret"]))
	write("curve.json", []byte(`{"keys":[`+member("p256", nil)+`,`+member("p384", claims{"crv": "P-999"})+`]}`))
	write("encryption.json", []byte(`{"keys":[`+member("rsa", claims{"use": "enc", "alg": "RSA-OAEP"})+`]}`))
	write("published.json", []byte(`{"keys":[`+member("rsa", claims{"use": "enc", "alg": "RSA-OAEP"})+`,`+member("p256", nil)+`]}`))
	write("ca.pem", testCA(t))
	write("broken.json", []byte(`{"keys":[`))
	write("long.secret", []byte(strings.Repeat("s", 32)))
	write("short.secret", []byte("short"))
	write("c.yaml", []byte(text))
	var d document
	_, err := config.Load(filepath.Join(folder, "c.yaml"), &d, config.Options{})
	return d.JWT, err
}

// testCA returns the certificate of an authority.
func testCA(t *testing.T) []byte {
	t.Helper()
	key := testKeys()["p256"].private.(*ecdsa.PrivateKey)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestConfig(t *testing.T) {
	c, err := load(t, "jwt: {issuer: https://i.test, audience: shop, jwks: jwks.json}")
	if err != nil {
		t.Fatal(err)
	}
	if c.Leeway.D() != 30*time.Second || len(c.Audience) != 1 || c.Expiry != "required" || len(c.From) != 1 || c.From[0] != (From{Place: "header", Name: "Authorization"}) || c.JWKS.Kind != FileSource {
		t.Errorf("defaults: %+v", c)
	}
	for _, text := range []string{
		"{issuer: i, audience: [a, b], jwks: https://login.test/jwks.json, leeway: 5m, from: [header.authorization, cookie.session, query.token], login: https://login.test/?app=shop}",
		"{issuer: i, audience: a, jwks: http://127.0.0.1:8080/jwks.json, algorithms: RS256, login: /login}",
		"{issuer: i, audience: a, jwks: development, origins: https://www.shop.test, expiry: optional}",
		"{issuer: i, audience: a, secret: \"${file:long.secret}\"}",
		"{issuer: i, audience: a, jwks: oct.json, algorithms: [HS256, HS512]}",
		"{issuer: i, audience: a, jwks: jwks.json, algorithms: ES256}",
		"{issuer: i, audience: a, jwks: published.json}",
		"{issuer: i, audience: a, jwks: https://login.test/j, ca: ca.pem}",
	} {
		c, err := load(t, "jwt: "+text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		l := testKeeper(t, nil).Begin()
		if _, err := l.Verifier(c); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		l.Abort()
	}
}

func TestConfigErrors(t *testing.T) {
	const base = "issuer: i, audience: a, "
	for _, tc := range []struct{ text, want string }{
		{"{issuer: i, jwks: jwks.json}", `"audience" is missing`},
		{"{audience: a, jwks: jwks.json}", `"issuer" is missing`},
		{"{issuer: i, audience: [], jwks: jwks.json}", "an audience must be named"},
		{"{issuer: 'a|b', audience: a, jwks: jwks.json}", "parts issuer and subject"},
		{"{" + base + "}", "the keys are missing"},
		{"{" + base + "jwks: jwks.json, secret: '${file:long.secret}'}", "exclude each other"},
		{"{" + base + "jwks: missing.json}", "missing.json"},
		{"{" + base + "jwks: broken.json}", "no JWKS"},
		{"{" + base + "jwks: twice.json}", "a second key of the same type"},
		{"{" + base + "jwks: oct.json}", "a secret key wants algorithms: [HS256]"},
		{"{" + base + "jwks: jwks.json, algorithms: [ES384]}", "no key fits the algorithms"},
		{"{" + base + "jwks: mixed.json}", "a secret key wants algorithms: [HS256]"},
		{"{" + base + "jwks: curve.json}", "key 2: its curve"},
		{"{" + base + "jwks: encryption.json}", "key 1: it is not for signatures"},
		{"{" + base + "jwks: http://login.test/jwks.json}", "come over https"},
		{"{" + base + "jwks: ftp://login.test/jwks.json}", "come over https"},
		{"{" + base + "jwks: https://}", "no URL"},
		{"{" + base + "jwks: 'https://user:pass@login.test/'}", "no URL"},
		{"{" + base + "jwks: [jwks.json]}", "one value"},
		{"{" + base + "jwks: https://login.test/j, algorithms: [HS256]}", "HS256 verifies with a secret"},
		{"{" + base + "jwks: development, algorithms: [HS256]}", "HS256 verifies with a secret"},
		{"{" + base + "jwks: jwks.json, algorithms: [none]}", "got none"},
		{"{" + base + "jwks: jwks.json, algorithms: [rs256]}", "did you mean"},
		{"{" + base + "secret: '${file:short.secret}'}", "at least 32 bytes"},
		{"{" + base + "secret: '${file:long.secret}', algorithms: [HS512]}", "at least 64 bytes"},
		{"{" + base + "secret: '${file:long.secret}', algorithms: [RS256]}", "not with a secret"},
		{"{" + base + "jwks: jwks.json, leeway: 6m}", "wanted"},
		{"{" + base + "jwks: jwks.json, expiry: never}", "wanted"},
		{"{" + base + "jwks: jwks.json, from: []}", "at least one place"},
		{"{" + base + "jwks: jwks.json, from: body.token}", "no place for a token"},
		{"{" + base + "jwks: jwks.json, from: [header]}", "no place for a token"},
		{"{" + base + "jwks: jwks.json, from: ['cookie.a b']}", "no place for a token"},
		{"{" + base + "jwks: jwks.json, login: javascript:alert(1)}", "no address to log in"},
		{"{" + base + "jwks: jwks.json, login: //evil.test/}", "no address to log in"},
		{"{" + base + "jwks: jwks.json, login: login}", "no address to log in"},
		{"{" + base + "jwks: jwks.json, origins: www.shop.test}", "no origin"},
		{"{" + base + "jwks: jwks.json, origins: https://www.shop.test/}", "no origin"},
		{"{" + base + "jwks: jwks.json, ca: ca.pem}", "ca is for keys that come over https"},
		{"{" + base + "jwks: http://localhost/j, ca: ca.pem}", "ca is for keys that come over https"},
		{"{" + base + "jwks: https://login.test/j, ca: jwks.json}", "no certificate in PEM"},
		{"{" + base + "jwk: jwks.json}", "did you mean"},
	} {
		_, err := load(t, "jwt: "+tc.text)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "ssss") {
			t.Errorf("%s: the error tells the secret", tc.text)
		}
	}
}

// Configurations that differ in what matters are told apart.
func TestDigest(t *testing.T) {
	base := func() *Config { return testConfig() }
	changes := []func(*Config){
		func(c *Config) {},
		func(c *Config) { c.Issuer += "x" },
		func(c *Config) { c.Audience = []string{"shop", "bank"} },
		func(c *Config) { c.Audience = []string{"shopbank"} },
		func(c *Config) { c.Algorithms = []string{"ES256"} },
		func(c *Config) { c.Leeway++ },
		func(c *Config) { c.Expiry = "optional" },
		func(c *Config) { c.From = append(c.From, From{Place: "cookie", Name: "a"}) },
		func(c *Config) { c.Login = "/login" },
		func(c *Config) { c.Origins = []Origin{"https://a.test"} },
	}
	seen := make(map[[32]byte]int)
	for i, change := range changes {
		c := base()
		change(c)
		d := c.digest("keys")
		if other, twice := seen[d]; twice || d == c.digest("other keys") {
			t.Errorf("changes %d and %d have the same digest", i, other)
		}
		seen[d] = i
		c.Pos.Line++ // where it stands does not matter
		if c.digest("keys") != d {
			t.Errorf("change %d: the place matters", i)
		}
	}
}
