package jwt

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Keys come from where the issuer says that they are: from its own server as the
// operator would get them, from others by the rules for what others name.
func TestKeysByDiscovery(t *testing.T) {
	const issuer = "https://login.test/realm"
	for _, tc := range []struct{ name, described, from, want string }{
		{"of its own", `{"issuer": "https://login.test/realm", "jwks_uri": "https://login.test/keys"}`, "own https://login.test/keys", "good"},
		{"of another server", `{"issuer": "https://login.test/realm", "jwks_uri": "https://keys.test/keys"}`, "foreign https://keys.test/keys", "good"},
		{"of a private one", `{"issuer": "https://login.test/realm", "jwks_uri": "https://10.0.0.1/keys"}`, "foreign https://10.0.0.1/keys", "no-keys"},
		{"in plain text", `{"issuer": "https://login.test/realm", "jwks_uri": "http://login.test/keys"}`, "", "no-keys"},
		{"another issuer's", `{"issuer": "https://evil.test", "jwks_uri": "https://login.test/keys"}`, "", "no-keys"},
		{"none", `{"issuer": "https://login.test/realm"}`, "", "no-keys"},
		{"garbage", `<html>`, "", "no-keys"},
	} {
		synctest.Test(t, func(t *testing.T) {
			from := ""
			getting := func(who string) Fetch {
				return func(_ context.Context, url string) ([]byte, http.Header, error) {
					switch {
					case url == issuer+"/.well-known/openid-configuration" && who == "own":
						return []byte(tc.described), http.Header{}, nil
					case strings.Contains(url, "10.0.0.1"):
						from = who + " " + url
						return nil, nil, errors.New("refused by rule")
					}
					from = who + " " + url
					return jwks(testKeys()["p256"]), http.Header{}, nil
				}
			}
			k := NewKeeper(Options{
				Fetch:   func(*x509.CertPool) Fetch { return getting("own") },
				Foreign: func(*x509.CertPool, []netip.Prefix) Fetch { return getting("foreign") },
				Log:     slog.New(slog.DiscardHandler),
			})
			defer k.Close()
			c := testConfig(testKeys()["p256"])
			c.JWKS, c.Issuer = Source{}, issuer
			l := k.Begin()
			v, err := l.Verifier(c)
			if err != nil {
				t.Fatal(err)
			}
			l.Commit()
			token := sign(testKeys()["p256"], good(claims{"iss": issuer}), nil)
			got := v.verify(token, time.Now())
			reason := got.Reason
			if got.Principal != nil {
				reason = "good"
			}
			if reason != tc.want || from != tc.from {
				t.Errorf("%s: %s (%s), from %q", tc.name, reason, got.Detail, from)
			}
		})
	}
}
