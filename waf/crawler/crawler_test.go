package crawler

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/config"
	"gatehouse/dial"
	"gatehouse/dial/dns"
	"gatehouse/test/dnstest"
)

const google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

// zone is a Resolver whose answers a test decides.
type zone struct {
	mu      sync.Mutex
	reverse map[string][]string
	forward map[string][]string
	delay   time.Duration
	broken  bool
	asked   int
}

var errMissing = errors.New("missing")

func (z *zone) look(ctx context.Context, in map[string][]string, key string) ([]string, time.Duration, error) {
	z.mu.Lock()
	z.asked++
	found, delay, broken := in[key], z.delay, z.broken
	z.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	if broken {
		return nil, 0, errors.New("no answer in time")
	}
	if len(found) == 0 {
		return nil, time.Minute, errMissing
	}
	return found, 10 * time.Minute, nil
}

func (z *zone) Names(ctx context.Context, a netip.Addr) ([]string, time.Duration, error) {
	return z.look(ctx, z.reverse, a.String())
}

func (z *zone) Addresses(ctx context.Context, name string) (out []netip.Addr, ttl time.Duration, err error) {
	texts, ttl, err := z.look(ctx, z.forward, name)
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out, ttl, err
}

func (z *zone) Missing(err error) bool { return errors.Is(err, errMissing) }

func check(t *testing.T, c *Checker, ua, address, want string) {
	t.Helper()
	v, name := c.Check(ua, netip.MustParseAddr(address))
	if got := strings.TrimSpace(v.String() + " " + name); got != want {
		t.Errorf("%q from %s: %s, not %s", ua, address, got, want)
	}
}

func testZone() *zone {
	return &zone{
		reverse: map[string][]string{
			"66.249.66.1":  {"crawl-66-249-66-1.googlebot.com"},
			"66.249.66.2":  {"other.test", "crawl-66-249-66-2.googlebot.com"},
			"192.0.2.1":    {"crawl-66-249-66-1.googlebot.com"}, // a zone may name any host
			"192.0.2.2":    {"googlebot.com.evil.test"},
			"192.0.2.3":    {"evilgooglebot.com"},
			"34.0.0.1":     {"1.0.0.34.bc.googleusercontent.com"},
			"66.249.80.1":  {"google-proxy-66-249-80-1.google.com"},
			"66.249.90.1":  {"rate-limited-proxy-66-249-90-1.google.com"},
			"2001:db8::66": {"crawl-six.googlebot.com"},
		},
		forward: map[string][]string{
			"crawl-66-249-66-1.googlebot.com": {"66.249.66.1"}, "crawl-66-249-66-2.googlebot.com": {"66.249.66.9", "66.249.66.2"},
			"googlebot.com.evil.test": {"192.0.2.2"}, "evilgooglebot.com": {"192.0.2.3"}, "1.0.0.34.bc.googleusercontent.com": {"34.0.0.1"},
			"google-proxy-66-249-80-1.google.com": {"66.249.80.1"}, "rate-limited-proxy-66-249-90-1.google.com": {"66.249.90.1"}, "crawl-six.googlebot.com": {"2001:db8::66"},
		},
	}
}

func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper()
		defer k.Close()
		c := k.Checker(Known(), testZone())
		check(t, c, google, "66.249.66.1", "verified googlebot")
		check(t, c, google, "::ffff:66.249.66.1", "verified googlebot")
		check(t, c, strings.ToUpper(google), "66.249.66.2", "verified googlebot")
		check(t, c, google, "2001:db8::66", "verified googlebot")
		check(t, c, "AdsBot-Google (+http://www.google.com/adsbot.html)", "66.249.90.1", "verified google-special")
		for _, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9", "34.0.0.1", "66.249.90.1", "2001:db8::67"} {
			check(t, c, google, address, "impostor googlebot")
		}
		check(t, c, "AdsBot-Google", "66.249.80.1", "impostor google-special")
		check(t, c, "bingbot/2.0", "66.249.66.1", "impostor bingbot")
		check(t, c, google+" bingbot/2.0", "66.249.66.1", "impostor googlebot") // one address cannot be both
		check(t, c, google+" Googlebot", "66.249.66.1", "verified googlebot")
		check(t, c, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "66.249.66.1", "none")
		check(t, c, "", "66.249.66.1", "none")
		check(t, c, strings.Repeat("x", maxAgent)+"Googlebot", "192.0.2.1", "none")
		if v, _ := c.Check(google, netip.Addr{}); v != None || c.Claims(google) != "googlebot" || c.Claims("curl/8") != "" {
			t.Error("claims are what the User-Agent says")
		}
	})
}

