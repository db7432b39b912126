package edge

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLimitKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":                  "192.0.2.1",
		"::ffff:192.0.2.1":           "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":       "2001:db8:1:2::",
		"2001:db8:1:2:ffff:ffff::":   "2001:db8:1:2::",
		"fe80::1%eth0":               "fe80::",
		"64:ff9b::c000:201":          "64:ff9b::",
		"::1":                        "::",
		"2001:db8:1:3::":             "2001:db8:1:3::",
		"::ffff:0:192.0.2.1":         "::",
		"0000:0000::ffff:c000:0201":  "192.0.2.1",
		"2001:0db8:0001:0002::%zone": "2001:db8:1:2::",
	} {
		if got := limitKey(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := limitKey(netip.Addr{}); got.IsValid() {
		t.Error(got)
	}
}

func TestPerAddressForgets(t *testing.T) {
	var table perAddress
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	for _, step := range []struct {
		addr netip.Addr
		want bool
	}{{a, true}, {b, true}, {a, false}} {
		if got := table.take(step.addr, 2); got != step.want {
			t.Errorf("%s: %v", step.addr, got)
		}
	}
	table.give(a)
	table.give(b)
	if len(table.table) != 0 {
		t.Errorf("%v stays", table.table)
	}
}

// attack opens n connections and returns how many of them get an answer.
func attack(t *testing.T, h *house, n int) (served int64, conns []net.Conn) {
	t.Helper()
	var good atomic.Int64
	var all sync.WaitGroup
	conns = make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", h.addr())
		if err != nil {
			conns[i] = &net.TCPConn{} // reset before dial returned
			continue
		}
		conns[i] = c
		all.Go(func() {
			if status, _ := ask(t, conns[i], ""); status == http.StatusOK {
				good.Add(1)
			}
		})
	}
	all.Wait()
	return good.Load(), conns
}

func TestConnectionLimits(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Listener)
		count  func(*Counters) *atomic.Int64
	}{
		"in all":      {func(l *Listener) { l.Limits.Connections = 20 }, func(c *Counters) *atomic.Int64 { return &c.RefusedLimit }},
		"per address": {func(l *Listener) { l.Limits.ConnectionsPerAddress = 20 }, func(c *Counters) *atomic.Int64 { return &c.RefusedAddress }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil, listenerConfig(test.change))
			served, conns := attack(t, h, 200)
			if served != 20 {
				t.Errorf("%d of 200 were served", served)
			}
			c := h.counters()
			if c.Accepted.Load() != 200 || test.count(c).Load() != 180 || c.Active.Load() != 20 {
				t.Errorf("accepted %d, refused %d, active %d", c.Accepted.Load(), test.count(c).Load(), c.Active.Load())
			}
			for _, conn := range conns {
				_ = conn.Close()
			}
			eventually(t, "the rest is forgotten", func() bool { return c.Active.Load() == 0 })
			if served, _ := attack(t, h, 20); served != 20 {
				t.Errorf("afterwards %d of 20 were served", served)
			}
		})
	}
}

// A trusted proxy may hold any number of connections, the clients it names
// may not.
func TestLimitPerAddressBehindAProxy(t *testing.T) {
	few := func(l *Listener) { l.Limits.ConnectionsPerAddress = 3 }
	h := newHouse(t, whoAmI, listenerConfig(few, trusting("127.0.0.0/8"), proxying("accept")))
	for i := range 10 {
		if status, _ := ask(t, dial(t, h.addr()), ""); status != 200 {
			t.Fatalf("connection %d of the proxy: %d", i, status)
		}
	}
	for i := range 5 {
		status, _ := ask(t, dial(t, h.addr()), v1)
		if want := map[bool]int{true: 200, false: 0}[i < 3]; status != want {
			t.Errorf("connection %d of a client: %d, want %d", i, status, want)
		}
	}
	if got := h.counters().RefusedAddress.Load(); got != 2 {
		t.Errorf("%d refused", got)
	}
	if got := h.counters().ProxyErrors.Load(); got != 0 {
		t.Errorf("%d PROXY errors", got)
	}
}

// The books must be right whatever the order in which connections come and go.
func TestConnectionsComeAndGo(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS(), func(l *Listener) { l.Limits.ConnectionsPerAddress = 8 }))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range 30 {
				c, err := net.Dial("tcp", h.addr())
				if err != nil {
					continue
				}
				if i%2 == 0 {
					_, _ = io.WriteString(c, "\x16\x03")
				}
				_ = c.Close()
			}
		})
	}
	all.Wait()
	eventually(t, "all are forgotten", func() bool {
		var l *listener
		h.listeners.set.Each(func(_ string, entry *listener) { l = entry })
		l.mu.Lock()
		defer l.mu.Unlock()
		l.addrs.mu.Lock()
		defer l.addrs.mu.Unlock()
		return l.counters.Active.Load() == 0 && len(l.conns) == 0 && len(l.addrs.table) == 0
	})
}

// Without descriptors the listener waits, counts, and goes on afterwards.
func TestNoDescriptorsLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sets Linux limits")
	}
	h := newHouse(t, nil, listenerConfig())
	port := h.listeners.Addr("127.0.0.1:0").(*net.TCPAddr).Port
	client, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(client)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	restore := sync.OnceFunc(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
	defer restore()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}); err != nil {
		t.Skip(err)
	}
	if err := syscall.Connect(client, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "accept errors are counted", func() bool { return h.counters().AcceptErrors.Load() > 2 })
	restore()
	if _, err := syscall.Write(client, []byte("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := syscall.Read(client, buf)
	if err != nil || n < 15 || string(buf[:15]) != "HTTP/1.1 200 OK" {
		t.Errorf("%q %v", buf[:max(n, 0)], err)
	}
}
