package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/balance"
	"gatehouse/config"
	"gatehouse/dial"
	"gatehouse/secrets"
	"gatehouse/upstream/guard"
	"gatehouse/upstream/ticket"
)

// crowd is n targets that answer with their numbers, below a keeper whose data
// stays over restarts.
type crowd struct {
	t      *testing.T
	data   string
	keeper *Keeper
	config Config
	addr   []string
}

func newCrowd(t *testing.T, n int, s Sticky) *crowd {
	c := &crowd{t: t, data: t.TempDir()}
	for i := range n {
		c.addr = append(c.addr, newBackend(t, always(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", i))).address())
	}
	c.config = service(c.addr...)
	c.config.Sticky = &s
	c.start()
	return c
}

// start makes a keeper of its own, as a start of the gateway does.
func (c *crowd) start() {
	c.keeper = NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: quietLog(), Tickets: sync.OnceValues(func() (*ticket.Ring, error) { return ticket.Open(secrets.NewFiles(c.data)) })})
	c.t.Cleanup(c.keeper.Close)
}

// ring returns the keys of the keeper's tickets.
func (c *crowd) ring() *ticket.Ring {
	c.t.Helper()
	r, err := c.keeper.options.Tickets()
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *crowd) front(h http.Handler) *front { return newFront(c.t, h) }

// ask asks with a cookie, and returns who answered and the cookie that was set,
// if any.
func (c *crowd) ask(f *front, cookie string) (body string, set *http.Cookie) {
	c.t.Helper()
	req, _ := http.NewRequest("GET", f.URL+"/", nil)
	if cookie != "" {
		req.Header.Set("Cookie", "a=b; gatehouse-orders="+cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, k := range resp.Cookies() {
		set = k
	}
	return string(text), set
}

func TestSticky(t *testing.T) {
	c := newCrowd(t, 4, Sticky{})
	f := c.front(New(Route{Service: bindIn(t, c.keeper, c.config)}))
	tickets := map[string]string{}
	for range 20 {
		body, set := c.ask(f, "")
		if set == nil || !set.HttpOnly || set.Secure || set.SameSite != http.SameSiteLaxMode || set.Path != "/" || set.MaxAge != 0 {
			t.Fatalf("%v", set)
		}
		if before := tickets[body]; before == set.Value || strings.Contains(set.Value, c.addr[0]) {
			t.Errorf("the ticket tells its target: %q", set.Value)
		}
		tickets[body] = set.Value
	}
	if len(tickets) != 4 {
		t.Fatalf("%d targets answered", len(tickets))
	}
	for target, value := range tickets {
		for range 8 {
			if body, set := c.ask(f, value); body != target || set != nil {
				t.Errorf("%s answered in place of %s, and set %v", body, target, set)
			}
		}
	}
	// Another configuration, and another start, know the clients again, whatever
	// the order of the targets.
	c.config.Targets[0], c.config.Targets[3] = c.config.Targets[3], c.config.Targets[0]
	again := c.front(New(Route{Service: bindIn(t, c.keeper, c.config)}))
	c.start()
	restarted := c.front(New(Route{Service: bindIn(t, c.keeper, c.config)}))
	for target, value := range tickets {
		for _, f := range []*front{again, restarted} {
			if body, set := c.ask(f, value); body != target || set != nil {
				t.Errorf("%s answered in place of %s, and set %v", body, target, set)
			}
		}
	}
}

// A target that is gone, down or unknown loses its clients to another, which
// then keeps them.
func TestStickyFallsBack(t *testing.T) {
	c := newCrowd(t, 2, Sticky{})
	gone := newBackend(t, always(okAnswer))
	c.config.Targets = append(c.config.Targets, service(gone.address()).Targets...)
	c.config.Health = &Health{Interval: config.Duration(time.Hour), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
	s := bindIn(t, c.keeper, c.config)
	f := c.front(New(Route{Service: s, Retries: 1}))
	value := string(c.ring().Append(nil, "orders", ticket.Ticket{Target: number(gone.address()), Issued: time.Now()}))
	if body, set := c.ask(f, value); body != "ok" || set != nil {
		t.Fatalf("%q %v", body, set)
	}
	gone.Close()
	gone.mu.Lock()
	for _, conn := range gone.conns {
		conn.Close()
	}
	gone.mu.Unlock()
	s.current().health[2].Unreachable("the test says so")
	for range 4 {
		body, set := c.ask(f, value)
		if set == nil || body != "0" && body != "1" {
			t.Fatalf("%q %v", body, set)
		}
		if next, set := c.ask(f, set.Value); next != body || set != nil {
			t.Errorf("%s answered, not %s", next, body)
		}
	}
	for _, forged := range []string{"", "x", strings.Repeat("A", ticket.Size), value[1:] + "A"} {
		if _, set := c.ask(f, forged); set == nil {
			t.Errorf("%q is a ticket", forged)
		}
	}
	// One that is down without anybody knowing: the request finds out.
	c.config.Health = nil
	f = c.front(New(Route{Service: bindIn(t, c.keeper, c.config), Retries: 1}))
	if body, set := c.ask(f, value); set == nil || body != "0" && body != "1" {
		t.Errorf("%q %v", body, set)
	}
}

func TestStickyTime(t *testing.T) {
	c := newCrowd(t, 2, Sticky{TTL: config.Duration(time.Hour)})
	f := c.front(New(Route{Service: bindIn(t, c.keeper, c.config)}))
	for _, tc := range []struct {
		age        time.Duration
		kept, anew bool
	}{{0, true, false}, {14 * time.Minute, true, false}, {16 * time.Minute, true, true}, {59 * time.Minute, true, true}, {61 * time.Minute, false, true}, {-2 * time.Minute, false, true}} {
		kept := 0
		for range 4 {
			value := string(c.ring().Append(nil, "orders", ticket.Ticket{Target: number(c.addr[1]), Issued: time.Now().Add(-tc.age)}))
			body, set := c.ask(f, value)
			if body == "1" {
				kept++
			}
			if tc.kept && (set != nil) != tc.anew || set != nil && set.MaxAge != 3600 {
				t.Errorf("%v: %v", tc.age, set)
			}
		}
		if (kept == 4) != tc.kept {
			t.Errorf("%v: kept %d of 4", tc.age, kept)
		}
	}
}

func TestStickyAttributes(t *testing.T) {
	for _, tc := range []struct {
		site   string
		secure bool
		want   string
	}{
		{"lax", false, "; Path=/; HttpOnly; SameSite=Lax"}, {"lax", true, "; Path=/; HttpOnly; SameSite=Lax; Secure"},
		{"strict", true, "; Path=/; HttpOnly; SameSite=Strict; Secure"},
		{"none", true, "; Path=/; HttpOnly; SameSite=None; Secure"}, {"none", false, "; Path=/; HttpOnly; SameSite=Lax"},
	} {
		c := newCrowd(t, 1, Sticky{Cookie: "s", SameSite: tc.site})
		h := http.Header{}
		bindIn(t, c.keeper, c.config).sticky.set(h, tc.secure, c.addr[0])
		if got := h.Get("Set-Cookie"); len(got) != 2+ticket.Size+len(tc.want) || !strings.HasPrefix(got, "s=") || !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s %v: %s", tc.site, tc.secure, got)
		}
	}
}

// Nobody is bound to a target that fails.
func TestStickyNotToFailures(t *testing.T) {
	c := newCrowd(t, 1, Sticky{})
	bad := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for request(r) != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		}
	})
	cfg := service(bad.address())
	cfg.Sticky = &Sticky{}
	f := c.front(New(Route{Service: bindIn(t, c.keeper, cfg)}))
	if _, set := c.ask(f, ""); set != nil {
		t.Errorf("%v", set)
	}
}

