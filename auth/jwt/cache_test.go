package jwt

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/exchange"
)

func TestRememberedTokenExpires(t *testing.T) {
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(t, testConfig(testKeys()["p256"]))
		tok := sign(testKeys()["p256"], good(claims{"exp": time.Now().Add(time.Minute).Unix()}), nil)
		p := expect(t, v, tok, "good").Principal
		time.Sleep(90*time.Second - time.Nanosecond) // a minute and the leeway
		if expect(t, v, tok, "good").Principal != p {
			t.Error("the token was not remembered until its end")
		}
		time.Sleep(time.Nanosecond)
		expect(t, v, tok, "expired")
	})
}

// Times beyond what nanoseconds in 64 bits can tell, and no end at all.
func TestTokensWithoutAnEndInSightAreRemembered(t *testing.T) {
	c := testConfig(testKeys()["p256"])
	c.Expiry = "optional"
	v := newTestVerifier(t, c)
	for name, exp := range map[string]any{"none": nil, "2286": 9999999999, "9999": int64(maxDate), "2263": 9246182400} {
		tok := sign(testKeys()["p256"], good(claims{"exp": exp}), nil)
		p := expect(t, v, tok, "good").Principal
		if expect(t, v, tok, "good").Principal != p {
			t.Errorf("exp %s: the token was verified again", name)
		}
	}
}

