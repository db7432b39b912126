package upstream

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/dial"
	"gatehouse/test/dnstest"

	"gatehouse/upstream/guard"
)

// In an outage retries are a share of the requests.
func TestRetryBudget(t *testing.T) {
	var dead []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		dead = append(dead, l.Addr().String())
	}
	k := newTestKeeper(t)
	c := service(dead...)
	c.RetryBudget = &guard.RetryBudget{Share: 0.2, Minimum: 1}
	h := &noted{next: New(Route{Service: bindIn(t, k, c), Retries: 2})}
	f := newFront(t, h)
	attempts, told := 0, false
	for range 200 {
		_, _, _ = get(t, f.URL+"/")
		attempts += f.last(t).Upstream.Attempts
		told = told || strings.Contains(h.last(), "the retry budget is spent")
	}
	if retries := attempts - 200; retries < 10 || retries > 10+2+200/4 {
		t.Errorf("%d retries of 200 requests", retries)
	}
	if serviceStats(k).Denied == 0 || !told {
		t.Errorf("%+v, told: %v", serviceStats(k), told)
	}
}

// A new target's share grows.
func TestSlowStartOfATarget(t *testing.T) {
	old, fresh := newFickle(t), newFickle(t)
	k := newTestKeeper(t)
	c := service(old.address())
	c.SlowStart = &guard.SlowStart{Window: ms(60_000), From: 0.1}
	bindIn(t, k, c)
	both := service(old.address(), fresh.address())
	both.SlowStart = c.SlowStart
	f := newFront(t, New(Route{Service: bindIn(t, k, both)}))
	for range 200 {
		_, _, _ = get(t, f.URL+"/")
	}
	if n := fresh.asked.Load(); n < 4 || n > 50 {
		t.Errorf("%d of 200 requests to a target that is new, want about 18", n)
	}
	if st := stats(k); st[fresh.address()].Share > 0.2 || st[old.address()].Share != 1 {
		t.Errorf("%+v", st)
	}
}

// A target that is taken away gets nothing new; what is under way finishes, and
// what does not is cut off in the end.
func TestDrain(t *testing.T) {
	for _, name := range []string{"finishes", "is cut off"} {
		old, next := newFickle(t), newFickle(t)
		hold := make(chan struct{})
		old.hold.Store(&hold)
		k := newTestKeeper(t)
		c := service(old.address())
		c.Drain = ms(10_000)
		if name == "is cut off" {
			c.Drain = ms(50)
		}
		f := newFront(t, New(Route{Service: bindIn(t, k, c)}))
		got := make(chan int, 1)
		go func() {
			resp, _, err := get(t, f.URL+"/")
			if err != nil {
				got <- 0
				return
			}
			got <- resp.StatusCode
		}()
		eventually(t, "not asked", func() bool { return old.current.Load() == 1 })
		bindIn(t, k, service(next.address()))
		if name == "finishes" {
			time.Sleep(20 * time.Millisecond)
			close(hold)
			if status := <-got; status != 200 {
				t.Errorf("%s: %d", name, status)
			}
			continue
		}
		status := <-got
		if o := f.last(t); status != 502 || o.Reason != "drained" {
			t.Errorf("%s: %d, %+v", name, status, o)
		}
		close(hold)
	}
}

// Records say where a service runs, in which order and with what share.
func TestServiceRecords(t *testing.T) {
	var backends []*fickle
	var records []string
	for i, r := range []string{"10 30", "10 10", "20 0"} {
		b := newFickle(t)
		_, port, _ := net.SplitHostPort(b.address())
		backends = append(backends, b)
		records = append(records, fmt.Sprintf("_http._tcp.orders.test. 5 IN SRV %s %s n%d.test.", r, port, i), fmt.Sprintf("n%d.test. 5 IN A 127.0.0.1", i))
	}
	dns := dnstest.New(t, records...)
	k := newTestKeeper(t)
	c := asks(service("srv:_http._tcp.orders.test"), dns)
	c.Health = &Health{Interval: ms(20), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
	f := newFront(t, New(Route{Service: bindIn(t, k, c), Retries: 2}))
	for range 80 {
		if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err, f.last(t))
		}
	}
	if a, b, z := backends[0].asked.Load(), backends[1].asked.Load(), backends[2].asked.Load(); a != 60 || b != 20 || z != 0 {
		t.Errorf("%d, %d, %d requests", a, b, z)
	}
	for _, b := range backends[:2] {
		b.Close()
	}
	eventually(t, "stay healthy", func() bool {
		return !stats(k)[backends[0].address()].Healthy && !stats(k)[backends[1].address()].Healthy
	})
	if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 || backends[2].asked.Load() == 0 {
		t.Errorf("%v, %v: the next priority", resp, err)
	}
}

