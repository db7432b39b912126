package edge

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/edge/fields"
	"gatehouse/exchange"
)

// policyFor compiles one listener without an authority.
func policyFor(change ...func(*Listener)) *Policy {
	l := listenerConfig(change...)
	p := &Policy{Key: l.Address, Address: l.Address, TLS: l.TLS != nil, proto: protoOf(l.TLS != nil), BodyLimit: int64(l.Limits.Body)}
	for _, prefix := range l.TrustedProxies {
		p.trusted = append(p.trusted, prefix.Prefix)
	}
	p.settings = settingsOf(&l, p.trusted)
	if l.TLS != nil {
		p.hsts = hstsValue(l.TLS.HSTS.D())
	}
	return p
}

// connFor is a connection of peer under p, as if it had been accepted.
func connFor(p *Policy, peer string) *conn {
	from := netip.MustParseAddrPort(peer)
	c := &conn{policy: p, via: 8443}
	c.info = exchange.Conn{Listener: p.Address, Peer: from, Source: from, Trusted: p.Trusts(from.Addr()), TLS: p.TLS}
	c.describe()
	return c
}

// request reads a request as the engine would, given as its head.
func request(t testing.TB, c *conn, head string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r.WithContext(h2Context{context.Background(), c})
}

func clean(t *testing.T, c *conn, head string) (http.Header, *exchange.Exchange) {
	t.Helper()
	r := request(t, c, head)
	x, r := exchange.Begin(httptest.NewRecorder(), r, &c.info, nil)
	x.Host = Host(r)
	Clean(x, r)
	return r.Header, x
}

// ours are the headers that the gateway itself writes.
var ours = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"}

func TestCleanRemoves(t *testing.T) {
	tests := map[string]struct{ head, want string }{
		"ordinary headers stay": {
			"Accept: */*\nAuthorization: Bearer x\nCookie: a=b\nContent-Type: text/plain\nX-Api-Key: k\nX-Amz-Date: d\nX-Forward: y\nUpgrade-Insecure-Requests: 1\nTraceparent: t\nX_custom: ok",
			"Accept Authorization Content-Type Cookie Traceparent Upgrade-Insecure-Requests X-Amz-Date X-Api-Key X-Forward X_custom",
		},
		"hop by hop":                   {"Connection: keep-alive\nKeep-Alive: 5\nProxy-Connection: x\nProxy-Authorization: x\nProxy-Authenticate: x\nProxy-Foo: x\nProxy: http://evil\nHttp2-Settings: x\nX-Ok: y", "X-Ok"},
		"what Connection names":        {"Connection: X-Hop, close , x-second,,\nX-Hop: 1\nX-Second: 2\nX-Ok: y", "X-Ok"},
		"in several lines":             {"Connection: X-Hop\nConnection: X-Second\nX-Hop: 1\nX-Second: 2\nX-Ok: y", "X-Ok"},
		"forwarding headers":           {"X-Forwarded-For: 1.2.3.4\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 1\nX-Forwarded-Prefix: /x\nX-Forwarded-Anything: x\nForwarded: for=1.2.3.4\nX-Real-Ip: 1.2.3.4\nTrue-Client-Ip: 1.2.3.4\nCf-Connecting-Ip: 1.2.3.4\nX-Client-Ip: 1\nX-Original-Forwarded-For: 1", ""},
		"who the client is":            {"Client-Cert: :x:\nRemote-User: root\nX-Remote-User: root\nX-SSL-Client-Verify: SUCCESS\nSSL_CLIENT_VERIFY: SUCCESS\nX-Consumer-Username: root\nX-Amzn-Oidc-Identity: root\nX-Amzn-Trace-Id: t", "X-Amzn-Trace-Id"},
		"with underscores":             {"X_Forwarded_For: 1.2.3.4\nX_FORWARDED-PROTO: https\nx-real_ip: 1\nX_Gatehouse_Principal: root\nProxy_Authorization: x\nx_http_method_override: DELETE\nTransfer_Encoding: chunked\nX_ok: y", "X_ok"},
		"overrides":                    {"X-HTTP-Method-Override: DELETE\nX-Method-Override: DELETE\nX-HTTP-Method: DELETE\nX-Original-URL: /admin\nX-Rewrite-URL: /admin\nX-Gatehouse-Principal: root\nX-Gatehouse-: x", ""},
		"upgrade without Connection":   {"Upgrade: websocket", ""},
		"upgrade to websocket":         {"Connection: keep-alive, Upgrade\nUpgrade: WebSocket\nSec-Websocket-Key: k", "Sec-Websocket-Key Upgrade"},
		"upgrade to h2c":               {"Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__", ""},
		"upgrade to several":           {"Connection: Upgrade\nUpgrade: websocket, h2c", ""},
		"TE":                           {"Te: trailers", "Te"},
		"TE with more":                 {"Te: gzip, trailers;q=1, Trailers", "Te"},
		"TE without trailers":          {"Te: gzip", ""},
		"Connection names credentials": {"Connection: authorization, cookie\nAuthorization: x\nCookie: y", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, _ := clean(t, connFor(policyFor(), "192.0.2.9:1000"), "GET / HTTP/1.1\nHost: a\n"+test.head)
			for _, name := range ours {
				if len(h[name]) != 1 {
					t.Errorf("%s: %q", name, h[name])
				}
				delete(h, name)
			}
			want := strings.Fields(test.want)
			var got []string
			for name := range h {
				if name != "Host" {
					got = append(got, name)
				}
			}
			if d := cmp.Diff(toSet(want), toSet(got)); d != "" {
				t.Error(d)
			}
			if te, ok := h["Te"]; ok && (len(te) != 1 || te[0] != "trailers") {
				t.Errorf("TE: %q", te)
			}
		})
	}
}

