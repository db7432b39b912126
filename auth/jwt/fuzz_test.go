package jwt

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// FuzzToken holds the parser and the verifier against go-jose: what passes here
// passes there, with the same subject; and whatever comes, nothing panics.
func FuzzToken(f *testing.F) {
	k := testKeys()["p256"]
	const head, claims = `{"alg":"ES256","kid":"p256"}`, `{"iss":"https://login.shop.test","aud":["shop","web"],"sub":"ann","exp":4102444800.5,"nbf":1,"iat":1,"scope":"a b","scp":["c"]}`
	for _, seed := range [][3]string{
		{"..", head, claims},
		{"a.b.c", `{"alg":"ES256","kid":"p256","typ":"at+jwt","jku":"https://evil.test"}`, `{"iss":"https://login.shop.test","aud":"shop","sub":"\u0061nn","exp":4102444800}`},
		{b64(head) + "." + b64(claims) + ".AAAA", `{"alg":"ES256","alg":"none"}`, `{"sub":"a","sub":"b"}`},
		{b64(`{"alg":"none"}`) + "." + b64(claims) + ".", `{"alg":"none"}`, `[[[[]]]]`},
		{b64(head) + "." + b64(claims) + "." + b64("\x00"), `{"alg":"ES256","crit":["b64"],"b64":false}`, `{"exp":1e400,"sub":"\ud800"}`},
		{b64(`{"alg":"HS256"}`) + "." + b64(claims) + ".AAAA", `{"ALG":"none","alg":"ES256","Kid":"rsa"}`, `{"ISS":"x","iss":"https://login.shop.test","Sub":"root","sub":"ann","aud":"shop","exp":4102444800}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	v := newTestVerifier(f, testConfig(k))
	private := jose.JSONWebKey{Key: k.private, KeyID: k.id}
	public := private.Public()
	f.Fuzz(func(t *testing.T, token, head, claims string) {
		compare(t, v, public.Key, token)
		compare(t, v, public.Key, raw(k, head, claims)) // rightly signed, whatever it says
	})
}

func compare(t *testing.T, v *Verifier, public any, text string) {
	verdict := v.verify(text, time.Now())
	if verdict.Principal == nil && (verdict.Reason == "" || verdict.Detail == "" || !verdict.Found) {
		t.Fatalf("a refusal without a reason: %+v", verdict)
	}
	theirs, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	var said jwt.Claims
	if err == nil {
		err = theirs.Claims(public, &said)
	}
	if err == nil {
		err = said.ValidateWithLeeway(jwt.Expected{Issuer: testIssuer, AnyAudience: []string{testAudience}, Time: time.Now()}, 30*time.Second)
	}
	if verdict.Principal == nil {
		return
	}
	if err != nil {
		t.Errorf("passes here, and go-jose says %v:\n%s", err, text)
	} else if said.Subject != verdict.Principal.Subject {
		t.Errorf("subject %q here, %q with go-jose:\n%s", verdict.Principal.Subject, said.Subject, text)
	}
}