// A name leads to neither the gateway's own control nor a cloud's metadata.
func TestNamesLeadNowhereForbidden(t *testing.T) {
	b := newFickle(t)
	_, port, _ := net.SplitHostPort(b.address())
	dns := dnstest.New(t, "own.test. 5 IN A 127.0.0.1", "meta.test. 5 IN A 169.254.169.254", "meta.test. 5 IN A 0.0.0.0", "both.test. 5 IN A 169.254.169.254", "both.test. 5 IN A 127.0.0.1")
	l := &logs{}
	d := dial.New(dial.Options{})
	k := NewKeeper(Options{Dialer: d, Log: slog.New(slog.NewTextHandler(l, nil))})
	t.Cleanup(k.Close)
	ask := func(name string) outcome {
		t.Helper()
		f := newFront(t, New(Route{Service: bindIn(t, k, asks(service("dns:"+name+":"+port), dns))}))
		_, _, _ = get(t, f.URL+"/")
		return f.last(t)
	}
	if o := ask("both.test"); o.Status != 200 || !strings.Contains(l.String(), "a metadata address") {
		t.Errorf("%+v\n%s", o, l)
	}
	if o := ask("meta.test"); o.Status != 502 || o.Reason != "dns" {
		t.Errorf("%+v", o)
	}
	d.SetOwn([]netip.AddrPort{netip.MustParseAddrPort(b.address())})
	if o := ask("own.test"); o.Status != 502 || o.Reason != "rule" {
		t.Errorf("%+v", o)
	}
}

// Requests, look-ups and reloads at once: for the race detector.
func TestGuardStorm(t *testing.T) {
	a, b := newFickle(t), newFickle(t)
	_, pa, _ := net.SplitHostPort(a.address())
	_, pb, _ := net.SplitHostPort(b.address())
	zone := func(w int) []string {
		return []string{
			fmt.Sprintf("_http._tcp.orders.test. 0 IN SRV 1 %d %s a.test.", w, pa), fmt.Sprintf("_http._tcp.orders.test. 0 IN SRV 1 1 %s a.test.", pb), "a.test. 0 IN A 127.0.0.1",
		}
	}
	dns := dnstest.New(t, zone(1)...)
	k := newTestKeeper(t)
	c := asks(service("srv:_http._tcp.orders.test"), dns)
	c.Resolve.Min, c.Resolve.Max = ms(1), ms(1)
	c.Outliers, c.SlowStart = outliers(), &guard.SlowStart{Window: ms(1000), From: 0.1}
	c.Outliers.Ejection = ms(1)
	c.Breaker = &guard.Breaker{Failures: 0.9, Window: ms(1000), Minimum: 50, Open: ms(1), Trials: 1, Status: guard.Statuses{{502, 504}}}
	c.Concurrency = &guard.Concurrency{PerTarget: 3, Service: 5, Queue: 20, Timeout: ms(200)}
	c.Health = &Health{Interval: ms(5), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
	var h atomic.Pointer[http.Handler]
	use := func() {
		next := New(Route{Service: bindIn(t, k, c), Retries: 1})
		h.Store(&next)
	}
	use()
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.Load()).ServeHTTP(w, r) }))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	var served atomic.Int64
	for range 8 {
		all.Go(func() {
			for range 150 {
				resp, err := client.Get(f.URL + "/")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == 200 {
					served.Add(1)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 60 {
			dns.Set(t, zone(i%5+1)...)
			if i%10 == 0 {
				a.status.Store(int64(200 + 303*(i/10%2)))
			}
			use()
			time.Sleep(2 * time.Millisecond)
		}
		a.status.Store(200)
	})
	all.Wait()
	if served.Load() < 300 {
		t.Errorf("%d of 1200 served", served.Load())
	}
	eventually(t, "places are not given back", func() bool {
		s := serviceStats(k).Gate
		return s.Used == 0 && s.Waiting == 0
	})
	for address, st := range stats(k) {
		if st.InFlight != 0 {
			t.Errorf("%s: %+v", address, st)
		}
	}
}

// guarded is a service with everything that guards one.
func guarded(addresses ...string) Config {
	c := service(addresses...)
	c.Outliers, c.SlowStart = outliers(), &guard.SlowStart{Window: ms(1000), From: 0.1}
	c.Outliers.Failures = 0.5
	c.Breaker = &guard.Breaker{Failures: 0.5, Window: ms(10_000), Minimum: 20, Open: ms(5000), Trials: 1, Status: guard.Statuses{{502, 504}}}
	c.Concurrency = &guard.Concurrency{PerTarget: 50, Service: 100, Queue: 10, Timeout: ms(1000)}
	c.Health = &Health{Interval: ms(1000), Timeout: ms(1000), Healthy: 1, Unhealthy: 1}
	return c
}