// Tokens that are nearly the same, and the same ones for two verifiers.
func TestRememberedTokensAreWhole(t *testing.T) {
	k := testKeys()["p256"]
	keeper := testKeeper(t, nil)
	l := keeper.Begin()
	shop, _ := l.Verifier(testConfig(k))
	bankConfig := testConfig(k)
	bankConfig.Audience = []string{"bank"}
	bank, _ := l.Verifier(bankConfig)
	l.Commit()
	tok := issue("p256")
	expect(t, shop, tok, "good")
	expect(t, bank, tok, "wrong-audience")
	expect(t, shop, tok, "good")
	for i := range len(tok) {
		for _, broken := range []string{tok[:i], tok[:i] + "A" + tok[i:], tok[:i] + flip(tok[i]) + tok[i+1:]} {
			if broken != tok && judge(shop, request(broken)).Principal != nil {
				t.Fatalf("a token broken at byte %d passes", i)
			}
		}
	}
	expect(t, shop, tok+"A", "bad-signature")
	expect(t, shop, tok, "good")
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func testEntry(v *Verifier, k *key, n int, size int) *verified {
	e := &verified{verifier: v, key: k, principal: exchange.NewPrincipal("jwt", "i", fmt.Sprint(n)), expires: 1 << 62, size: size}
	binary.LittleEndian.PutUint64(e.print[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(e.print[8:], uint64(n))
	return e
}

func TestCacheIsBounded(t *testing.T) {
	v, k := &Verifier{}, &key{}
	c := newCache(1 << 10)
	for n := range 10_000 {
		c.put(testEntry(v, k, n, 100), 0)
	}
	count, bytes := c.count()
	if count > 1<<10 || count < 1<<9 || bytes != c.bytes || bytes != 100*count {
		t.Errorf("%d tokens of %d bytes, counted %d", count, bytes, c.bytes)
	}
	for n := range 10_000 {
		c.put(testEntry(v, k, n, maxToken), 0)
	}
	if count, bytes := c.count(); bytes > cacheBytes || bytes != c.bytes || count < 100 {
		t.Errorf("%d tokens of %d bytes, counted %d", count, bytes, c.bytes)
	}
}

func (c *cache) count() (n, bytes int) {
	for i := range c.entries {
		if e := c.entries[i].Load(); e != nil {
			n, bytes = n+1, bytes+e.size
		}
	}
	return n, bytes
}

// What is no longer good gives way before what is.
func TestCacheReplacesTheDead(t *testing.T) {
	v, retired, k, gone := &Verifier{}, &Verifier{}, &key{}, &key{}
	c := newCache(ways)
	for n := range ways {
		e := testEntry(v, k, n, 1)
		switch n {
		case 2:
			e.expires = 10
		case 4:
			e.key = gone
		case 6:
			e.verifier = retired
		}
		c.put(e, 0)
	}
	gone.gone.Store(true)
	retired.retired.Store(true)
	for n := range 3 {
		c.put(testEntry(v, k, 100+n, 1), 10)
	}
	for _, n := range []int{0, 1, 3, 5, 7, 100, 101, 102} {
		e := testEntry(v, k, n, 1)
		if p, _ := c.get(&e.print, v, 10); p == nil {
			t.Errorf("token %d was forgotten", n)
		}
	}
	e := testEntry(v, k, 100, 1)
	other, _ := c.get(&e.print, retired, 10)
	late, _ := c.get(&e.print, v, 1<<62)
	if other != nil || late != nil {
		t.Error("a token is good for another verifier, or after its end")
	}
}

// Readers and writers at once: a token is never taken for another's.
func TestCacheConcurrently(t *testing.T) {
	v, k := &Verifier{}, &key{}
	c := newCache(64)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50_000 {
				n := rand.IntN(200)
				e := testEntry(v, k, n, 1)
				if rand.IntN(4) == 0 {
					c.put(e, 0)
				} else if p, _ := c.get(&e.print, v, 0); p != nil && p.Subject != fmt.Sprint(n) {
					t.Errorf("token %d is %s", n, p.Subject)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestVerifyConcurrently(t *testing.T) {
	v := newTestVerifier(t, testConfig(testKeys()["ed"]))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 50 {
				sub := fmt.Sprint("caller ", (g+n)%20)
				tok := sign(testKeys()["ed"], good(claims{"sub": sub}), nil)
				for range 3 {
					if p := judge(v, request(tok)).Principal; p == nil || p.Subject != sub {
						t.Errorf("%s is %+v", sub, p)
					}
				}
			}
		})
	}
	wg.Wait()
}

// Two issuers in one place: a token goes to its own, and costs both nothing once
// it is known.
func TestTokenOfAnotherIssuer(t *testing.T) {
	k := testKeys()["p256"]
	keeper := testKeeper(t, nil)
	l := keeper.Begin()
	shop, _ := l.Verifier(testConfig(k))
	c := testConfig(testKeys()["ed"])
	c.Issuer = "https://partners.test"
	partners, _ := l.Verifier(c)
	l.Commit()
	for _, tok := range []string{
		sign(testKeys()["ed"], good(claims{"iss": "https://partners.test"}), nil),
		sign(k, good(claims{"iss": "https://partners.test"}), nil),        // signed by the wrong one of the two
		sign(another("p256"), good(claims{"iss": "https://x.test"}), nil), // of neither
		sign(k, good(claims{"iss": nil}), nil),
		sign(k, good(claims{"iss": []string{testIssuer}}), nil),
		raw(k, `{"alg":"HS256","kid":"other"}`, `{"iss":""}`),
	} {
		if got := expect(t, shop, tok, "wrong-issuer"); !got.Foreign || got.Status != 0 {
			t.Errorf("%+v", got)
		}
	}
	tok := sign(testKeys()["ed"], good(claims{"iss": "https://partners.test"}), nil)
	expect(t, partners, tok, "good")
	expect(t, partners, sign(k, good(claims{"iss": "https://partners.test"}), nil), "unknown-key")
	now := time.Now()
	if n := testing.AllocsPerRun(200, func() {
		if !shop.verify(tok, now).Foreign || partners.verify(tok, now).Principal == nil {
			t.Error("the token is not its issuer's")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := expect(t, shop, sign(k, good(claims{"aud": "x"}), nil), "wrong-audience"); got.Foreign {
		t.Error("a bad token of the issuer is somebody else's")
	}
}

// What another issuer's token costs: no wait and no fetch.
func TestTokenOfAnotherIssuerIsNotAskedFor(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		i.set(func(i *issuer) { i.delay = time.Hour })
		begin := time.Now()
		for range 3 {
			expect(t, v, sign(testKeys()["ed"], good(claims{"iss": "https://partners.test"}), nil), "wrong-issuer")
		}
		if time.Since(begin) != 0 || i.count() > 1 {
			t.Errorf("waited %v, %d fetches", time.Since(begin), i.count())
		}
	})
}

func TestFingerprints(t *testing.T) {
	a, b := newPrinter(), newPrinter()
	seen := make(map[fingerprint]string)
	for _, s := range []string{"", "a", "b", "aa", strings.Repeat("a", 16), strings.Repeat("a", 17), strings.Repeat("\x00", 16), strings.Repeat("\x00", 32), strings.Repeat("a", maxToken)} {
		p := a.print(s)
		if other, twice := seen[p]; twice || p != a.print(s) || p == b.print(s) {
			t.Errorf("%.20q has the fingerprint of %.20q, or of another key", s, other)
		}
		seen[p] = s
	}
}

func TestRememberedTokenCostsNoAllocation(t *testing.T) {
	v := newTestVerifier(t, testConfig(testKeys()["p256"]))
	tok := issue("p256")
	expect(t, v, tok, "good")
	now := time.Now()
	if n := testing.AllocsPerRun(200, func() { v.verify(tok, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
