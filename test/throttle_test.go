package test

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// TestThrottleIsExact: many at once, over both protocols and over reloads, and one
// caller is let in exactly as often as the burst says, another not less for it.
func TestThrottleIsExact(t *testing.T) {
	const config = `
apis:
  shop:
    domains: [localhost]
    authorize: customers
    authorizers: {customers: {jwt: {issuer: "https://login.test", audience: test, jwks: development}}}
    throttle: [{rate: 1/h, burst: 60}]
    routes:
      - {match: GET /orders, target: mock, throttle: {rate: 1/h, burst: 40, per: principal}}
`
	r := start(t, config, nil)
	tokens := newStage(t)
	tokens.data = filepath.Join(r.dir, "data")
	bearer := func(subject string) [][2]string {
		return [][2]string{{"Authorization", "Bearer " + tokens.token([]string{"sub=" + subject})}}
	}
	flood := func(header [][2]string) (admitted int64) {
		var in, other atomic.Int64
		var callers sync.WaitGroup
		for i := range 8 {
			send := protocols[i%len(protocols)].send
			callers.Go(func() {
				for range 15 {
					switch a := send(t, r, message{method: "GET", target: "/orders", host: "localhost", header: header}); a.status {
					case 200:
						in.Add(1)
					case 401, 429:
					default:
						other.Add(1)
					}
				}
			})
		}
		for range 5 {
			if err := r.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		}
		callers.Wait()
		if other.Load() > 0 {
			t.Errorf("%d answers were neither 200, 401 nor 429", other.Load())
		}
		return in.Load()
	}
	if got := flood(nil); got != 0 {
		t.Errorf("strangers were let in %d times", got)
	}
	if got := flood(bearer("ann")); got != 40 {
		t.Errorf("ann was let in %d times, want 40", got)
	}
	if got := flood(bearer("bob")); got != 20 {
		t.Errorf("bob was let in %d times, want the 20 that ann and strangers left of 60", got)
	}
}
