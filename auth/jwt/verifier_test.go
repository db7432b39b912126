package jwt

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/config"
)

type extra = map[jose.HeaderKey]any

func TestEveryAlgorithm(t *testing.T) {
	keys := testKeys()
	for id, algorithms := range map[string][]string{
		"rsa": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, "p256": {"ES256"}, "p384": {"ES384"}, "p521": {"ES512"}, "ed": {"EdDSA"}, "secret": {"HS256", "HS384", "HS512"},
	} {
		for _, algorithm := range algorithms {
			k := keys[id]
			k.algorithm = algorithm
			c := testConfig(k)
			if id == "secret" {
				c.Algorithms = []string{"HS256", "HS384", "HS512"}
			}
			v := newTestVerifier(t, c)
			token := sign(k, good(nil), nil)
			t.Log(algorithm)
			for range 2 { // verified, then remembered
				p := expect(t, v, token, "good").Principal
				if p == nil || p.ID != "jwt:https://login.shop.test|ann" || p.Subject != "ann" || p.Claims["aud"] != testAudience {
					t.Errorf("%s: %+v", algorithm, p)
				}
			}
			for name, broken := range breakSignature(token) {
				if got := reason(judge(v, request(broken))); got != "bad-signature" && got != "malformed" {
					t.Errorf("%s with a signature %s: %s", algorithm, name, got)
				}
			}
		}
	}
}

// breakSignature returns a token with its signature changed in several ways.
func breakSignature(token string) map[string]string {
	dot := strings.LastIndexByte(token, '.') + 1
	signature, _ := base64.RawURLEncoding.DecodeString(token[dot:])
	with := func(b []byte) string { return token[:dot] + base64.RawURLEncoding.EncodeToString(b) }
	flipped := append([]byte(nil), signature...)
	flipped[len(flipped)/2] ^= 1
	return map[string]string{
		"flipped": with(flipped), "cut": with(signature[:len(signature)-1]), "longer": with(append(signature, 0)),
		"empty": token[:dot], "zero": with(make([]byte, len(signature))), "one zero": with([]byte{0}),
	}
}

