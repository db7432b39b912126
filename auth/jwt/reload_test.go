package jwt

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReloads(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		expect(t, v, issue("p256"), "good")
		// The same URL with other rules: another verifier, the same keys.
		c := remoteConfig(keysURL)
		c.Audience = []string{"bank"}
		l := k.Begin()
		other, err := l.Verifier(c)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, other, issue("p256"), "wrong-audience")
		// A reload that is given up stops what it began.
		if _, err := l.Verifier(remoteConfig("https://other.test/jwks.json")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.Abort()
		if n := i.count(); n != 2 || len(k.Status()) != 1 {
			t.Errorf("%d fetches, %d sets", n, len(k.Status()))
		}
		time.Sleep(10 * time.Minute)
		if n := i.count(); n != 2 {
			t.Errorf("%d fetches after the abort", n)
		}
		// A configuration that names the keys no longer ends the fetching.
		k.Begin().Commit()
		time.Sleep(10 * time.Hour)
		if n := i.count(); n != 2 || len(k.Status()) != 0 {
			t.Errorf("%d fetches after the end", n)
		}
		// Who still holds the verifier may finish: without waiting for keys that
		// nobody fetches any more.
		begin := time.Now()
		expect(t, v, issue("p256"), "good")
		expect(t, v, issue("ed"), "unknown-key")
		if time.Since(begin) != 0 {
			t.Errorf("a retired verifier waited %v", time.Since(begin))
		}
	})
}

// The same URL for other authorities is another source: what one vouches for the
// other need not.
func TestKeysByOtherAuthorities(t *testing.T) {
	k := testKeeper(t, (&issuer{body: jwks(testKeys()["p256"])}).fetch)
	l := k.Begin()
	c := remoteConfig(keysURL)
	first, _ := l.Verifier(c)
	again, _ := l.Verifier(remoteConfig(keysURL))
	c.CA.Content = testCA(t)
	other, _ := l.Verifier(c)
	l.Commit()
	if first != again || first == other || first.source == other.source {
		t.Error("keys are shared between authorities, or not within one")
	}
	s := k.Status()
	if len(s) != 2 || s[0].URL != keysURL || s[1].URL != keysURL+" #2" {
		t.Errorf("status %+v", s)
	}
}

// What was verified is remembered over reloads, for one and the same
// configuration.
func TestReloadsKeepVerifiedTokens(t *testing.T) {
	k := testKeeper(t, nil)
	v := lease(t, k, testConfig(testKeys()["p256"]))
	tok := issue("p256")
	p := expect(t, v, tok, "good").Principal
	again := lease(t, k, testConfig(testKeys()["p256"]))
	if expect(t, again, tok, "good").Principal != p {
		t.Error("the token was verified again")
	}
	changed := testConfig(testKeys()["p256"])
	changed.Leeway++
	if expect(t, lease(t, k, changed), tok, "good").Principal == p {
		t.Error("another configuration trusts what this one has verified")
	}
	if expect(t, lease(t, k, testConfig(testKeys()["p256"])), tok, "good").Principal == p {
		t.Error("a retired verifier's tokens were kept")
	}
}

func TestLog(t *testing.T) {
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		i := &issuer{err: errors.New("connection refused")}
		k := NewKeeper(Options{Fetch: by(i.fetch), Log: slog.New(slog.NewTextHandler(&out, nil))})
		lease(t, k, remoteConfig(keysURL))
		time.Sleep(time.Hour)
		i.publish(testKeys()["p256"], testKeys()["p256"])
		time.Sleep(time.Minute)
		k.Close()
		synctest.Wait()
		for _, want := range []string{"cannot be fetched", "connection refused", "reachable again", `a second key of the same type with the kid`} {
			if n := strings.Count(out.String(), want); n != 1 {
				t.Errorf("%q is logged %d times:\n%s", want, n, &out)
			}
		}
	})
}
