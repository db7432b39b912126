package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gatehouse/dial"
	"gatehouse/test/dnstest"
)

// asks makes c one whose names a test's server knows, looked up every few
// milliseconds.
func asks(c Config, server *dnstest.Server) Config {
	c.Resolver = []Server{{netip.MustParseAddrPort(server.Addr)}}
	c.Resolve = Resolve{Min: ms(10), Max: ms(10), Stale: ms(60_000), Gone: ms(60_000)}
	return c
}

func TestResolvedTargets(t *testing.T) {
	dns := dnstest.New(t, "orders.test. 5 IN A 127.0.0.1")
	b := newBackend(t, always(okAnswer))
	_, port, _ := net.SplitHostPort(b.address())
	k := newTestKeeper(t)
	c := asks(service("dns:orders.test:"+port), dns)
	c.Health = &Health{Interval: ms(20), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
	s := bindIn(t, k, c)
	f := newFront(t, New(Route{Service: s}))
	if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 { // the first request waits for the first answer
		t.Fatal(resp, err, f.last(t))
	}
	if o := f.last(t); o.Upstream.Target != "127.0.0.1:"+port {
		t.Errorf("%+v", o)
	}
	first := s.current().endpoints[0]

	dns.Set(t, "orders.test. 5 IN A 127.0.0.2", "orders.test. 5 IN A 127.0.0.1")
	eventually(t, "a new address is not seen", func() bool {
		return slices.Equal(targetsOf(s), []string{"127.0.0.1:" + port, "127.0.0.2:" + port})
	})
	if s.current().endpoints[0] != first || openTo(first) != 1 {
		t.Error("the address that stayed lost its connections")
	}
	eventually(t, "the new address is not probed", func() bool { return s.watches[0].Watched() == 2 })

	dns.Set(t, "orders.test. 5 IN A 127.0.0.2")
	eventually(t, "an old address stays", func() bool { return slices.Equal(targetsOf(s), []string{"127.0.0.2:" + port}) })
	if openTo(first) != 0 {
		t.Error("connections to an address that is gone stay open")
	}
	if n := s.watches[0].Watched(); n != 1 {
		t.Errorf("%d addresses are probed", n)
	}

	for name, fail := range map[string]func(){"servers that fail": func() { dns.Fail(2) }, "no such name": func() { dns.Fail(3) }} {
		fail() // the last good answer stays in use
		stale := func() bool { n := names(k)["dns:orders.test:"+port]; return n.Stale && n.Failures > 0 }
		eventually(t, name+": not told", stale)
		if got := targetsOf(s); len(got) != 1 || names(k)["dns:orders.test:"+port].Addresses != 1 {
			t.Errorf("%s: %v", name, got)
		}
		dns.Fail(0)
		eventually(t, name+": stays stale", not(stale))
	}
}

func names(k *Keeper) map[string]NameStats {
	out := map[string]NameStats{}
	k.EachName(func(n NameStats) { out[n.Name] = n })
	return out
}

// What a name no longer leads to is used for a while, and then no more.
func TestStaleAnswersEnd(t *testing.T) {
	for what, c := range map[string]struct {
		code        int
		stale, gone int
		over        bool
	}{
		"servers that fail, for long": {2, 30, 60_000, true}, "servers that fail": {2, 60_000, 0, false},
		"no such name, for long": {3, 60_000, 30, true}, "no such name": {3, 60_000, 60_000, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dns := dnstest.New(t, "orders.test. 5 IN A 127.0.0.1")
			cfg := asks(service("dns:orders.test:80"), dns)
			cfg.Resolve.Stale, cfg.Resolve.Gone = ms(c.stale), ms(c.gone)
			k := newTestKeeper(t)
			s := bindIn(t, k, cfg)
			eventually(t, "never looked up", func() bool { return len(targetsOf(s)) == 1 })
			dns.Fail(c.code)
			eventually(t, "never fails", func() bool { return names(k)["dns:orders.test:80"].Failures > 1 })
			if c.over {
				eventually(t, "used for ever", func() bool { return len(targetsOf(s)) == 0 })
				dns.Fail(0)
				eventually(t, "never back", func() bool { return len(targetsOf(s)) == 1 })
			} else if len(targetsOf(s)) != 1 {
				t.Error("used no more")
			}
		})
	}
}