// With shares by weight, a client stays with the service that has its session, as
// long as that has a share at all.
func TestStickySplit(t *testing.T) {
	a, b := newCrowd(t, 1, Sticky{Cookie: "gatehouse-orders"}), newCrowd(t, 1, Sticky{Cookie: "gatehouse-orders"})
	b.data = a.data
	b.start()
	a.config.Name, b.config.Name = "a", "b"
	one, two := New(Route{Service: bindIn(t, a.keeper, a.config)}), New(Route{Service: bindIn(t, b.keeper, b.config)})
	served := func(f *front) string { return f.last(t).Upstream.Service }
	f := a.front(Split([]Share{{one, 1}, {two, 1}}))
	for range 4 {
		_, set := a.ask(f, "")
		first := served(f)
		for range 6 {
			if _, again := a.ask(f, set.Value); again != nil {
				t.Errorf("set again: %v", again)
			}
			if now := served(f); now != first {
				t.Errorf("%s answered, not %s", now, first)
			}
		}
	}
	value := string(a.ring().Append(nil, "b", ticket.Ticket{Target: number(b.addr[0]), Issued: time.Now()}))
	f = a.front(Split([]Share{{one, 1}, {two, 0}}))
	if a.ask(f, value); served(f) != "a" {
		t.Error("a share of zero keeps its sessions")
	}
}

