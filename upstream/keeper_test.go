package upstream

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/config"
)

func stats(k *Keeper) map[string]Stats {
	out := map[string]Stats{}
	k.Each(func(s Stats) { out[s.Target] = s })
	return out
}

// eventually waits for what happens in other goroutines.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 5000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal(what)
}

// A reload keeps the connections of what it still names, closes those of what
// it does not, and an aborted one changes nothing.
func TestReloadKeepsConnections(t *testing.T) {
	b := newBackend(t, always(okAnswer))
	other := newBackend(t, always(okAnswer))
	k := newTestKeeper(t)
	use := func(c Config) {
		t.Helper()
		f := newFront(t, New(Route{Service: bindIn(t, k, c)}))
		if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
	}
	use(service(b.address()))
	again := service(b.address())
	again.Name, again.Balance.Method, again.Timeouts.Answer = "renamed", 1, ms(500)
	use(again)
	if b.accepted() != 1 {
		t.Error("the pool did not survive a reload that names the same target")
	}

	l := k.Begin()
	if _, err := l.Service(service(other.address())); err != nil {
		t.Fatal(err)
	}
	l.Abort()
	if s := stats(k); len(s) != 1 || s[b.address()].Idle != 1 {
		t.Errorf("after an abort: %+v", s)
	}

	old := bindIn(t, k, again)
	use(service(other.address()))
	if s := stats(k); len(s) != 1 || s[other.address()].Requests != 1 {
		t.Errorf("%+v", s)
	}
	if n := openTo(old.set.Load().endpoints[0]); n != 0 {
		t.Errorf("%d connections of a retired pool are open", n)
	}

	// Whoever still holds it may finish, and leaves nothing behind.
	f := newFront(t, New(Route{Service: old}))
	if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	f.last(t)
	eventually(t, "a retired pool keeps a connection", func() bool { return openTo(old.set.Load().endpoints[0]) == 0 })
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	b := newBackend(t, always(okAnswer))
	k := newTestKeeper(t)
	c := service(b.address())
	c.Pool.IdleTimeout = ms(30)
	f := newFront(t, New(Route{Service: bindIn(t, k, c)}))
	if _, _, err := get(t, f.URL+"/"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an idle connection stays open", func() bool { return stats(k)[b.address()].Open == 0 })

	c.Pool = Pool{Idle: 0}
	f = newFront(t, New(Route{Service: bindIn(t, k, c)}))
	for range 2 {
		if _, _, err := get(t, f.URL+"/"); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.accepted(); n != 3 {
		t.Errorf("%d connections, want one a request", n)
	}
}

func healthy(k *Keeper, address string) func() bool {
	return func() bool { return stats(k)[address].Healthy }
}

func not(f func() bool) func() bool { return func() bool { return !f() } }

func TestHealthChecks(t *testing.T) {
	var status atomic.Int64
	status.Store(200)
	var probes atomic.Int64
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for {
			req := request(r)
			if req == nil {
				return
			}
			if req.URL.Path == "/healthz" {
				probes.Add(1)
				if req.Header.Get("User-Agent") != "gatehouse-health" || !req.Close {
					t.Errorf("%v", req.Header)
				}
				if status.Load() == 503 {
					_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
					continue
				}
			}
			_, _ = io.WriteString(conn, okAnswer)
		}
	})
	steady := newBackend(t, always(okAnswer))
	k := newTestKeeper(t)
	c := service(b.address(), steady.address())
	c.Health = &Health{Path: "/healthz", Interval: ms(10), Timeout: ms(1000), Healthy: 2, Unhealthy: 2}
	s := bindIn(t, k, c)
	f := newFront(t, New(Route{Service: s}))
	picked := func() map[string]int {
		out := map[string]int{}
		for range 20 {
			if _, _, err := get(t, f.URL+"/"); err != nil {
				t.Fatal(err)
			}
			out[f.last(t).Upstream.Target]++
		}
		return out
	}
	eventually(t, "never probed", func() bool { return probes.Load() > 0 })
	if p := picked(); p[b.address()] != 10 {
		t.Errorf("%v", p)
	}
	status.Store(503)
	eventually(t, "stays healthy", not(healthy(k, b.address())))
	if p := picked(); p[b.address()] != 0 {
		t.Errorf("an unhealthy target was picked: %v", p)
	}
	if why := stats(k)[b.address()].Change.Why; why != "status 503" {
		t.Errorf("why: %q", why)
	}

	// A reload that does not change the probes keeps what they know.
	before := probes.Load()
	c.Balance.Method = 1
	s = bindIn(t, k, c)
	if s.set.Load().health[0].Usable() || probes.Load() > before+1 {
		t.Error("a reload forgets what is known")
	}
	status.Store(200)
	eventually(t, "stays unhealthy", healthy(k, b.address()))

	// Without the probes it is not probed.
	c.Health = nil
	bindIn(t, k, c)
	time.Sleep(30 * time.Millisecond)
	before = probes.Load()
	time.Sleep(50 * time.Millisecond)
	if n := probes.Load(); n > before {
		t.Errorf("%d probes after the section is gone", n-before)
	}
}