// A name whose address does not answer any more is looked up at once.
func TestDoubtedAddress(t *testing.T) {
	b := newBackend(t, always(okAnswer))
	_, port, _ := net.SplitHostPort(b.address())
	dns := dnstest.New(t, "orders.test. 3600 IN A 127.0.0.77")
	cfg := asks(service("dns:orders.test:"+port), dns)
	cfg.Resolve.Max = ms(3_600_000)
	f := newFront(t, New(Route{Service: bind(t, cfg)}))
	if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 502 {
		t.Fatal(resp, err)
	}
	dns.Set(t, "orders.test. 3600 IN A 127.0.0.1")
	eventually(t, "the old address is used for as long as it says", func() bool {
		resp, _, err := get(t, f.URL+"/")
		return err == nil && resp.StatusCode == 200
	})
}

// A name is looked up again when its time to live is over, within bounds.
func TestTimeToLive(t *testing.T) {
	for what, c := range map[string]struct {
		ttl, min, max int
		again         bool // within half a second
	}{
		"short": {0, 20, 60_000, true}, "long, bounded": {3600, 20, 20, true}, "short, bounded": {0, 60_000, 60_000, false}, "long": {3600, 20, 3_600_000, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dns := dnstest.New(t, fmt.Sprintf("orders.test. %d IN A 127.0.0.1", c.ttl))
			cfg := asks(service("dns:orders.test:80"), dns)
			cfg.Resolve.Min, cfg.Resolve.Max = ms(c.min), ms(c.max)
			s := bind(t, cfg)
			eventually(t, "never looked up", func() bool { return len(targetsOf(s)) == 1 })
			first := dns.Asked("orders.test")
			if c.again {
				eventually(t, "never looked up again", func() bool { return dns.Asked("orders.test") > first })
				return
			}
			time.Sleep(500 * time.Millisecond)
			if n := dns.Asked("orders.test"); n != first {
				t.Errorf("asked %d times more", n-first)
			}
		})
	}
}

func TestUnresolvedTargets(t *testing.T) {
	hang := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	none, silent := dnstest.New(t), dnstest.New(t)
	silent.Silence(true)
	for name, c := range map[string]struct {
		config Config
		dialer *dial.Dialer
		status int
		reason string
	}{
		"no such name":        {asks(service("dns:orders.test:80"), none), dial.New(dial.Options{}), 502, "dns"},
		"no such service":     {asks(service("srv:_http._tcp.orders.test"), none), dial.New(dial.Options{}), 502, "dns"},
		"no answer":           {asks(service("dns:orders.test:80"), silent), dial.New(dial.Options{}), 504, "connect-timeout"},
		"a plain name, hangs": {service("orders.test:80"), dial.New(dial.Options{Resolver: hang}), 504, "connect-timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			k := NewKeeper(Options{Dialer: c.dialer, Log: quietLog()})
			t.Cleanup(k.Close)
			cfg := c.config
			cfg.Timeouts.Connect = ms(60)
			began := time.Now()
			s := bindIn(t, k, cfg)
			if d := time.Since(began); d > dial.DefaultTimeout/2 {
				t.Errorf("binding waited %v for a name", d)
			}
			f := newFront(t, New(Route{Service: s}))
			resp, _, err := get(t, f.URL+"/")
			if o := f.last(t); err != nil || resp.StatusCode != c.status || o.Reason != c.reason {
				t.Errorf("%v, %v, %+v", resp, err, o)
			}
		})
	}
}
