package websocket

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/origin"
)

func load(text string) (*Config, error) {
	var root struct {
		WebSocket *Config `yaml:"websocket"`
	}
	_, err := config.LoadBytes("t.yaml", []byte(text), &root, config.Options{})
	return root.WebSocket, err
}

func TestConfig(t *testing.T) {
	off := Default()
	off.Off = true
	own := &Config{Origins: []origin.Origin{"https://*.shop.test"}, MaxAge: config.Duration(time.Hour), Idle: config.Duration(time.Minute), PerCaller: 3, WithToken: true}
	for text, want := range map[string]*Config{
		"websocket: true":  Default(),
		"websocket: {}":    Default(),
		"websocket: false": off,
		`websocket: {origins: "https://*.shop.test", max-age: 1h, idle-timeout: 1m, per-principal: 3, end-with-token: true}`: own,
	} {
		got, err := load(text)
		if d := cmp.Diff(want, got, cmpopts.IgnoreTypes(config.At{})); d != "" || err != nil {
			t.Errorf("%s: %v %s", text, err, d)
		}
	}
	for text, want := range map[string]string{
		"websocket: maybe":                              "true",
		"websocket: [a]":                                "true, false",
		"websocket: {max-age: 0s}":                      "1s",
		"websocket: {idle-timeout: 8d}":                 "7d",
		"websocket: {per-principal: 0}":                 "1",
		"websocket: {origins: shop.test}":               "is no origin",
		`websocket: {origins: ["*", "https://a.test"]}`: "every origin",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// callers counts those who entered and have not left.
type callers struct {
	open map[string]int
	most int // that were open at once
}

func (c *callers) Enter(caller string, limit int) bool {
	if c.open[caller] >= limit {
		return false
	}
	c.open[caller]++
	c.most = max(c.most, c.open[caller])
	return true
}
func (c *callers) Leave(caller string) { c.open[caller]-- }

// shake sends a handshake and returns what came of it: the status, and whom the
// tunnel was counted for.
func shake(p *Policy, c *callers, conn *exchange.Conn, prepare func(*exchange.Exchange, *http.Request)) (int, *exchange.Exchange, string) {
	r := httptest.NewRequest("GET", "http://shop.test/", nil)
	r.Header = http.Header{"Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, r, conn, nil)
	prepare(x, r)
	whom := ""
	sockets := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for caller, n := range c.open {
			if n > 0 {
				whom = caller
			}
		}
		w.WriteHeader(299)
	})
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(298) })
	p.Around(plain, sockets).ServeHTTP(&x.Writer, r)
	x.Finish()
	return rec.Code, x, whom
}

func TestHandshakes(t *testing.T) {
	secure := &exchange.Conn{TLS: true}
	trusted := &exchange.Conn{Trusted: true}
	set := func(name string, values ...string) func(*exchange.Exchange, *http.Request) {
		return func(_ *exchange.Exchange, r *http.Request) { r.Header[name] = values }
	}
	both := func(all ...func(*exchange.Exchange, *http.Request)) func(*exchange.Exchange, *http.Request) {
		return func(x *exchange.Exchange, r *http.Request) {
			for _, f := range all {
				f(x, r)
			}
		}
	}
	for _, tc := range []struct {
		name    string
		conn    *exchange.Conn
		prepare func(*exchange.Exchange, *http.Request)
		status  int
	}{
		{"no browser", secure, set("X", "y"), 299},
		{"the same host", secure, set("Origin", "https://shop.test"), 299},
		{"in other letters", secure, set("Origin", "https://SHOP.test"), 299},
		{"with its port", secure, set("Origin", "https://shop.test:443"), 299},
		{"another port", secure, set("Origin", "https://shop.test:444"), 403},
		{"another scheme", secure, set("Origin", "http://shop.test"), 403},
		{"a longer name", secure, set("Origin", "https://shop.test.evil.test"), 403},
		{"a name with a user", secure, set("Origin", "https://x@shop.test"), 403},
		{"two of them", secure, set("Origin", "https://shop.test", "https://shop.test"), 403},
		{"none that is one", secure, set("Origin", ""), 403},
		{"null", secure, set("Origin", "null"), 403},
		{"one that may", secure, set("Origin", "https://pages.test"), 299},
		{"without TLS", &exchange.Conn{}, set("Origin", "http://shop.test"), 299},
		{"what a stranger says of its host", &exchange.Conn{}, both(set("Origin", "https://evil.test"), set("X-Forwarded-Host", "evil.test"), set("X-Forwarded-Proto", "https")), 403},
		{"what a trusted proxy says", trusted, both(set("Origin", "https://front.test"), set("X-Forwarded-Host", "front.test"), set("X-Forwarded-Proto", "https")), 299},
		{"no upgrade", secure, func(_ *exchange.Exchange, r *http.Request) { delete(r.Header, "Upgrade") }, 298},
		{"no version", secure, func(_ *exchange.Exchange, r *http.Request) { delete(r.Header, "Sec-Websocket-Version") }, 426},
		{"another version", secure, set("Sec-Websocket-Version", "8"), 426},
		{"two versions", secure, set("Sec-Websocket-Version", "13", "13"), 426},
		{"no key", secure, func(_ *exchange.Exchange, r *http.Request) { delete(r.Header, "Sec-Websocket-Key") }, 400},
		{"a short key", secure, set("Sec-Websocket-Key", "dGhlIHNhbXBsZQ=="), 400},
		{"over HTTP/2, without a key", secure, func(_ *exchange.Exchange, r *http.Request) {
			r.ProtoMajor = 2
			delete(r.Header, "Sec-Websocket-Key")
		}, 299},
	} {
		c := &callers{open: map[string]int{}}
		p := New(nil, func(o string) bool { return o == "https://pages.test" }, c)
		status, x, _ := shake(p, c, tc.conn, tc.prepare)
		if status != tc.status {
			t.Errorf("%s: %d, want %d", tc.name, status, tc.status)
		}
		if (x.Tunnel != nil) != (tc.status == 299) {
			t.Errorf("%s: the tunnel's limits are %+v", tc.name, x.Tunnel)
		}
		if n := c.open[" invalid IP"]; n != 0 {
			t.Errorf("%s: %d stay counted", tc.name, n)
		}
	}
	var off *Policy = New(&Config{Off: true}, nil, nil)
	if status, _, _ := shake(off, &callers{}, secure, set("X", "y")); status != 298 {
		t.Errorf("off: %d", status)
	}
}

