package sigv4

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var keys = aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// sign signs a request by the AWS SDK for Go.
func sign(t testing.TB, r *http.Request, c aws.Credentials, payload string, at time.Time) *http.Request {
	t.Helper()
	if err := v4.NewSigner().SignHTTP(context.Background(), c, r, payload, ExecuteAPI, region, at); err != nil {
		t.Fatal(err)
	}
	return r
}

// presign returns the presigned form of a request.
func presign(t testing.TB, r *http.Request, c aws.Credentials, payload string, at time.Time, expires string) *http.Request {
	t.Helper()
	query := r.URL.Query()
	query.Set("X-Amz-Expires", expires)
	r.URL.RawQuery = query.Encode()
	signed, header, err := v4.NewSigner().PresignHTTP(context.Background(), c, r, payload, ExecuteAPI, region, at)
	if err != nil {
		t.Fatal(err)
	}
	out := r.Clone(r.Context())
	if out.URL, err = url.Parse(signed); err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		if name != "Host" {
			out.Header[name] = values
		}
	}
	return out
}

// targets are paths and queries that the SDK and we must read alike.
var targets = []string{
	"/", "/orders", "/orders/", "/orders/42?a=1", "/a%20b/c", "/caf%C3%A9", "/a+b", "/a%2Bb", "/a%2Fb", "/$x;y=1,2:3@4!'()*", "/~a-b_c.d", "/%7Etilde",
	"/@connections/abc%3D", "/p?b=2&a=1", "/p?a=2&a=1&a=", "/p?a", "/p?=b", "/p?A=1&a=2", "/p?a=%20&b=+&c=%2B", "/p?x=%C3%A9&%C3%A9=x", "/p?q=a%26b%3Dc", "/p?a-=1&a=2&a.=3",
	"/p?n[]=1&n[]=2", "/p?u=https://x.test/y?z",
}

// TestSDKSigner is the AWS SDK for Go as a client, in all its forms.
func TestSDKSigner(t *testing.T) {
	g := newGate(t)
	session, token := g.session(t, time.Hour)
	temporary := aws.Credentials{AccessKeyID: session.AccessKey, SecretAccessKey: session.Secret, SessionToken: token}
	for _, target := range targets {
		for _, credentials := range []aws.Credentials{keys, temporary} {
			want := "iam:123456789012|user/ci"
			if credentials.SessionToken != "" {
				want = "iam:123456789012|assumed-role/deploy/run"
			}
			for method, body := range map[string]string{"GET": "", "POST": `{"a":1}`} {
				url := "https://api.shop.test" + target
				hash := hashOf(body)
				plain := func() *http.Request {
					return request(t, method, url, body, "Content-Type", "application/json", "X-Custom", "  two   spaces ", "X-Custom", "second")
				}
				stated, unsigned := plain(), plain()
				stated.Header.Set("X-Amz-Content-Sha256", hash)
				unsigned.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
				for form, r := range map[string]*http.Request{
					"header":    sign(t, plain(), credentials, hash, time.Now()),
					"stated":    sign(t, stated, credentials, hash, time.Now()),
					"unsigned":  sign(t, unsigned, credentials, unsignedPayload, time.Now()),
					"presigned": presign(t, plain(), credentials, hash, time.Now(), "60"),
				} {
					who, fault, got, err := g.verify(t, r)
					if who != want || fault != nil || err != nil || got != body {
						t.Errorf("%s %s %s: %q %+v %v, body %q", form, method, target, who, fault, err, got)
					}
				}
			}
		}
	}
}

// Hosts as clients write them: the one that is signed counts, to the letter.
func TestHosts(t *testing.T) {
	g := newGate(t)
	for _, host := range []string{"api.shop.test", "API.shop.test", "api.shop.test:8443", "api.shop.test.", "[::1]:8443", "127.0.0.1"} {
		r := request(t, "GET", "https://api.shop.test/", "")
		r.Host = host
		r = sign(t, r, keys, emptyHash, time.Now())
		if _, fault, _, _ := g.verify(t, r); fault != nil {
			t.Errorf("%s: %+v", host, fault)
		}
		for _, other := range []string{"evil.test", host + ".", strings.ToUpper(host) + "x", ""} {
			if _, fault, _, _ := g.verify(t, r, func(in *http.Request, _ *connection) { in.Host = other }); reason(fault) != "bad-signature" {
				t.Errorf("%s sent as %s: %+v", host, other, fault)
			}
		}
	}
}
