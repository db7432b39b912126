package dns

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gatehouse/test/dnstest"
)

func TestNames(t *testing.T) {
	records := []string{
		"7.2.0.192.in-addr.arpa. 60 IN PTR Crawl-7.Bot.test.",
		"8.2.0.192.in-addr.arpa. 30 IN CNAME 8.0-15.2.0.192.in-addr.arpa.",
		"8.0-15.2.0.192.in-addr.arpa. 60 IN PTR a.test.",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR six.test.",
	}
	for i := range MaxNames + 4 {
		records = append(records, fmt.Sprintf("9.2.0.192.in-addr.arpa. 60 IN PTR n%d.test.", i))
	}
	r := resolver(dnstest.New(t, records...))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for address, want := range map[string]string{
		"192.0.2.7": "[crawl-7.bot.test] 1m0s", "::ffff:192.0.2.7": "[crawl-7.bot.test] 1m0s", "192.0.2.8": "[a.test] 30s", "2001:db8::1": "[six.test] 1m0s",
	} {
		names, ttl, err := r.Names(ctx, netip.MustParseAddr(address))
		expect(t, fmt.Sprint(names, " ", ttl), want)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if names, _, err := r.Names(ctx, netip.MustParseAddr("192.0.2.9")); len(names) != MaxNames || err != nil {
		t.Errorf("%d names, %v", len(names), err)
	}
	for _, a := range []netip.Addr{netip.MustParseAddr("192.0.2.99"), {}} {
		if _, _, err := r.Names(ctx, a); !NotFound(err) {
			t.Errorf("%v: %v", a, err)
		}
	}
}