// What attackers send, and what must not become a caller.
func TestAttacks(t *testing.T) {
	keys := testKeys()
	rsaKey, p256 := keys["rsa"], keys["p256"]
	public := rsaKey.private.(*rsa.PrivateKey).Public().(*rsa.PublicKey)
	der, _ := x509.MarshalPKIXPublicKey(public)
	spki := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	mallory := another("p256")
	malloryKey := jose.JSONWebKey{Key: mallory.private, KeyID: "p256", Algorithm: "ES256"}
	hmacWith := func(secret []byte, kid string) string {
		return sign(signerKey{kid, "HS256", secret}, good(nil), nil)
	}
	payload := func(c claims) string { b, _ := json.Marshal(good(c)); return string(b) }
	valid := sign(p256, good(nil), nil)
	parts := strings.Split(valid, ".")
	v := newTestVerifier(t, testConfig(rsaKey, p256))
	for _, tc := range []struct{ name, token, want string }{
		{"a good one", valid, "good"},
		{"none", b64(`{"alg":"none"}`) + "." + b64(payload(nil)) + ".", "malformed"},
		{"none with a signature", raw(p256, `{"alg":"none","kid":"p256"}`, payload(nil)), "algorithm"},
		{"None", raw(p256, `{"alg":"None","kid":"p256"}`, payload(nil)), "algorithm"},
		{"nOnE and no kid", raw(p256, `{"alg":"nOnE"}`, payload(nil)), "algorithm"},
		{"no algorithm", raw(p256, `{"kid":"p256"}`, payload(nil)), "algorithm"},
		{"null algorithm", raw(p256, `{"alg":null,"kid":"p256"}`, payload(nil)), "malformed"},
		{"a list of algorithms", raw(p256, `{"alg":["ES256"],"kid":"p256"}`, payload(nil)), "malformed"},
		{"lower case algorithm", raw(p256, `{"alg":"es256","kid":"p256"}`, payload(nil)), "algorithm"},
		{"HS256 with the RSA key as PEM", hmacWith(spki, "rsa"), "algorithm"},
		{"HS256 with the RSA key as DER", hmacWith(der, "rsa"), "algorithm"},
		{"HS256 with the JWK's modulus", hmacWith(public.N.Bytes(), "rsa"), "algorithm"},
		{"HS256 with an empty secret", sign(signerKey{"rsa", "HS256", make([]byte, 32)}, good(nil), nil), "algorithm"},
		{"ES256 header with the RSA key's kid", raw(p256, `{"alg":"ES256","kid":"rsa"}`, payload(nil)), "algorithm"},
		{"RS256 header with the EC key's kid", raw(p256, `{"alg":"RS256","kid":"p256"}`, payload(nil)), "algorithm"},
		{"another algorithm of the key's family", sign(signerKey{"rsa", "RS512", rsaKey.private}, good(nil), nil), "algorithm"},
		{"PSS where the key says PKCS1", sign(signerKey{"rsa", "PS256", rsaKey.private}, good(nil), nil), "algorithm"},
		{"somebody else's key", sign(mallory, good(nil), nil), "bad-signature"},
		{"somebody else's key in jwk", sign(mallory, good(nil), extra{"jwk": malloryKey.Public()}), "bad-signature"},
		{"somebody else's keys in jku", sign(mallory, good(nil), extra{"jku": "https://evil.test/jwks.json"}), "bad-signature"},
		{"somebody else's certificate in x5u", sign(mallory, good(nil), extra{"x5u": "https://evil.test/x.pem", "x5c": []string{"AAAA"}}), "bad-signature"},
		{"an unknown kid", sign(signerKey{"p257", "ES256", p256.private}, good(nil), nil), "unknown-key"},
		{"kid with a path", sign(signerKey{"../../dev/null", "ES256", p256.private}, good(nil), nil), "unknown-key"},
		{"kid with SQL", sign(signerKey{"' or '1'='1", "ES256", p256.private}, good(nil), nil), "unknown-key"},
		{"kid that is a number", raw(p256, `{"alg":"ES256","kid":1}`, payload(nil)), "malformed"},
		{"two kids", raw(p256, `{"alg":"ES256","kid":"p256","kid":"rsa"}`, payload(nil)), "malformed"},
		{"two algorithms", raw(p256, `{"alg":"none","alg":"ES256","kid":"p256"}`, payload(nil)), "malformed"},
		{"two algorithms, one escaped", raw(p256, `{"alg":"ES256","\u0061lg":"none","kid":"p256"}`, payload(nil)), "malformed"},
		{"ALG beside alg", raw(p256, `{"ALG":"none","alg":"ES256","kid":"p256"}`, payload(nil)), "good"},
		{"ALG alone", raw(p256, `{"ALG":"ES256","kid":"p256"}`, payload(nil)), "algorithm"},
		{"crit", raw(p256, `{"alg":"ES256","kid":"p256","crit":["exp"],"exp":1}`, payload(nil)), "malformed"},
		{"empty crit", raw(p256, `{"alg":"ES256","kid":"p256","crit":[]}`, payload(nil)), "malformed"},
		{"b64 false", raw(p256, `{"alg":"ES256","kid":"p256","b64":false}`, payload(nil)), "malformed"},
		{"compressed", raw(p256, `{"alg":"ES256","kid":"p256","zip":"DEF"}`, payload(nil)), "malformed"},
		{"nested", raw(p256, `{"alg":"ES256","kid":"p256","cty":"JWT"}`, payload(nil)), "malformed"},
		{"nested without saying so", raw(p256, `{"alg":"ES256","kid":"p256"}`, valid), "malformed"},
		{"a logout token", raw(p256, `{"alg":"ES256","kid":"p256","typ":"logout+jwt"}`, payload(nil)), "malformed"},
		{"an access token", raw(p256, `{"alg":"ES256","kid":"p256","typ":"at+JWT"}`, payload(nil)), "good"},
		{"an access token by media type", raw(p256, `{"alg":"ES256","kid":"p256","typ":"application/at+jwt"}`, payload(nil)), "good"},
		{"typ that is no text", raw(p256, `{"alg":"ES256","kid":"p256","typ":{}}`, payload(nil)), "malformed"},
		{"encrypted", "a.b.c.d.e", "malformed"},
		{"two parts", parts[0] + "." + parts[1], "malformed"},
		{"four parts", valid + ".", "malformed"},
		{"no signature", parts[0] + "." + parts[1] + ".", "malformed"},
		{"no payload", parts[0] + ".." + parts[2], "malformed"},
		{"no header", "." + parts[1] + "." + parts[2], "malformed"},
		{"empty", ".", "malformed"},
		{"dots", "..", "malformed"},
		{"another's payload", parts[0] + "." + b64(payload(claims{"sub": "root"})) + "." + parts[2], "bad-signature"},
		{"padding", valid + "=", "malformed"},
		{"a line break", parts[0] + "." + parts[1] + "." + parts[2][:8] + "\n" + parts[2][8:], "malformed"},
		{"a space", parts[0] + ". " + parts[1] + "." + parts[2], "malformed"},
		{"standard base64", parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 43), "malformed"},
		{"bits that base64 leaves over", otherLast(valid), "malformed"},
		{"too long", raw(p256, `{"alg":"ES256","kid":"p256","x":"`+strings.Repeat("x", maxToken)+`"}`, payload(nil)), "malformed"},
		{"deep header", raw(p256, `{"alg":"ES256","kid":"p256","x":`+strings.Repeat("[", 4000)+strings.Repeat("]", 4000)+`}`, "{}"), "malformed"},
		{"deep claims", raw(p256, `{"alg":"ES256","kid":"p256"}`, `{"x":`+strings.Repeat(`{"x":`, 1500)+"1"+strings.Repeat("}", 1501)), "malformed"},
		{"deep claims, not closed", raw(p256, `{"alg":"ES256","kid":"p256"}`, strings.Repeat("[", 9000)), "malformed"},
		{"claims that are a list", raw(p256, `{"alg":"ES256","kid":"p256"}`, `[]`), "malformed"},
		{"claims that are null", raw(p256, `{"alg":"ES256","kid":"p256"}`, `null`), "malformed"},
		{"claims and more", raw(p256, `{"alg":"ES256","kid":"p256"}`, payload(nil)+"{}"), "malformed"},
		{"two subjects", raw(p256, `{"alg":"ES256","kid":"p256"}`, strings.Replace(payload(nil), "{", `{"sub":"root",`, 1)), "malformed"},
		{"text that is not UTF-8", raw(p256, `{"alg":"ES256","kid":"p256"}`, strings.Replace(payload(nil), `"ann"`, "\"ann\xff\"", 1)), "malformed"},
		{"a broken surrogate", raw(p256, `{"alg":"ES256","kid":"p256"}`, strings.Replace(payload(nil), `"ann"`, `"ann\ud800"`, 1)), "malformed"},
		{"a header that is null", raw(p256, `null`, payload(nil)), "malformed"},
		{"a header that is text", raw(p256, `"ES256"`, payload(nil)), "malformed"},
		{"an empty header", raw(p256, `{}`, payload(nil)), "algorithm"},
		{"no kid, one key fits", raw(p256, `{"alg":"ES256"}`, payload(nil)), "good"},
		{"empty kid", raw(p256, `{"alg":"ES256","kid":""}`, payload(nil)), "good"},
	} {
		if got := judge(v, request(tc.token)); reason(got) != tc.want {
			t.Errorf("%s: got %s (%s), want %s", tc.name, reason(got), got.Detail, tc.want)
		} else if got.Principal == nil && (got.Status != 0 || got.Detail == "") {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

// otherLast changes the bits of a token's last character that stand for
// nothing: decoders that are not strict read the same signature.
func otherLast(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + alphabet[last|1:][:1]
}

// ECDSA signatures in another encoding, and the ones that verify everything in
// broken implementations.
func TestECDSASignatures(t *testing.T) {
	k := testKeys()["p256"]
	v := newTestVerifier(t, testConfig(k))
	private := k.private.(*ecdsa.PrivateKey)
	n := private.Params().N
	token := sign(k, good(nil), nil)
	dot := strings.LastIndexByte(token, '.') + 1
	signature, _ := base64.RawURLEncoding.DecodeString(token[dot:])
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	pair := func(r, s *big.Int) []byte {
		var out [64]byte
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out[:]
	}
	zero, one := new(big.Int), big.NewInt(1)
	der, _ := ecdsa.SignASN1(nil, private, make([]byte, 32))
	for name, signature := range map[string][]byte{
		"zeros": pair(zero, zero), "n": pair(n, n), "n and s": pair(n, s), "zero r": pair(zero, s), "zero s": pair(r, zero), "ones": pair(one, one), "ASN.1": der,
		"r and s exchanged": pair(s, r), "longer": append([]byte{0}, append(pair(r, s)[:32], append([]byte{0}, pair(r, s)[32:]...)...)...),
	} {
		expect(t, v, token[:dot]+base64.RawURLEncoding.EncodeToString(signature), "bad-signature")
		_ = name
	}
}

func TestAllowedAlgorithms(t *testing.T) {
	keys := testKeys()
	noAlg := keys["rsa"]
	noAlg.algorithm = ""
	c := testConfig(noAlg, keys["p256"])
	c.Algorithms = []string{"PS256", "ES384"}
	v := newTestVerifier(t, c)
	for algorithm, want := range map[string]string{"PS256": "good", "RS256": "algorithm", "PS384": "algorithm"} {
		expect(t, v, sign(signerKey{"rsa", algorithm, noAlg.private}, good(nil), nil), want)
	}
	expect(t, v, sign(keys["p256"], good(nil), nil), "algorithm")
}

// A set with keys of both kinds: the public one still verifies no HMAC, and the
// secret one nothing but.
func TestMixedSet(t *testing.T) {
	keys := testKeys()
	c := testConfig(keys["rsa"], keys["secret"])
	c.Algorithms = []string{"RS256", "HS256"}
	v := newTestVerifier(t, c)
	modulus := keys["rsa"].private.(*rsa.PrivateKey).N.Bytes()
	expect(t, v, sign(keys["secret"], good(nil), nil), "good")
	expect(t, v, sign(keys["rsa"], good(nil), nil), "good")
	expect(t, v, sign(signerKey{"rsa", "HS256", modulus}, good(nil), nil), "algorithm")
	expect(t, v, sign(signerKey{"secret", "RS256", keys["rsa"].private}, good(nil), nil), "algorithm")
	expect(t, v, sign(signerKey{"", "HS256", modulus}, good(nil), nil), "bad-signature")
}

func TestSecret(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	c := testConfig()
	c.JWKS, c.Secret = Source{}, config.NewSecret(string(secret))
	v := newTestVerifier(t, c)
	expect(t, v, sign(signerKey{"", "HS256", secret}, good(nil), nil), "good")
	expect(t, v, sign(signerKey{"any", "HS256", secret}, good(nil), nil), "good")
	expect(t, v, sign(signerKey{"", "HS512", append(secret, secret...)}, good(nil), nil), "algorithm")
	expect(t, v, sign(testKeys()["p256"], good(nil), nil), "algorithm")
	expect(t, v, sign(signerKey{"", "HS256", []byte(strings.Repeat("t", 32))}, good(nil), nil), "bad-signature")
}

func TestClaims(t *testing.T) {
	k := testKeys()["p256"]
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	optional := testConfig(k)
	optional.Expiry = "optional"
	strict := testConfig(k)
	strict.Leeway = 0
	two := testConfig(k)
	two.Audience = []string{"web", "shop"}
	for _, tc := range []struct {
		name   string
		claims claims
		config *Config
		want   string
	}{
		{"expired", claims{"exp": at(-5 * time.Minute)}, nil, "expired"},
		{"expired within the leeway", claims{"exp": at(-20 * time.Second)}, nil, "good"},
		{"expired without a leeway", claims{"exp": at(-20 * time.Second)}, strict, "expired"},
		{"expires now", claims{"exp": now.Unix()}, strict, "expired"},
		{"expires with a fraction", claims{"exp": float64(at(time.Minute)) + 0.5}, nil, "good"},
		{"no expiry", claims{"exp": nil}, nil, "no-expiry"},
		{"no expiry wanted", claims{"exp": nil}, optional, "good"},
		{"expired though none is wanted", claims{"exp": at(-time.Hour)}, optional, "expired"},
		{"expiry as text", claims{"exp": "9999999999"}, nil, "malformed"},
		{"expiry as text, none wanted", claims{"exp": "9999999999"}, optional, "malformed"},
		{"expiry null", claims{"exp": json.RawMessage("null")}, optional, "malformed"},
		{"expiry true", claims{"exp": true}, nil, "malformed"},
		{"expiry in a list", claims{"exp": []int64{at(time.Hour)}}, nil, "malformed"},
		{"expiry in milliseconds", claims{"exp": now.UnixMilli()}, nil, "malformed"},
		{"expiry huge", claims{"exp": json.RawMessage("1e300")}, nil, "malformed"},
		{"expiry huger", claims{"exp": json.RawMessage("1e999")}, nil, "malformed"},
		{"expiry negative", claims{"exp": -1}, nil, "malformed"},
		{"expiry zero", claims{"exp": 0}, nil, "expired"},
		{"not before", claims{"nbf": at(5 * time.Minute)}, nil, "not-yet-valid"},
		{"not before, within the leeway", claims{"nbf": at(20 * time.Second)}, nil, "good"},
		{"not before as text", claims{"nbf": "1"}, nil, "malformed"},
		{"issued tomorrow", claims{"iat": at(24 * time.Hour)}, nil, "not-yet-valid"},
		{"issued as text", claims{"iat": "now"}, nil, "malformed"},
		{"no iat", claims{"iat": nil}, nil, "good"},
		{"another issuer", claims{"iss": "https://login.evil.test"}, nil, "wrong-issuer"},
		{"issuer with a slash", claims{"iss": testIssuer + "/"}, nil, "wrong-issuer"},
		{"issuer in other case", claims{"iss": strings.ToUpper(testIssuer)}, nil, "wrong-issuer"},
		{"issuer with a prefix", claims{"iss": testIssuer + ".evil.test"}, nil, "wrong-issuer"},
		{"issuer in a list", claims{"iss": []string{testIssuer}}, nil, "wrong-issuer"},
		{"no issuer", claims{"iss": nil}, nil, "wrong-issuer"},
		{"another audience", claims{"aud": "bank"}, nil, "wrong-audience"},
		{"audience in other case", claims{"aud": "Shop"}, nil, "wrong-audience"},
		{"audience with a prefix", claims{"aud": "shopping"}, nil, "wrong-audience"},
		{"audience with spaces", claims{"aud": "bank shop"}, nil, "wrong-audience"},
		{"one of many audiences", claims{"aud": []string{"bank", "shop"}}, nil, "good"},
		{"none of many audiences", claims{"aud": []string{"bank", "web"}}, nil, "wrong-audience"},
		{"audiences of odd types", claims{"aud": []any{1, nil, []string{"shop"}}}, nil, "wrong-audience"},
		{"audience in an object", claims{"aud": claims{"shop": true}}, nil, "wrong-audience"},
		{"no audience", claims{"aud": nil}, nil, "wrong-audience"},
		{"empty audience", claims{"aud": ""}, nil, "wrong-audience"},
		{"empty list of audiences", claims{"aud": []string{}}, nil, "wrong-audience"},
		{"the second audience", claims{"aud": "shop"}, two, "good"},
		{"the first audience", claims{"aud": "web"}, two, "good"},
		{"no subject", claims{"sub": nil}, nil, "no-subject"},
		{"empty subject", claims{"sub": ""}, nil, "no-subject"},
		{"subject that is a number", claims{"sub": 7}, nil, "no-subject"},
		{"subject in a list", claims{"sub": []string{"ann"}}, nil, "no-subject"},
		{"subject too long", claims{"sub": strings.Repeat("x", 2000)}, nil, "no-subject"},
	} {
		c := tc.config
		if c == nil {
			c = testConfig(k)
		}
		v := newTestVerifier(t, c)
		token := sign(k, good(tc.claims), nil)
		for range 2 {
			if got := judge(v, request(token)); reason(got) != tc.want {
				t.Errorf("%s: got %s (%s), want %s", tc.name, reason(got), got.Detail, tc.want)
			}
		}
	}
}

func TestDetailsSayWhenButNotWho(t *testing.T) {
	k := testKeys()["p256"]
	v := newTestVerifier(t, testConfig(k))
	for want, c := range map[string]claims{
		"the token expired 5m0s ago":                               {"exp": time.Now().Add(-5 * time.Minute).Unix()},
		"the token begins in 10m0s (nbf)":                          {"nbf": time.Now().Add(10 * time.Minute).Unix()},
		"the token is for another audience (aud)":                  {"aud": "secret-audience"},
		"the token is from another issuer (iss)":                   {"iss": "secret-issuer"},
		"the token says no subject (sub), or one that is too long": {"sub": ""},
	} {
		got := judge(v, request(sign(k, good(c), nil)))
		// Seconds pass while signing.
		if got.Detail != want && !strings.Contains(got.Detail, "expired 5m1s ago") && !strings.Contains(got.Detail, "in 9m59s") {
			t.Errorf("got %q, want %q", got.Detail, want)
		}
	}
}

func TestPrincipal(t *testing.T) {
	k := testKeys()["ed"]
	v := newTestVerifier(t, testConfig(k))
	for _, tc := range []struct {
		claims claims
		want   string
	}{
		{claims{"scope": "orders.read  orders.write"}, `["orders.read" "orders.write"]`},
		{claims{"scp": []string{"a", "b", ""}}, `["a" "b"]`},
		{claims{"scp": "a b", "scope": "c"}, `["c" "a" "b"]`},
		{claims{"scope": "a\u00a0b\tc d"}, `["a\u00a0b\tc" "d"]`}, // other spaces part nothing
		{claims{"scp": []string{"a b", "c"}}, `["a b" "c"]`},
		{claims{"scope": 7, "scp": []any{1, "a"}}, `["a"]`},
		{nil, "[]"},
	} {
		p := expect(t, v, sign(k, good(tc.claims), nil), "good").Principal
		if got := fmt.Sprintf("%q", p.Scopes); got != tc.want {
			t.Errorf("%v: scopes %s, want %s", tc.claims, got, tc.want)
		}
	}
	p := expect(t, v, sign(k, good(claims{"id": json.RawMessage("12345678901234567890"), "tier": "gold"}), nil), "good").Principal
	if fmt.Sprint(p.Claims["id"]) != "12345678901234567890" || p.Claims["tier"] != "gold" || p.Kind != "jwt" || p.Issuer != testIssuer {
		t.Errorf("%+v", p)
	}
}

func TestChallenge(t *testing.T) {
	v := newTestVerifier(t, testConfig(testKeys()["ed"]))
	if got := v.Challenge("shop", false); got != `Bearer realm="shop"` {
		t.Error(got)
	}
	if got := v.Challenge("shop", true); got != `Bearer realm="shop", error="invalid_token"` {
		t.Error(got)
	}
}

// The character that stands for what could not be read may stand in a name; half
// a surrogate pair, which readers turn into it, may not.
func TestReplacementCharacter(t *testing.T) {
	k := testKeys()["p256"]
	v := newTestVerifier(t, testConfig(k))
	payload, _ := json.Marshal(good(nil))
	for name, want := range map[string]string{
		"M\ufffdller": "good", `\ufffd`: "good", `\ud83d\ude00`: "good", `\\ud800`: "good", `\\\ud83d\ude00`: "good", `\"\u0061`: "good",
		`\ud800`: "malformed", `\udc00`: "malformed", `\ud800\ud800`: "malformed", `\ud800x`: "malformed", `\ud800\n`: "malformed", `\ude00\ud83d`: "malformed",
		`\\\ud800`: "malformed", `\uD8`: "malformed", `\u`: "malformed", `\`: "malformed",
	} {
		expect(t, v, raw(k, `{"alg":"ES256","kid":"p256"}`, strings.Replace(string(payload), "{", `{"name":"`+name+`",`, 1)), want)
		expect(t, v, raw(k, `{"alg":"ES256","kid":"p256","`+name+`":1}`, string(payload)), want)
	}
}
