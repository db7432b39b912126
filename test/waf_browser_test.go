package test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const challenging = `
listen:
  - {address: "127.0.0.1:%[1]s", tls: {certificates: internal}, trusted-proxies: [127.0.0.1]}
  - {address: "127.0.0.1:%[2]s", trusted-proxies: [127.0.0.1]}
waf:
  edge:
    rules: [{name: browsers, when: {not: {path: /open}}, action: challenge}]
  other:
    rules: [{name: browsers, when: {path: {starts-with: /}}, action: challenge}]
apis:
  shop:
    domains: [shop.test, plain.test]
    authorize: none
    waf: edge
    routes:
      - {match: "GET /{proxy*}", target: "service:pages"}
      - {match: "GET /other", target: "service:pages", waf: other}
  two:
    domains: [two.test]
    authorize: none
    waf: edge
    routes: [{match: "GET /{proxy*}", target: "service:pages"}]
services:
  pages: {targets: ["%[3]s"]}
`

// A real browser solves the challenge by itself, over TLS and without, and is let
// through from then on; its clearance is worth nothing elsewhere.
func TestWAFChallengeInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a browser")
	}
	var served atomic.Int32
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/favicon.ico" {
			served.Add(1)
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>served %s</title><p id=served>%s</p>", r.URL.Path, r.URL.Path)
	}))
	t.Cleanup(pages.Close)
	port, plain := freePort(t), freePort(t)
	g := start(t, fmt.Sprintf(challenging, port, plain, pages.Listener.Addr()), nil)
	b := startBrowser(t, port)
	for _, site := range []string{"https://shop.test:" + port, "http://plain.test:" + plain} {
		served.Store(0)
		before := challengesOf(g)
		b.visit(site + "/orders?id=1")
		if n := challengesOf(g) - before; n != 1 || served.Load() != 1 {
			t.Errorf("%s: %d challenges, %d pages", site, n, served.Load())
		}
		b.visit(site + "/orders/2")
		if n := challengesOf(g) - before; n != 1 || served.Load() != 2 {
			t.Errorf("%s, once more: %d challenges, %d pages", site, n, served.Load())
		}
	}
	cookie := b.clearance("https://shop.test:" + port)
	for _, tc := range []struct {
		name, host, path, from, cookie string
		want                           int
	}{
		{"the browser's own", "shop.test", "/orders", "", cookie, 200},
		{"by another address of its network", "shop.test", "/orders", "127.0.0.99", cookie, 200},
		{"by another network", "shop.test", "/orders", "127.0.1.1", cookie, 202},
		{"for another host", "two.test", "/orders", "", cookie, 202},
		{"for another web ACL", "shop.test", "/other", "", strings.Replace(cookie, "-edge=", "-other=", 1), 202},
		{"changed", "shop.test", "/orders", "", cookie[:len(cookie)-1] + string(cookie[len(cookie)-1]^1), 202},
		{"none", "shop.test", "/orders", "", "a=b", 202},
		{"where nobody asks", "shop.test", "/open", "", "a=b", 200},
	} {
		m := message{method: "GET", listener: "127.0.0.1:" + port, target: tc.path, host: tc.host, sni: tc.host, header: [][2]string{{"Accept", "text/html"}, {"Cookie", tc.cookie}}}
		if tc.from != "" {
			m.header = append(m.header, [2]string{"X-Forwarded-For", tc.from})
		}
		if got := sendHTTP1(t, g, m); got.status != tc.want {
			t.Errorf("the clearance %s: %d, not %d", tc.name, got.status, tc.want)
		}
	}
}

// challengesOf returns how often somebody was challenged.
func challengesOf(g *running) (n int) {
	for line := range strings.Lines(g.metrics()) {
		if strings.HasPrefix(line, `gatehouse_waf_requests_total{`) && strings.Contains(line, `action="challenge"`) {
			var one int
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &one)
			n += one
		}
	}
	return n
}

// visit opens a page, and waits until it is the service's.
func (b *browser) visit(address string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("%s: %v", address, err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.WaitVisible("#served")); err != nil {
		at, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.documentElement.outerHTML"))
		b.t.Fatalf("%s: %v\n%s", address, err, at)
	}
}

// clearance returns the browser's cookies for a site, as it sends them.
func (b *browser) clearance(site string) string {
	b.t.Helper()
	var pairs []string
	_, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		got, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{site + "/"}})
		for _, c := range got.Cookies {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		return chromedp.Void{}, err
	})
	if err != nil || len(pairs) != 1 || !strings.HasPrefix(pairs[0], "__Host-gatehouse-clearance-edge=") {
		b.t.Fatalf("%v, %v", pairs, err)
	}
	return pairs[0]
}