func toSet(names []string) map[string]bool {
	set := make(map[string]bool)
	for _, n := range names {
		set[n] = true
	}
	return set
}

func TestUpgradeIsForHTTP1GETAlone(t *testing.T) {
	for _, line := range []string{"POST / HTTP/1.1", "GET / HTTP/1.0"} {
		h, _ := clean(t, connFor(policyFor(), "192.0.2.9:1000"), line+"\nHost: a\nConnection: upgrade\nUpgrade: websocket")
		if h.Get("Upgrade") != "" {
			t.Errorf("%s keeps Upgrade", line)
		}
	}
}

func TestForwarding(t *testing.T) {
	near := trusting("10.0.0.0/8", "2001:db8:1::/48", "192.0.2.53")
	byForwarded := func(l *Listener) { l.ClientAddress = "forwarded" }
	tests := map[string]struct {
		peer   string
		change []func(*Listener)
		head   string
		client string
		xff    string // X-Forwarded-For
		rest   string // proto, host, port
	}{
		"a stranger":                       {"198.51.100.7:1", nil, "", "198.51.100.7", "198.51.100.7", "http shop.test 8443"},
		"a stranger who lies":              {"198.51.100.7:1", nil, "X-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 9", "198.51.100.7", "198.51.100.7", "http shop.test 8443"},
		"mapped stranger":                  {"203.0.113.1:1", nil, "", "203.0.113.1", "203.0.113.1", "http shop.test 8443"},
		"a proxy that says nothing":        {"10.1.1.1:1", nil, "", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"one hop":                          {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7", "198.51.100.7", "198.51.100.7, 10.1.1.1", "http shop.test 8443"},
		"all that a proxy says":            {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: HTTPS\nX-Forwarded-Host: front.test\nX-Forwarded-Port: 443", "198.51.100.7", "198.51.100.7, 10.1.1.1", "https front.test 443"},
		"the client's own words before":    {"10.1.1.1:1", nil, "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 198.51.100.7", "198.51.100.7", "198.51.100.7, 10.1.1.1", "http shop.test 8443"},
		"proxies in a row":                 {"10.1.1.1:1", nil, "X-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.2.2.2,10.3.3.3", "198.51.100.7", "198.51.100.7, 10.2.2.2, 10.3.3.3, 10.1.1.1", "http shop.test 8443"},
		"in several lines":                 {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7\nX-Forwarded-For: 10.2.2.2", "198.51.100.7", "198.51.100.7, 10.2.2.2, 10.1.1.1", "http shop.test 8443"},
		"all of them proxies":              {"10.1.1.1:1", nil, "X-Forwarded-For: 10.9.9.9, 10.2.2.2", "10.9.9.9", "10.9.9.9, 10.2.2.2, 10.1.1.1", "http shop.test 8443"},
		"garbage at the end":               {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7, unknown", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"garbage behind a proxy":           {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7, <x>, 10.2.2.2", "10.2.2.2", "10.2.2.2, 10.1.1.1", "http shop.test 8443"},
		"an empty item":                    {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7,", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"ports and brackets":               {"10.1.1.1:1", nil, "X-Forwarded-For: [2001:db8::7]:4711, 10.2.2.2:80, [2001:db8:1::1]", "2001:db8::7", "2001:db8::7, 10.2.2.2, 2001:db8:1::1, 10.1.1.1", "http shop.test 8443"},
		"mapped":                           {"10.1.1.1:1", nil, "X-Forwarded-For: ::ffff:198.51.100.7, ::ffff:10.2.2.2", "198.51.100.7", "198.51.100.7, 10.2.2.2, 10.1.1.1", "http shop.test 8443"},
		"zones":                            {"10.1.1.1:1", nil, "X-Forwarded-For: fe80::1%eth0", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"Forwarded alone":                  {"10.1.1.1:1", nil, `Forwarded: for=1.1.1.1, for="[2001:db8::7]:4711";proto=https;host="front.test:444"`, "2001:db8::7", "2001:db8::7, 10.1.1.1", "https front.test:444 8443"},
		"Forwarded beside X-Forwarded-For": {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7\nForwarded: for=1.1.1.1;proto=https", "198.51.100.7", "198.51.100.7, 10.1.1.1", "http shop.test 8443"},
		"Forwarded as told":                {"10.1.1.1:1", []func(*Listener){byForwarded}, "X-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\nForwarded: for=198.51.100.7;by=10.1.1.1", "198.51.100.7", "198.51.100.7, 10.1.1.1", "http shop.test 8443"},
		"Forwarded as told but absent":     {"10.1.1.1:1", []func(*Listener){byForwarded}, "X-Forwarded-For: 1.1.1.1", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"Forwarded, obfuscated":            {"10.1.1.1:1", nil, "Forwarded: for=198.51.100.7, for=_hidden", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"Forwarded, a comma in quotes":     {"10.1.1.1:1", nil, `Forwarded: for=198.51.100.7;host="a,for=1.1.1.1"`, "198.51.100.7", "198.51.100.7, 10.1.1.1", "http shop.test 8443"},
		"Forwarded, an open quote":         {"10.1.1.1:1", nil, `Forwarded: for=1.1.1.1, for="198.51.100.7`, "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"Forwarded, no for":                {"10.1.1.1:1", nil, `Forwarded: for=1.1.1.1, proto=https`, "10.1.1.1", "10.1.1.1", "https shop.test 8443"},
		"bad proto, host and port":         {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: javascript\nX-Forwarded-Host: a b\nX-Forwarded-Port: 99999", "198.51.100.7", "198.51.100.7, 10.1.1.1", "http shop.test 8443"},
		"proto in a list":                  {"10.1.1.1:1", nil, "X-Forwarded-Proto: https, http", "10.1.1.1", "10.1.1.1", "http shop.test 8443"},
		"Connection takes it away":         {"10.1.1.1:1", nil, "X-Forwarded-For: 198.51.100.7\nX-Forwarded-Proto: https\nConnection: X-Forwarded-For, x-forwarded-proto, close", "198.51.100.7", "198.51.100.7, 10.1.1.1", "https shop.test 8443"},
		"a stranger's Connection names it": {"198.51.100.7:1", nil, "X-Forwarded-For: 1.1.1.1\nConnection: X-Forwarded-For", "198.51.100.7", "198.51.100.7", "http shop.test 8443"},
		"over TLS":                         {"198.51.100.7:1", []func(*Listener){withTLS()}, "", "198.51.100.7", "198.51.100.7", "https shop.test 8443"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := connFor(policyFor(append(test.change, near)...), test.peer)
			h, x := clean(t, c, "GET / HTTP/1.1\nHost: shop.test\n"+test.head)
			if got := x.Client.String(); got != test.client {
				t.Errorf("client %s, want %s", got, test.client)
			}
			if got := strings.Join(h["X-Forwarded-For"], "|"); got != test.xff {
				t.Errorf("X-Forwarded-For %q, want %q", got, test.xff)
			}
			if got := h.Get("X-Forwarded-Proto") + " " + h.Get("X-Forwarded-Host") + " " + h.Get("X-Forwarded-Port"); got != test.rest {
				t.Errorf("got %q, want %q", got, test.rest)
			}
			if _, ok := h["Forwarded"]; ok {
				t.Error("Forwarded is passed on")
			}
		})
	}
}

func TestLongChainIsBounded(t *testing.T) {
	chain := strings.Repeat("10.2.2.2, ", 500) + "10.2.2.2"
	_, x := clean(t, connFor(policyFor(trusting("10.0.0.0/8")), "10.1.1.1:1"), "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: "+chain)
	if x.Client != netip.MustParseAddr("10.2.2.2") {
		t.Error(x.Client)
	}
}

// A trusted proxy that lets the client's own address headers pass does not
// make them true.
func TestAddressHeadersOfTrustedPeersAreMadeTrue(t *testing.T) {
	h, _ := clean(t, connFor(policyFor(trusting("10.0.0.0/8")), "10.1.1.1:1"),
		"GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 198.51.100.7\nX-Real-Ip: 1.1.1.1\nTrue-Client-Ip: 1.1.1.1\nX_Real_Ip: 1.1.1.1\nX-Forwarded-Prefix: /p\nClient-Cert: :x:\nClient_Cert: :y:\nX-Original-URL: /admin")
	if h.Get("X-Real-Ip") != "198.51.100.7" || h.Get("True-Client-Ip") != "198.51.100.7" {
		t.Errorf("%v", h)
	}
	if _, ok := h["X_real_ip"]; ok || h.Get("X-Original-Url") != "" {
		t.Errorf("%v", h)
	}
	if h.Get("X-Forwarded-Prefix") != "/p" || h.Get("Client-Cert") != ":x:" || len(h["Client_cert"]) > 0 {
		t.Errorf("%v", h)
	}
}

// After a PROXY header it is the client named there who must be trusted.
func TestProxyHeaderDoesNotLendTrust(t *testing.T) {
	p := policyFor(trusting("10.0.0.0/8"))
	c := connFor(p, "10.1.1.1:1")
	c.listener = &listener{}
	if err := c.listener.speaksFor(c, netip.MustParseAddrPort("198.51.100.7:9"), netip.MustParseAddrPort("203.0.113.5:443")); err != nil {
		t.Fatal(err)
	}
	c.describe()
	h, x := clean(t, c, "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1.1.1.1")
	if x.Client.String() != "198.51.100.7" || h.Get("X-Forwarded-For") != "198.51.100.7" || h.Get("X-Forwarded-Port") != "443" {
		t.Errorf("%v %v", x.Client, h)
	}
}

func TestCleanWithoutListener(t *testing.T) {
	r := httptest.NewRequest("GET", "http://a.test/", nil)
	r.Header.Set("X-Forwarded-For", "1.1.1.1")
	info := &exchange.Conn{Source: netip.MustParseAddrPort("192.0.2.1:1"), TLS: true}
	x, r := exchange.Begin(httptest.NewRecorder(), r, info, nil)
	Clean(x, r)
	if r.Header.Get("X-Forwarded-For") != "192.0.2.1" || r.Header.Get("X-Forwarded-Proto") != "https" || ConnOf(r) != nil || PolicyOf(r) != nil {
		t.Errorf("%v", r.Header)
	}
}

func TestCleanTrailer(t *testing.T) {
	r := request(t, connFor(policyFor(), "192.0.2.9:1000"), "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n"+
		"Trailer: X-Checksum, Grpc-Status, x-gatehouse-principal, X-Forwarded-For\nTrailer: x_real_ip, Client-Cert, Authorization")
	x, r := exchange.Begin(httptest.NewRecorder(), r, ConnOf(r), nil)
	Clean(x, r)
	if want := (http.Header{"X-Checksum": nil, "Grpc-Status": nil}); !cmp.Equal(r.Trailer, want) {
		t.Errorf("%v", r.Trailer)
	}
}

func TestLocalHostsGetNoHSTS(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "shop.localhost": true, "127.0.0.1": true, "[::1]": true, "api.shop.test": false, "a1": false, "4.example4": false} {
		if got := isLocal(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("X-Forwarded-For", "1.2.3.4, [::1]:80, x")
	f.Add("Forwarded", `for="[::1]";proto=https, for=a`)
	f.Add("x_forwarded_for", "a")
	f.Add("Connection", "upgrade, x,,")
	f.Add("Te", "trailers, gzip")
	p := policyFor(trusting("10.0.0.0/8"))
	c := connFor(p, "10.1.1.1:1")
	f.Fuzz(func(t *testing.T, name, value string) {
		r := httptest.NewRequest("GET", "http://a.test/", nil).WithContext(h2Context{context.Background(), c})
		r.Header.Add(name, value)
		r.Header[name] = append(r.Header[name], value)
		x, r := exchange.Begin(httptest.NewRecorder(), r, &c.info, nil)
		defer x.Release()
		Clean(x, r)
		if !x.Client.IsValid() || x.Client.Is4In6() || x.Client.Zone() != "" {
			t.Errorf("client %v", x.Client)
		}
		for name := range r.Header {
			if flat := strings.ReplaceAll(strings.ToLower(name), "_", "-"); strings.HasPrefix(flat, "x-gatehouse-") || flat != strings.ToLower(name) && fields.Classify(flat) != fields.Free {
				t.Errorf("%q stays", name)
			}
		}
	})
}

// ordinary is what a browser sends.
const ordinary = `GET /orders/42?full=1 HTTP/1.1
Host: api.shop.test
Connection: keep-alive
Accept: application/json
Accept-Encoding: gzip, deflate, br
Accept-Language: en
Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.x
Content-Type: application/json
Cookie: session=1
User-Agent: Mozilla/5.0
X-Api-Key: 0123456789
X-Request-Id: 1`

func BenchmarkClean(b *testing.B) {
	c := connFor(policyFor(withTLS(), trusting("10.0.0.0/8")), "198.51.100.7:1")
	r := request(b, c, ordinary)
	w := httptest.NewRecorder()
	x, r := exchange.Begin(w, r, &c.info, nil)
	keepAlive := r.Header["Connection"]
	b.ReportAllocs()
	for b.Loop() {
		r.Header["Connection"] = keepAlive
		cleanHeaders(x, c, r) // Clean without its hook, which would pile up
	}
}

func TestCleanAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("Begin takes from pools, which forget at random under the race detector")
	}
	c := connFor(policyFor(withTLS(), trusting("10.0.0.0/8")), "198.51.100.7:1")
	r := request(t, c, ordinary)
	w := httptest.NewRecorder()
	keepAlive := r.Header["Connection"]
	cost := func(f func(*exchange.Exchange, *http.Request)) float64 {
		return testing.AllocsPerRun(1000, func() {
			x, served := exchange.Begin(w, r, &c.info, nil)
			served.Header["Connection"] = keepAlive
			f(x, served)
			x.Release()
		})
	}
	base := cost(func(*exchange.Exchange, *http.Request) {})
	if with := cost(Clean); with > base {
		t.Errorf("Begin and Release allocate %v times, with Clean between them %v times", base, with)
	}
}

func BenchmarkConnOf(b *testing.B) {
	c := connFor(policyFor(), "198.51.100.7:1")
	r := request(b, c, ordinary)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	r = r.WithContext(ctx)
	b.ReportAllocs()
	for b.Loop() {
		if ConnOf(r) == nil {
			b.Fatal()
		}
	}
}

var _ net.Conn = (*conn)(nil)
