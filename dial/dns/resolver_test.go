package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"gatehouse/dial"
	"gatehouse/test/dnstest"
)

func resolver(servers ...*dnstest.Server) *Resolver {
	o := Options{Dialer: dial.New(dial.Options{})}
	for _, s := range servers {
		o.Servers = append(o.Servers, netip.MustParseAddrPort(s.Addr))
	}
	return New(o)
}

// look returns what a look-up comes to, in words.
func look(t *testing.T, r *Resolver, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a, err := r.Addresses(ctx, name)
	return words(a, err)
}

func words(a Answer, err error) string {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return "no *Error: " + err.Error()
		}
		if e.Kind == Missing {
			return fmt.Sprintf("missing for %s", e.TTL)
		}
		return "failed: " + e.Why
	}
	return fmt.Sprint(a.Addrs, " for ", a.TTL)
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestAddresses(t *testing.T) {
	s := dnstest.New(t,
		"both.test. 30 IN A 10.0.0.1", "both.test. 20 IN A 10.0.0.2", "both.test. 40 IN AAAA 2001:db8::1",
		"mapped.test. 5 IN AAAA ::ffff:10.0.0.9",
		"alias.test. 60 IN CNAME next.test.", "next.test. 7 IN CNAME both.test.",
		"loop.test. 5 IN CNAME pool.test.", "pool.test. 5 IN CNAME loop.test.",
		"dangling.test. 5 IN CNAME nobody.test.",
		"text.test. 5 IN TXT hello", "zero.test. 0 IN A 10.0.0.3", "old.test. 4000000000 IN A 10.0.0.4",
		"UPPER.test. 5 IN A 10.0.0.5",
	)
	r := resolver(s)
	for name, want := range map[string]string{
		"both.test":               "[10.0.0.1 10.0.0.2 2001:db8::1] for 20s",
		"BOTH.test.":              "[10.0.0.1 10.0.0.2 2001:db8::1] for 20s",
		"upper.test":              "[10.0.0.5] for 5s",
		"alias.test":              "[10.0.0.1 10.0.0.2 2001:db8::1] for 7s",
		"mapped.test":             "[10.0.0.9] for 5s",
		"zero.test":               "[10.0.0.3] for 0s",
		"old.test":                "[10.0.0.4] for 0s",
		"nobody.test":             "missing for 2s",
		"text.test":               "missing for 2s",
		"dangling.test":           "missing for 2s",
		"loop.test":               "failed: too many aliases",
		"a..b":                    "missing for 168h0m0s",
		strings.Repeat("a.", 200): "missing for 168h0m0s",
	} {
		got := look(t, r, name)
		if name == "loop.test" && strings.HasPrefix(got, "missing") {
			continue // either will do
		}
		if got != want {
			t.Errorf("%.40s: %s, want %s", name, got, want)
		}
	}
}

// An alias that the server does not follow is asked for itself, and only what
// belongs to the name counts.
func TestAliasIsFollowed(t *testing.T) {
	q := new(dns.Msg)
	q.SetQuestion("a.test.", dns.TypeA)
	m := new(dns.Msg)
	m.SetReply(q)
	for _, text := range []string{"A.test. 9 IN CNAME b.test.", "evil.test. 5 IN A 6.6.6.6", "a.test. 5 CH A 6.6.6.6"} {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	f := &found{ttl: longest, negative: longest}
	f.add(m)
	if f.alias != "b.test." || len(f.addrs) != 0 || f.ttl != 9*time.Second {
		t.Errorf("%+v", f)
	}
}

func TestServers(t *testing.T) {
	good := dnstest.New(t, "a.test. 5 IN A 10.0.0.1")
	const here = "[10.0.0.1] for 5s"
	for what, code := range map[string]int{"SERVFAIL": dns.RcodeServerFailure, "REFUSED": dns.RcodeRefused} {
		bad := dnstest.New(t)
		bad.Fail(code)
		r := resolver(bad)
		expect(t, look(t, r, "a.test"), "failed: "+what)
		r = resolver(bad, good)
		expect(t, look(t, r, "a.test"), here)
		n := bad.Asked("a.test")
		expect(t, look(t, r, "a.test"), here)
		if bad.Asked("a.test") != n {
			t.Error("the server that failed is asked first again")
		}
	}
	// Who does not exist for one server does not exist.
	empty := dnstest.New(t)
	expect(t, look(t, resolver(empty, good), "a.test"), "missing for 2s")

	good.Age(true)
	expect(t, look(t, resolver(good), "a.test"), here)
	good.Age(false)
	good.Lie(true)
	expect(t, look(t, resolver(good), "a.test"), here)
	good.Lie(false)
	nobody := &dnstest.Server{Addr: "127.0.0.1:1"}
	expect(t, look(t, resolver(nobody), "a.test"), "failed: nobody listens there")
}

func TestTruncation(t *testing.T) {
	var records, want []string
	for i := range 200 {
		records = append(records, fmt.Sprintf("many.test. 5 IN A 10.0.1.%d", i))
		want = append(want, fmt.Sprintf("10.0.1.%d", i))
	}
	for i := range 100 {
		records = append(records, fmt.Sprintf("many.test. 5 IN AAAA 2001:db8::%x", i))
		if i < MaxAddresses-200 {
			want = append(want, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)).String())
		}
	}
	s := dnstest.New(t, records...)
	all := fmt.Sprint("[", strings.Join(want, " "), "] for 5s")
	expect(t, look(t, resolver(s), "many.test"), all)
	s.CloseTCP(true)
	if got := look(t, resolver(s), "many.test"); !strings.HasPrefix(got, "failed: over TCP: ") {
		t.Errorf("half an answer: %s", got)
	}
}