// What was found holds for a while, over reloads, and is found out anew then.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, k := testZone(), NewKeeper()
		defer k.Close()
		check(t, k.Checker(Known(), z), google, "66.249.66.1", "verified googlebot")
		asked := z.asked
		c := k.Checker(Known(), z)
		check(t, c, google, "66.249.66.1", "verified googlebot")
		if z.asked != asked {
			t.Error("it was asked again")
		}
		z.mu.Lock()
		z.forward["crawl-66-249-66-1.googlebot.com"] = []string{"66.249.66.99"}
		z.mu.Unlock()
		time.Sleep(9 * time.Minute)
		check(t, c, google, "66.249.66.1", "verified googlebot")
		time.Sleep(2 * time.Minute)
		check(t, c, google, "66.249.66.1", "impostor googlebot")
		// The kind is another where it is verified otherwise.
		own := k.Checker([]Kind{{Name: "googlebot", Agents: []string{"Googlebot"}, Hosts: []string{".test"}}}, z)
		check(t, own, google, "66.249.66.2", "impostor googlebot")
	})
}

// A slow lookup holds nobody up for longer than Wait, and one that failed is tried
// again.
func TestSlowAndBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, k := testZone(), NewKeeper()
		defer k.Close()
		c := k.Checker(Known(), z)
		z.delay = time.Second
		begin := time.Now()
		check(t, c, google, "66.249.66.1", "unverified googlebot")
		if took := time.Since(begin); took != Wait {
			t.Errorf("waited for %v", took)
		}
		check(t, c, google, "66.249.66.1", "unverified googlebot") // joins the lookup
		time.Sleep(2 * time.Second)
		check(t, c, google, "66.249.66.1", "verified googlebot")
		if z.asked != 2 {
			t.Errorf("asked %d times", z.asked)
		}
		z.broken, z.delay = true, 0
		check(t, c, google, "66.249.66.2", "unverified googlebot")
		z.broken = false
		check(t, c, google, "66.249.66.2", "unverified googlebot")
		time.Sleep(failureHold)
		check(t, c, google, "66.249.66.2", "verified googlebot")
	})
}

// Lookups are bounded: of one network, and in all.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, k := testZone(), NewKeeper()
		defer k.Close()
		c := k.Checker(Known(), z)
		z.delay = time.Minute
		var all sync.WaitGroup
		ask := func(address string) {
			all.Go(func() { check(t, c, google, address, "unverified googlebot") })
		}
		for i := range 20 {
			ask(fmt.Sprintf("2001:db8:1:%x::1", i))
			ask(fmt.Sprintf("192.0.2.%d", i))
		}
		synctest.Wait()
		k.mu.Lock()
		if len(k.flights) != 2*maxPerNet {
			t.Errorf("%d lookups of two networks", len(k.flights))
		}
		k.mu.Unlock()
		for i := range 200 {
			ask(fmt.Sprintf("2001:db9:%x::1", i))
		}
		synctest.Wait()
		k.mu.Lock()
		if len(k.flights) != maxLookups {
			t.Errorf("%d lookups", len(k.flights))
		}
		k.mu.Unlock()
		all.Wait()
		time.Sleep(lookupTime)
		synctest.Wait()
		if len(k.flights)+len(k.nets) != 0 {
			t.Error("lookups do not end")
		}
	})
}

// The cache keeps no more than it may, and impostors push out nobody who was
// verified.
func TestCacheBounds(t *testing.T) {
	c, until := newCache(), time.Now().Add(time.Hour)
	at := func(i int) claim {
		return claim{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "googlebot"}
	}
	for i := range 100 {
		c.put(at(i), answer{Verified, until})
	}
	for i := range maxOthers + 1000 {
		c.put(at(1000+i), answer{Impostor, until})
	}
	if n := c.len(); n != maxOthers+100 {
		t.Errorf("%d are kept", n)
	}
	for i := range 100 {
		if v, ok := c.get(at(i), time.Now()); !ok || v != Verified {
			t.Fatal("a verified one is gone")
		}
	}
	c.put(at(1), answer{Impostor, until})
	if v, _ := c.get(at(1), time.Now()); v != Impostor {
		t.Error("it is verified no more")
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, k := testZone(), NewKeeper()
		z.delay = time.Hour
		c := k.Checker(Known(), z)
		check(t, c, google, "66.249.66.1", "unverified googlebot")
		k.Close() // or synctest complains of a goroutine
		check(t, c, google, "66.249.66.2", "unverified googlebot")
	})
}

