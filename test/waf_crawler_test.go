package test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/test/dnstest"
)

const crawled = `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}, trusted-proxies: [127.0.0.1]}]
crawlers:
  resolver: NAMES
  known: {partner: {user-agent: PartnerBot, domains: bots.partner.test}}
waf:
  edge:
    rules:
      - {name: impostors, when: {crawler: impostor}, action: block}
      - {name: verified, when: {crawler: {is: verified, names: [partner, googlebot]}}, action: {allow: {insert-headers: {bot: verified}}}}
      - {name: labelled, when: {label: "gatehouse:crawler:name:bingbot"}, action: {block: {status: 410}}}
      - {name: unknown, when: {crawler: claimed}, action: {block: {status: 429}}}
apis:
  shop: {domains: [localhost], authorize: none, waf: edge, routes: [{match: GET /, target: "service:a"}]}
services:
  a: {targets: ["BACKEND"]}
`

// Crawlers are told from their impostors by DNS.
func TestWAFCrawlers(t *testing.T) {
	names := dnstest.New(t,
		"7.2.0.192.in-addr.arpa. 60 IN PTR crawl-7.bots.partner.test.", "crawl-7.bots.partner.test. 60 IN A 192.0.2.7",
		"8.2.0.192.in-addr.arpa. 60 IN PTR crawl-7.bots.partner.test.",
		"1.66.249.66.in-addr.arpa. 60 IN PTR crawl-66-249-66-1.googlebot.com.", "crawl-66-249-66-1.googlebot.com. 60 IN A 66.249.66.1",
		"9.2.0.192.in-addr.arpa. 60 IN PTR a.search.msn.com.", "a.search.msn.com. 60 IN A 192.0.2.9",
	)
	g := start(t, strings.NewReplacer("NAMES", names.Addr, "BACKEND", newBackend(t, "a").Listener.Addr().String()).Replace(crawled), nil)
	for _, tc := range []struct {
		agent, from string
		want        int
	}{
		{"PartnerBot/2", "192.0.2.7", 200},
		{"PartnerBot/2", "192.0.2.8", 403},
		{"Mozilla/5.0 (compatible; Googlebot/2.1)", "66.249.66.1", 200},
		{"Mozilla/5.0 (compatible; Googlebot/2.1)", "192.0.2.7", 403},
		{"Mozilla/5.0 (compatible; Googlebot/2.1) PartnerBot", "192.0.2.7", 403},
		{"Mozilla/5.0 (compatible; bingbot/2.0)", "192.0.2.9", 410},
		{"Mozilla/5.0 (X11; Linux x86_64)", "192.0.2.8", 200},
	} {
		m := message{method: "GET", target: "/", host: "localhost", header: [][2]string{{"User-Agent", tc.agent}, {"X-Forwarded-For", tc.from}}}
		got := sendHTTP1(t, g, m)
		// On a busy machine the first answer may come before that of DNS.
		for deadline := time.Now().Add(patience); got.status == 429 && time.Now().Before(deadline); got = sendHTTP1(t, g, m) {
			time.Sleep(20 * time.Millisecond)
		}
		if got.status != tc.want {
			t.Errorf("%s from %s: %d %v, not %d", tc.agent, tc.from, got.status, got.err, tc.want)
		}
	}
	names.Silence(true)
	names.CloseTCP(true)
	m := message{method: "GET", target: "/", host: "localhost", header: [][2]string{{"User-Agent", "PartnerBot"}, {"X-Forwarded-For", "192.0.2.99"}}}
	if got := sendHTTP1(t, g, m); got.status != 429 {
		t.Errorf("a claim that nobody knows of yet: %d", got.status)
	}
}