// A server that never answers for IPv6 delays an answer by little, and one that
// is slow or silent makes way for the next.
func TestSlowServers(t *testing.T) {
	s := dnstest.New(t, "a.test. 5 IN A 10.0.0.1", "b.test. 5 IN AAAA 2001:db8::1")
	s.Deafen(dns.TypeAAAA)
	began := time.Now()
	expect(t, look(t, resolver(s), "a.test"), "[10.0.0.1] for 5s")
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
	s.Deafen(0)
	s.Delay(100 * time.Millisecond)
	expect(t, look(t, resolver(s), "a.test"), "[10.0.0.1] for 5s")
	s.Silence(true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began = time.Now()
	a, err := resolver(s).Addresses(ctx, "a.test")
	expect(t, words(a, err), "failed: no answer in time")
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
	gone, leave := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, leave)
	began = time.Now()
	_, err = resolver(s).Addresses(gone, "a.test")
	if d := time.Since(began); err == nil || d > 2*time.Second {
		t.Errorf("cancelled: %v after %s", err, d)
	}
}

// etc writes the system's files into a folder.
func etc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// onSystem is a resolver whose system's servers are s.
func onSystem(dir string, s *dnstest.Server) *Resolver {
	r := New(Options{Dialer: dial.New(dial.Options{}), Etc: dir})
	parse := r.system.resolv.parse
	r.system.resolv.parse = func(rd io.Reader) settings {
		out := parse(rd)
		out.servers = []netip.AddrPort{netip.MustParseAddrPort(s.Addr)}
		return out
	}
	return r
}

func TestSearchList(t *testing.T) {
	s := dnstest.New(t, "orders.ns.svc.test. 5 IN A 10.0.0.1", "orders.svc.test. 5 IN A 10.0.0.2", "api.other. 5 IN A 10.0.0.3", "api.other.ns.svc.test. 5 IN A 10.0.0.4")
	conf := "# a comment\nsearch ns.svc.test svc.test\noptions ndots:%d timeout:1 attempts:1\n"
	for _, c := range []struct {
		ndots      int
		name, want string
	}{
		{1, "orders", "[10.0.0.1] for 5s"}, {1, "orders.svc", "missing for 2s"}, {1, "orders.svc.test", "[10.0.0.2] for 5s"},
		{1, "api.other", "[10.0.0.3] for 5s"}, {5, "api.other", "[10.0.0.4] for 5s"}, {5, "api.other.", "[10.0.0.3] for 5s"}, {1, "orders.", "missing for 2s"},
	} {
		r := onSystem(etc(t, map[string]string{"resolv.conf": fmt.Sprintf(conf, c.ndots)}), s)
		if got := look(t, r, c.name); got != c.want {
			t.Errorf("ndots %d, %s: %s, want %s", c.ndots, c.name, got, c.want)
		}
	}
	// While nobody knows whether the first name exists, the next is no answer.
	s.Fail(dns.RcodeServerFailure)
	r := onSystem(etc(t, map[string]string{"resolv.conf": fmt.Sprintf(conf, 5)}), s)
	before := s.Asked("orders.svc.test")
	expect(t, look(t, r, "orders"), "failed: SERVFAIL")
	if s.Asked("orders.svc.test") != before {
		t.Error("the search went on")
	}
}

