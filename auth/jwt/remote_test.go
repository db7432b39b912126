package jwt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// issuer is what stands behind a URL of keys, in a test that has its own time.
type issuer struct {
	mu      sync.Mutex
	body    []byte
	header  http.Header
	err     error
	delay   time.Duration
	fetches []time.Time
}

func (i *issuer) fetch(ctx context.Context, url string) ([]byte, http.Header, error) {
	i.mu.Lock()
	i.fetches = append(i.fetches, time.Now())
	body, header, err, delay := i.body, i.header, i.err, i.delay
	i.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-time.After(delay):
	}
	return body, header, err
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) publish(keys ...signerKey) {
	i.set(func(i *issuer) { i.body, i.err, i.delay = jwks(keys...), nil, 0 })
}

func (i *issuer) times() []time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.fetches)
}

func (i *issuer) count() int { return len(i.times()) }

const keysURL = "https://login.shop.test/jwks.json"

// withIssuer runs a test in a bubble of its own time, with a verifier whose keys
// come from an issuer.
func withIssuer(t *testing.T, test func(t *testing.T, i *issuer, k *Keeper, v *Verifier)) {
	t.Helper()
	testKeys() // outside: what is made once belongs to no bubble
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{body: jwks(testKeys()["p256"])}
		k := testKeeper(t, i.fetch)
		test(t, i, k, lease(t, k, remoteConfig(keysURL)))
	})
}

func issue(id string) string { return sign(testKeys()[id], good(nil), nil) }

func expectUnavailable(t *testing.T, v *Verifier, within time.Duration) {
	t.Helper()
	begin := time.Now()
	got := judge(v, request(issue("p256")))
	if got.Status != http.StatusServiceUnavailable || got.Reason != "no-keys" || got.Retry <= 0 || !got.Found {
		t.Errorf("got %+v, want 503", got)
	}
	if took := time.Since(begin); took > within {
		t.Errorf("the answer took %v, want %v at most", took, within)
	}
}

func TestFirstRequestsWaitForTheKeys(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		expect(t, v, issue("p256"), "good")
		other := lease(t, k, remoteConfig(keysURL))
		expect(t, other, issue("p256"), "good")
		if other != v || i.count() != 1 {
			t.Errorf("%d fetches for one URL", i.count())
		}
	})
}

func TestKeysThatAreNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{err: errors.New("connection refused")}
		k := testKeeper(t, i.fetch)
		v := lease(t, k, remoteConfig(keysURL)) // waits for nobody
		expectUnavailable(t, v, 0)
		s := k.Status()[0]
		if s.Keys != 0 || s.Failures != 1 || s.Problem != "connection refused" || s.URL != keysURL {
			t.Errorf("status %+v", s)
		}
		time.Sleep(5 * time.Minute)
		if n := i.count(); n < 12 || n > 20 { // doubling to 30 s, less up to a tenth
			t.Errorf("%d attempts in 5 minutes", n)
		}
		i.publish(testKeys()["p256"])
		time.Sleep(maxEmpty)
		expect(t, v, issue("p256"), "good")
		if s := k.Status()[0]; s.Keys != 1 || s.Failures < 12 || s.Problem != "" || s.Age > maxEmpty {
			t.Errorf("status %+v", s)
		}
	})
}

func TestKeysThatStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{delay: time.Hour}
		k := testKeeper(t, i.fetch)
		v := lease(t, k, remoteConfig(keysURL))
		expectUnavailable(t, v, patience)
		time.Sleep(fetchTimeout)
		expectUnavailable(t, v, 0) // it has failed once: nobody waits any more
		time.Sleep(time.Second)
		expectUnavailable(t, v, 0) // not even while the next fetch stalls
		i.publish(testKeys()["p256"])
		time.Sleep(time.Minute)
		expect(t, v, issue("p256"), "good")
	})
}

func TestRefresh(t *testing.T) {
	for _, tc := range []struct {
		cacheControl string
		want         time.Duration
	}{
		{"", usualRefresh}, {"max-age=7200", 2 * time.Hour}, {"public, Max-Age=7200, must-revalidate", 2 * time.Hour}, {`max-age="7200"`, 2 * time.Hour},
		{"max-age=1", minRefresh}, {"max-age=0", minRefresh}, {"no-store", minRefresh}, {"max-age=99999999", maxRefresh},
		{"max-age=-5", usualRefresh}, {"max-age=99999999999999999999", usualRefresh}, {"max-age", usualRefresh}, {"private", usualRefresh},
	} {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{body: jwks(testKeys()["p256"]), header: http.Header{}}
			if tc.cacheControl != "" {
				i.header.Set("Cache-Control", tc.cacheControl)
			}
			lease(t, testKeeper(t, i.fetch), remoteConfig(keysURL))
			time.Sleep(10*tc.want + time.Second)
			fetches := i.times()
			for n := 1; n < len(fetches); n++ {
				if pause := fetches[n].Sub(fetches[n-1]); pause > tc.want || pause < tc.want*9/10 {
					t.Errorf("%q: fetched again after %v, want %v less up to a tenth", tc.cacheControl, pause, tc.want)
				}
			}
			if len(fetches) < 11 {
				t.Errorf("%q: %d fetches", tc.cacheControl, len(fetches))
			}
		})
	}
}

