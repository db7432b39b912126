package jwt

import (
	"net/http/httptest"
	"testing"
	"time"

	"gatehouse/exchange"
)

func BenchmarkVerifyCached(b *testing.B) {
	v := newTestVerifier(b, testConfig(testKeys()["rsa"]))
	token := sign(testKeys()["rsa"], good(claims{"scope": "orders.read orders.write", "email": "ann@shop.test", "name": "Ann Example"}), nil)
	x, r := exchange.Begin(httptest.NewRecorder(), request(token), &exchange.Conn{TLS: true}, nil)
	b.Logf("a token of %d bytes", len(token))
	b.ReportAllocs()
	for b.Loop() {
		if v.Authenticate(x, r).Principal == nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVerifyNew(b *testing.B) {
	for _, id := range []string{"rsa", "rsa-pss", "p256", "p384", "ed"} {
		b.Run(id, func(b *testing.B) {
			v := newTestVerifier(b, testConfig(testKeys()[id]))
			token := sign(testKeys()[id], good(nil), nil)
			print := v.cache.printer.print(token)
			b.ReportAllocs()
			for b.Loop() {
				if v.verifyNew(token, print, time.Now()).Principal == nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