func TestHosts(t *testing.T) {
	s := dnstest.New(t, "orders.test. 9 IN A 10.0.0.1", "other.test. 9 IN A 10.0.0.2")
	files := map[string]string{
		"resolv.conf": "nameserver 127.0.0.1\n",
		"hosts":       "192.0.2.1 Orders.test alias # comment\n2001:db8::7\torders.test\n192.0.2.9 only\nbroken line\n",
	}
	dir := etc(t, files)
	r := onSystem(dir, s)
	expect(t, look(t, r, "orders.test"), "[192.0.2.1 2001:db8::7] for 5s")
	expect(t, look(t, r, "ALIAS."), "[192.0.2.1] for 5s")
	expect(t, look(t, r, "other.test"), "[10.0.0.2] for 9s")
	expect(t, look(t, r, "localhost"), "[127.0.0.1 ::1] for 5s")
	expect(t, look(t, r, "a.localhost"), "[127.0.0.1 ::1] for 5s")

	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hosts", "192.0.2.77 orders.test\n")
	expect(t, look(t, r, "orders.test"), "[192.0.2.77] for 5s")
	write("nsswitch.conf", "passwd: files\nhosts: dns [NOTFOUND=continue] files\n")
	expect(t, look(t, r, "orders.test"), "[10.0.0.1] for 9s")
	write("hosts", "192.0.2.78 nobody.test\n")
	expect(t, look(t, r, "nobody.test"), "[192.0.2.78] for 5s")
	write("nsswitch.conf", "hosts: files\n")
	expect(t, look(t, r, "orders.test"), "missing for 0s")
	write("nsswitch.conf", "hosts: dns\n")
	expect(t, look(t, r, "nobody.test"), "missing for 2s")
}

func TestResolvConf(t *testing.T) {
	got := parseResolv(strings.NewReader("; old\ndomain a.test\nsearch b.test. c.test\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\nnameserver 10.0.0.2\nnameserver 10.0.0.3\noptions ndots:99 timeout:0 attempts:77 rotate use-vc ndots:x\n"))
	want := settings{
		servers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53"), netip.MustParseAddrPort("10.0.0.2:53")},
		domains: []string{"b.test.", "c.test."}, ndots: 15, timeout: time.Second, attempts: 5, rotate: true, tcp: true,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if got := parseResolv(strings.NewReader("")); len(got.servers) != 1 || got.servers[0].String() != "127.0.0.1:53" {
		t.Errorf("%+v", got)
	}
}

func TestUseTCP(t *testing.T) {
	s := dnstest.New(t, "a.test. 5 IN A 10.0.0.1")
	s.Silence(true)
	r := onSystem(etc(t, map[string]string{"resolv.conf": "options use-vc attempts:1\n"}), s)
	expect(t, look(t, r, "a.test"), "[10.0.0.1] for 5s")
}

func TestService(t *testing.T) {
	s := dnstest.New(t,
		"_http._tcp.orders.test. 30 IN SRV 10 60 8080 One.test.", "_http._tcp.orders.test. 30 IN SRV 10 40 8081 two.test.",
		"_http._tcp.orders.test. 30 IN SRV 20 0 8082 one.test.", "_http._tcp.orders.test. 30 IN SRV 30 0 8083 nobody.test.",
		"one.test. 9 IN A 10.0.0.1", "one.test. 9 IN AAAA 2001:db8::1", "two.test. 12 IN A 10.0.0.2",
		"_gone._tcp.orders.test. 30 IN SRV 0 0 0 .",
	)
	records, ttl, err := resolver(s).Service(t.Context(), "_http._tcp.orders.test")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%s:%d %d %d %v %t", r.Host, r.Port, r.Priority, r.Weight, r.Addrs, NotFound(r.Err)))
	}
	want := []string{
		"one.test:8080 10 60 [10.0.0.1 2001:db8::1] false", "two.test:8081 10 40 [10.0.0.2] false",
		"one.test:8082 20 0 [10.0.0.1 2001:db8::1] false", "nobody.test:8083 30 0 [] true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if ttl != 5*time.Second {
		t.Errorf("for %s: as long as the first of them holds, and the one that failed", ttl)
	}
	for _, name := range []string{"_gone._tcp.orders.test", "_none._tcp.orders.test"} {
		if _, _, err := resolver(s).Service(t.Context(), name); !NotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Fail(dns.RcodeServerFailure)
	if _, _, err := resolver(s).Service(t.Context(), "_http._tcp.orders.test"); err == nil || NotFound(err) {
		t.Error(err)
	}
}

func TestConcurrently(t *testing.T) {
	s := dnstest.New(t, "a.test. 5 IN A 10.0.0.1")
	r := onSystem(etc(t, map[string]string{"hosts": "192.0.2.1 b.test\n"}), s)
	done := make(chan string, 64)
	for i := range 64 {
		name := []string{"a.test", "b.test"}[i%2]
		go func() { done <- look(t, r, name) }()
	}
	for range 64 {
		if got := <-done; got != "[10.0.0.1] for 5s" && got != "[192.0.2.1] for 5s" {
			t.Error(got)
		}
	}
}