func TestUnknownKeyIsAskedForOnce(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		expect(t, v, issue("p256"), "good")
		flood := func() {
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() { expect(t, v, issue("ed"), "unknown-key") })
			}
			wg.Wait()
		}
		i.set(func(i *issuer) { i.delay = 100 * time.Millisecond })
		flood()
		if n := i.count(); n != 2 {
			t.Errorf("%d fetches for 200 tokens of an unknown key, want 1 and the first", n)
		}
		begin := time.Now()
		for range 10 {
			flood()
		}
		if n := i.count(); n != 2 || time.Since(begin) != 0 {
			t.Errorf("%d fetches within 30 s, and requests waited %v", n, time.Since(begin))
		}
		time.Sleep(minAsk)
		flood()
		flood()
		if n := i.count(); n != 3 {
			t.Errorf("%d fetches after 30 s, want one more", n)
		}
		expect(t, v, issue("p256"), "good")
	})
}

func TestUnknownKeyWhileKeysStall(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		expect(t, v, issue("p256"), "good")
		i.set(func(i *issuer) { i.delay = time.Hour })
		begin := time.Now()
		expect(t, v, issue("ed"), "unknown-key")
		if took := time.Since(begin); took != patience {
			t.Errorf("the request waited %v, want %v", took, patience)
		}
		expect(t, v, issue("p256"), "good") // those whose keys are known wait for nobody
		if took := time.Since(begin); took != patience {
			t.Errorf("a good token waited until %v", took)
		}
	})
}

func TestKeysThatVanishOrLie(t *testing.T) {
	p256 := testKeys()["p256"]
	many := make([]signerKey, maxKeys+1)
	for i := range many {
		many[i] = signerKey{fmt.Sprint(i), "ES256", p256.private}
	}
	for name, change := range map[string]func(*issuer){
		"vanish":            func(i *issuer) { i.err = errors.New("404 Not Found") },
		"stall":             func(i *issuer) { i.delay = time.Hour },
		"a page":            func(i *issuer) { i.body = []byte("<html>we are back soon</html>") },
		"nothing":           func(i *issuer) { i.body = nil },
		"cut":               func(i *issuer) { i.body = i.body[:len(i.body)-2] },
		"null":              func(i *issuer) { i.body = []byte("null") },
		"no keys":           func(i *issuer) { i.body = []byte(`{"keys":[]}`) },
		"keys of no type":   func(i *issuer) { i.body = []byte(`{"keys":[{"kid":"p256"}, 7, null]}`) },
		"keys twice":        func(i *issuer) { i.body = []byte(`{"keys":[],"keys":[]}`) },
		"a secret":          func(i *issuer) { i.body = jwks(testKeys()["secret"]) },
		"too many":          func(i *issuer) { i.body = jwks(many...) },
		"too long":          func(i *issuer) { i.body = append(i.body, bytes.Repeat([]byte(" "), maxKeySetBytes)...) },
		"an endless list":   func(i *issuer) { i.body = []byte(`{"keys":` + strings.Repeat("[", 1<<19)) },
		"an encryption key": func(i *issuer) { i.body = bytes.Replace(i.body, []byte(`"sig"`), []byte(`"enc"`), 1) },
	} {
		withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
			expect(t, v, issue("p256"), "good")
			i.set(change)
			time.Sleep(48 * time.Hour)
			expect(t, v, issue("p256"), "good")
			s := k.Status()[0]
			if s.Keys != 1 || s.Failures < 100 || s.Problem == "" || s.Age < 47*time.Hour {
				t.Errorf("%s: status %+v", name, s)
			}
			if n := i.count(); n > 48*60/4 { // at most every 4.5 minutes at last
				t.Errorf("%s: %d fetches in two days", name, n)
			}
			i.publish(p256, testKeys()["ed"])
			time.Sleep(maxRetry + fetchTimeout)
			expect(t, v, issue("ed"), "good")
		})
	}
}

// A published set with a secret in it: the secret verifies nothing.
func TestPublishedSecret(t *testing.T) {
	withIssuer(t, func(t *testing.T, i *issuer, k *Keeper, v *Verifier) {
		i.publish(testKeys()["p256"], testKeys()["secret"])
		time.Sleep(usualRefresh)
		expect(t, v, issue("secret"), "algorithm")
		c := remoteConfig(keysURL)
		c.Algorithms = []string{"HS256", "ES256"} // the check refuses this; so does the set
		expect(t, lease(t, k, c), issue("secret"), "unknown-key")
	})
}

// Over real sockets: an issuer that rotates, answers errors, stalls and is
// gone, and requests all the while.
func TestRemoteOverHTTP(t *testing.T) {
	var i issuer
	i.publish(testKeys()["p256"])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _, err := i.fetch(r.Context(), r.URL.String())
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	fetch := func(ctx context.Context, url string) ([]byte, http.Header, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			return nil, nil, err
		}
		response, err := server.Client().Do(r)
		if err != nil {
			return nil, nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, nil, errors.New(response.Status)
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 2<<20))
		return body, response.Header, err
	}
	k := testKeeper(t, fetch)
	v := lease(t, k, remoteConfig(server.URL))
	expect(t, v, issue("p256"), "good")
	i.publish(testKeys()["ed"], testKeys()["p256"])
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				expect(t, v, issue("ed"), "good")
				expect(t, v, issue("p256"), "good")
				expect(t, v, issue("p384"), "unknown-key")
			}
		})
	}
	wg.Wait()
	if n := i.count(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
	server.Close()
	expect(t, v, issue("ed"), "good")
	expectGone := lease(t, k, remoteConfig(server.URL+"/other"))
	expectUnavailable(t, expectGone, patience)
}