// Over real DNS.
func TestDNS(t *testing.T) {
	server := dnstest.New(t,
		"7.2.0.192.in-addr.arpa. 60 IN PTR crawl-7.bots.partner.test.", "crawl-7.bots.partner.test. 60 IN A 192.0.2.7",
		"8.2.0.192.in-addr.arpa. 60 IN PTR crawl-7.bots.partner.test.",
		"9.2.0.192.in-addr.arpa. 60 IN PTR gone.bots.partner.test.",
	)
	c := Config{Known: map[string]Own{"partner": {UserAgent: []string{"PartnerBot"}, Domains: []string{"bots.partner.test"}}}}
	resolver := DNS(dns.New(dns.Options{Servers: []netip.AddrPort{netip.MustParseAddrPort(server.Addr)}, Dialer: dial.New(dial.Options{})}))
	k := NewKeeper()
	defer k.Close()
	checker := k.Checker(c.Kinds(), resolver)
	for address, want := range map[string]string{"192.0.2.7": "verified", "192.0.2.8": "impostor", "192.0.2.9": "impostor", "192.0.2.10": "impostor"} {
		// However slow this machine is: the answer comes, if not within Wait.
		ask := func() string {
			v, _ := checker.Check("PartnerBot/1", netip.MustParseAddr(address))
			return v.String()
		}
		for deadline := time.Now().Add(20 * time.Second); ask() == "unverified" && time.Now().Before(deadline); {
		}
		if got := ask(); got != want {
			t.Errorf("%s: %s, not %s", address, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	load := func(text string) (Config, error) {
		var doc struct {
			config.At
			Crawlers Config `yaml:"crawlers"`
		}
		_, err := config.LoadBytes("t.yaml", []byte(text), &doc, config.Options{})
		return doc.Crawlers, err
	}
	c, err := load("crawlers: {resolver: [10.0.0.53, '[::1]:5353'], known: {partner: {user-agent: PartnerBot, domains: .bots.Partner.test}, googlebot: {user-agent: Googlebot, domains: [g.test]}}}")
	if err != nil {
		t.Fatal(err)
	}
	kinds := c.Kinds()
	if len(kinds) != len(Known())+1 || kinds[0].Name != "googlebot" || kinds[0].Hosts[0] != ".g.test" || kinds[1].Hosts[0] != ".bots.partner.test" || c.Resolver[0].Port() != 53 {
		t.Errorf("%+v", kinds[:2])
	}
	for text, want := range map[string]string{
		"crawlers: {known: {a: {user-agent: bot, domains: a.test}}}":      `"bot" is in too many names`,
		"crawlers: {known: {a: {user-agent: abcd, domains: com}}}":        `"com" is no domain`,
		"crawlers: {known: {a: {user-agent: abcd, domains: '*.a.test'}}}": "is no domain",
		"crawlers: {known: {a: {user-agent: abcd}}}":                      `"domains" is missing`,
		"crawlers: {resolver: dns.test}":                                  "is no DNS server",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(google)
	f.Add("Googlebo")
	f.Add("GOOGLEBOT bingbot")
	c := newClaims(Known())
	f.Fuzz(func(t *testing.T, ua string) {
		a, one := c.of(ua)
		small := strings.ToLower(ua[:min(len(ua), maxAgent)])
		if a == nil && strings.Contains(small, "googlebot") && strings.ToLower(ua) == small || a != nil && len(ua) < len(a.text) || a == nil && !one {
			t.Fatalf("%q: %v, %v", ua, a, one)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	z, k := testZone(), NewKeeper()
	defer k.Close()
	c := k.Checker(Known(), z)
	addr := netip.MustParseAddr("66.249.66.1")
	for name, ua := range map[string]string{"browser": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36", "verified": google} {
		b.Run(name, func(b *testing.B) {
			c.Check(ua, addr)
			b.ReportAllocs()
			for b.Loop() {
				c.Check(ua, addr)
			}
		})
	}
}