func TestCallers(t *testing.T) {
	for want, prepare := range map[string]func(*exchange.Exchange){
		"jwt:i|alice":   func(x *exchange.Exchange) { x.Principal = exchange.NewPrincipal("jwt", "i", "alice") },
		" 192.0.2.1":    func(x *exchange.Exchange) { x.Client = netip.MustParseAddr("192.0.2.1") },
		" 2001:db8:1::": func(x *exchange.Exchange) { x.Client = netip.MustParseAddr("2001:db8:1:0:1:2:3:4") },
	} {
		c := &callers{open: map[string]int{}}
		_, _, whom := shake(New(nil, nil, c), c, &exchange.Conn{}, func(x *exchange.Exchange, _ *http.Request) { prepare(x) })
		if whom != want || c.open[want] != 0 {
			t.Errorf("counted for %q, want %q; %v stay", whom, want, c.open)
		}
	}
	c := &callers{open: map[string]int{" invalid IP": 100}}
	if status, x, _ := shake(New(nil, nil, c), c, &exchange.Conn{}, func(*exchange.Exchange, *http.Request) {}); status != 429 || x.Refused.Reason != "tunnel-limit" {
		t.Errorf("%d %+v", status, x.Refused)
	}
}

func TestExpiry(t *testing.T) {
	cfg := Default()
	cfg.WithToken = true
	for exp, want := range map[any]int64{json.Number("2000000000"): 2000000000, json.Number("2000000000.5"): 2000000000, json.Number("1e99"): 0, json.Number("-5"): 0, "2000000000": 0, nil: 0} {
		c := &callers{open: map[string]int{}}
		_, x, _ := shake(New(cfg, nil, c), c, &exchange.Conn{}, func(x *exchange.Exchange, _ *http.Request) {
			x.Principal = exchange.NewPrincipal("jwt", "i", "alice")
			x.Principal.Claims = map[string]any{"exp": exp}
		})
		if got := x.Tunnel.Until; want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%v: until %v", exp, got)
		}
	}
}

// FuzzHandshake: what passes is a handshake, and of a page that may.
func FuzzHandshake(f *testing.F) {
	f.Add("dGhlIHNhbXBsZSBub25jZQ==", "13", "https://shop.test", "shop.test")
	f.Add("dGhlIHNhbXBsZSBub25jZR==", "13", "https://shop.test:443", "shop.test:443")
	f.Add("", "8", "null", "[::1]:80")
	f.Fuzz(func(t *testing.T, key, version, from, host string) {
		c := &callers{open: map[string]int{}}
		status, _, _ := shake(New(nil, nil, c), c, &exchange.Conn{TLS: true}, func(_ *exchange.Exchange, r *http.Request) {
			r.Host = host
			r.Header["Sec-Websocket-Key"], r.Header["Sec-Websocket-Version"], r.Header["Origin"] = []string{key}, []string{version}, []string{from}
		})
		if status != 299 {
			return
		}
		raw, err := base64.StdEncoding.DecodeString(key)
		name := strings.TrimSuffix(strings.TrimPrefix(from, "https://"), ":443")
		if err != nil || len(raw) != 16 || version != "13" || !strings.HasPrefix(from, "https://") || !strings.EqualFold(name, strings.TrimSuffix(host, ":443")) {
			t.Fatalf("key %q, version %q, a page of %q at %q", key, version, from, host)
		}
	})
}
