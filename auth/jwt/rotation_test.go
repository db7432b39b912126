package jwt

import (
	"testing"
	"time"
)

func TestRotation(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		old, next := issue("p256"), issue("ed")
		expect(t, v, old, "good")
		// Both are published, then the new one alone.
		i.publish(testKeys()["p256"], testKeys()["ed"])
		expect(t, v, next, "good")
		expect(t, v, old, "good")
		i.publish(testKeys()["ed"])
		expect(t, v, old, "good") // until the keys are fetched again
		time.Sleep(usualRefresh + time.Minute)
		expect(t, v, next, "expired")
		fresh := issue("ed")
		expect(t, v, fresh, "good")
		expect(t, v, sign(testKeys()["p256"], good(nil), nil), "unknown-key")
	})
}

// Keys or tokens without names: whether a key is known, its signature tells.
func TestRotationWithoutNames(t *testing.T) {
	for name, change := range map[string]func(*signerKey){
		"no names at all":     func(k *signerKey) { k.id = "" },
		"names in the tokens": func(k *signerKey) { k.id = "a" },
	} {
		withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
			old, next := testKeys()["p256"], another("p256")
			old.id, next.id = "", ""
			i.publish(old)
			time.Sleep(usualRefresh)
			change(&old)
			change(&next)
			expect(t, v, sign(old, good(nil), nil), "good")
			before := i.count()
			expect(t, v, sign(next, good(nil), nil), "bad-signature")
			if n := i.count(); n != before+1 {
				t.Errorf("%s: %d fetches for a signature by no known key, want 1", name, n-before)
			}
			time.Sleep(minAsk)
			published := next
			published.id = ""
			i.publish(published)
			begin := time.Now()
			expect(t, v, sign(next, good(nil), nil), "good")
			for range 100 {
				expect(t, v, sign(old, good(nil), nil), "bad-signature")
			}
			if n := i.count(); n != before+2 || time.Since(begin) != 0 {
				t.Errorf("%s: %d fetches, waited %v", name, n-before, time.Since(begin))
			}
		})
	}
}

// A signature that is not that of the key with the name asks for nothing.
func TestBadSignatureAsksForNothing(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		expect(t, v, issue("p256"), "good")
		expect(t, v, sign(another("p256"), good(nil), nil), "bad-signature")
		if n := i.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// A remembered token goes with its key, long before it expires.
func TestRevokedKey(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		day := sign(testKeys()["p256"], good(claims{"exp": time.Now().Add(24 * time.Hour).Unix()}), nil)
		expect(t, v, day, "good")
		i.publish(testKeys()["ed"])
		time.Sleep(usualRefresh)
		expect(t, v, day, "unknown-key")
		// The same name for other numbers is another key.
		i.publish(another("p256"))
		time.Sleep(usualRefresh)
		expect(t, v, day, "bad-signature")
		i.publish(testKeys()["p256"])
		time.Sleep(usualRefresh)
		expect(t, v, day, "good")
	})
}