func TestHealthByConnecting(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		if n, _ := r.Read(make([]byte, 1)); n > 0 {
			t.Error("a probe without a path sends something")
		}
	})
	dead := refusing(t)
	k := newTestKeeper(t)
	c := service(b.address(), dead)
	c.Health = &Health{Interval: ms(10), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
	bindIn(t, k, c)
	eventually(t, "not seen to be dead", not(healthy(k, dead)))
	if !healthy(k, b.address())() || stats(k)[dead].Change.Why != "connect refused" {
		t.Errorf("%+v", stats(k))
	}
}

// A target that nobody can connect to is out at once, without waiting for a
// probe, and comes back with the first one that passes.
func TestUnreachableTarget(t *testing.T) {
	dead := refusing(t)
	b := newBackend(t, always(okAnswer))
	k := newTestKeeper(t)
	c := service(dead, b.address())
	c.Health = &Health{Interval: config.Duration(time.Hour), Timeout: ms(500), Healthy: 5, Unhealthy: 5}
	s := bindIn(t, k, c)
	f := newFront(t, New(Route{Service: s, Retries: 1}))
	for range 10 {
		if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
	}
	if got := stats(k)[dead]; got.Healthy || got.ConnectFailures != 1 || got.Change.Why != "connect refused" {
		t.Errorf("%+v", got)
	}
	l, err := net.Listen("tcp", dead)
	if err != nil {
		t.Skip("the port was taken meanwhile")
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	eventually(t, "stays out", healthy(k, dead))
}

func TestAllUnhealthy(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for {
			req := request(r)
			if req == nil {
				return
			}
			if req.URL.Path == "/healthz" {
				_, _ = io.WriteString(conn, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
				return
			}
			_, _ = io.WriteString(conn, okAnswer)
		}
	})
	for down, want := range map[string]int{"open": 200, "closed": 503} {
		k := newTestKeeper(t)
		c := service(b.address())
		c.Health = &Health{Path: "/healthz", Interval: ms(10), Timeout: ms(500), Healthy: 1, Unhealthy: 1, AllDown: down}
		f := newFront(t, New(Route{Service: bindIn(t, k, c)}))
		eventually(t, "stays healthy", not(healthy(k, b.address())))
		resp, _, err := get(t, f.URL+"/")
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v", down, resp, err)
		}
		if o := f.last(t); want == 503 && o.Reason != "no-target" {
			t.Errorf("%+v", o)
		}
	}
}

func targetsOf(s *Service) []string {
	var out []string
	for _, e := range s.current().endpoints {
		out = append(out, e.Address)
	}
	return out
}

func TestLeaseFails(t *testing.T) {
	k := newTestKeeper(t)
	l := k.Begin()
	defer l.Abort()
	c := service("127.0.0.1:1")
	c.TLS = &TLS{Client: &ClientCertificate{Internal: true}}
	if _, err := l.Service(c); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Error(err)
	}
	c.TLS = &TLS{CA: config.File{Path: "ca.pem", Content: []byte("nothing")}}
	if _, err := l.Service(c); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Error(err)
	}
}