// Where all targets of a share are down, the others answer in its place, in
// proportion; where all of all are, nothing changes.
func TestSplitHealth(t *testing.T) {
	var shares []Share
	var services []*Service
	for i, name := range []string{"a", "b", "c"} {
		address := newBackend(t, always(okAnswer)).address()
		cfg := service(address)
		cfg.Name = name
		cfg.Health = &Health{Interval: config.Duration(time.Hour), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
		services = append(services, bind(t, cfg))
		shares = append(shares, Share{New(Route{Service: services[i]}), []int{80, 15, 5}[i]})
	}
	f := newFront(t, Split(shares))
	count := func(n int) map[string]int {
		got := map[string]int{}
		for range n {
			if _, _, err := get(t, f.URL+"/"); err != nil {
				t.Fatal(err)
			}
			got[f.last(t).Upstream.Service]++
		}
		return got
	}
	if got := count(100); got["a"] != 80 || got["b"] != 15 || got["c"] != 5 {
		t.Errorf("all are healthy: %v", got)
	}
	eventually(t, "the probes", func() bool { return services[0].Available() && services[1].Available() })
	services[0].current().health[0].Unreachable("the test says so")
	if got := count(400); got["a"] != 0 || got["b"] < 240 || got["c"] < 50 {
		t.Errorf("a is down: %v", got)
	}
	for _, s := range services {
		s.current().health[0].Unreachable("the test says so")
	}
	if got := count(100); got["a"] != 80 || got["b"] != 15 || got["c"] != 5 {
		t.Errorf("all are down: %v", got)
	}
}

func TestStickyConfig(t *testing.T) {
	for text, says := range map[string]string{
		`cookie`:                     "",
		`{cookie: session, ttl: 1h}`: "",
		`{}`:                         "",
		`session`:                    "write sticky: cookie",
		`{cookie: "a b"}`:            "no name of a cookie",
		`{ttl: 1ms}`:                 "1s to 365d",
		`{same-site: never}`:         "lax, strict or none",
	} {
		var s struct {
			Services map[string]*Config `yaml:"services"`
		}
		_, err := config.LoadBytes("t.yaml", []byte(`services: {a: {targets: ["127.0.0.1:1"], sticky: `+text+`}}`), &s, config.Options{})
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A session's target that has no room just now, or is ejected, leaves the
// request to another; what has no room gets its client back.
func TestStickyGuarded(t *testing.T) {
	c := newCrowd(t, 3, Sticky{})
	c.config.Concurrency = &guard.Concurrency{PerTarget: 1}
	c.config.Outliers = &guard.Outliers{Consecutive: 1, Ejection: config.Duration(time.Hour), Longest: config.Duration(time.Hour), Window: config.Duration(time.Minute), Minimum: 1, Share: 1, Status: guard.Statuses{{500, 599}}}
	s := bindIn(t, c.keeper, c.config)
	f := c.front(New(Route{Service: s}))
	first, set := c.ask(f, "")
	if set == nil {
		t.Fatal("no session")
	}
	mine := s.current().numbers[number(c.addr[int(first[0]-'0')])]
	query := balance.Query{Want: mine + 1}
	if got := s.current().picker.Choose(&query); got != mine || !query.Entry {
		t.Fatalf("picked %d, not %d", got, mine)
	}
	if body, again := c.ask(f, set.Value); body == first || again != nil {
		t.Errorf("without room %s answered, and set %v", body, again)
	}
	s.current().picker.Target(mine).State.Leave()
	if body, again := c.ask(f, set.Value); body != first || again != nil {
		t.Errorf("with room %s answered, not %s, and set %v", body, first, again)
	}
	s.guard.Outliers.Report(s.current().picker.Target(mine), false, false, "the test says so", time.Now())
	body, again := c.ask(f, set.Value)
	if body == first || again == nil {
		t.Errorf("ejected: %s answered, and set %v", body, again)
	}
}

// A service that its breaker leaves alone is passed over by shares, until it may
// be tried.
func TestSplitBreaker(t *testing.T) {
	k := newTestKeeper(t)
	bound := func(name string, b *guard.Breaker) *Service {
		cfg := service(newBackend(t, always(okAnswer)).address())
		cfg.Name, cfg.Breaker = name, b
		return bindIn(t, k, cfg)
	}
	a := bound("a", &guard.Breaker{Failures: 0.5, Window: config.Duration(time.Minute), Minimum: 1, Open: config.Duration(time.Hour), Trials: 1})
	b := bound("b", nil)
	f := newFront(t, Split([]Share{{New(Route{Service: a}), 9}, {New(Route{Service: b}), 1}}))
	count := func() (n int) {
		for range 20 {
			if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			if f.last(t).Upstream.Service == "a" {
				n++
			}
		}
		return n
	}
	if n := count(); n != 18 {
		t.Errorf("closed: %d of 20", n)
	}
	a.guard.Breaker.Set(&balance.BreakerOptions{Ratio: 0.01, Window: time.Minute, Minimum: 1, Open: time.Hour, Trials: 1})
	a.guard.Breaker.Report(false, false, time.Now())
	if a.Available() || !a.guard.Breaker.Refuses() {
		t.Error("an open breaker's service is available")
	}
	if n := count(); n != 0 {
		t.Errorf("open: %d of 20", n)
	}
}
