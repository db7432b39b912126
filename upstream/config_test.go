package upstream

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/balance"
	"gatehouse/config"

	"gatehouse/upstream/guard"
)

type document struct {
	Services map[string]*Config `yaml:"services"`
}

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	var f document
	_, err := config.LoadBytes(filepath.Join(t.TempDir(), "gatehouse.yaml"), []byte(text), &f, config.Options{})
	return f.Services["orders"], err
}

var places = cmp.Options{
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type().Name() == "At" || p.Last().Type().Name() == "Pos" }, cmp.Ignore()),
}

// The defaults of the tags, which the schema and the decoder know, are those
// that a Config has which was not decoded.
func TestDefaults(t *testing.T) {
	got, err := load(t, "services: {orders: {targets: [\"10.0.0.1:80\"], health: {}}}")
	if err != nil {
		t.Fatal(err)
	}
	want := service("10.0.0.1:80")
	want.Pool.Idle, want.Health = defaultIdle, &Health{}
	if d := cmp.Diff(want.filled(), *got, places); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(got.filled(), *got, places); d != "" {
		t.Error("filling changes what was decoded:", d)
	}
}

func TestConfig(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(name, ca.pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := load(t, `
services:
  orders:
    targets: ["10.0.0.1:8080", {address: "dns:Orders.internal:80", weight: 3}, "[::1]:80"]
    resolve: 5s
    resolver: [127.0.0.1:5353, "::1"]
    outliers: {failures: 50%, status: "502-504"}
    slow-start: 20s
    breaker: {failures: 30%, trials: 3}
    concurrency: {per-target: 50, service: 200, queue: 100}
    retry-budget: off
    drain: 1m
    balance: {hash: "header:x-user", bound: 1.25}
    host: preserve
    health: {path: /healthz?full=1, interval: 1s, status: "200,301-302", all-unhealthy: closed}
    tls: {server-name: orders.internal, ca: `+name+`, client-certificate: internal}
    protocol: auto
    grpc-web: pass
    timeouts: {connect: 1s, answer: 2s, idle: 3s, stream: 6s}
    pool: {idle-per-target: 1, idle-timeout: 4s, http2-connections: 2, max-connections: 5}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name:    "orders",
		Targets: []Target{{Address: "10.0.0.1:8080", Weight: 1}, {Address: "orders.internal:80", DNS: true, Weight: 3}, {Address: "[::1]:80", Weight: 1}},
		Resolve: Resolve{Min: ms(1000), Max: ms(5000), Stale: ms(86_400_000), Gone: ms(60_000)}, Host: "preserve", Protocol: "auto", GRPCWeb: "pass",
		Resolver:    []Server{{netip.MustParseAddrPort("127.0.0.1:5353")}, {netip.MustParseAddrPort("[::1]:53")}},
		Outliers:    &guard.Outliers{Consecutive: 5, Failures: 0.5, Window: ms(10_000), Minimum: 20, Ejection: ms(30_000), Longest: ms(300_000), Share: 0.5, Status: guard.Statuses{{502, 504}}},
		SlowStart:   &guard.SlowStart{Window: ms(20_000), From: 0.1},
		Breaker:     &guard.Breaker{Failures: 0.3, Window: ms(10_000), Minimum: 20, Open: ms(5000), Trials: 3, Status: guard.Statuses{{502, 504}}},
		Concurrency: &guard.Concurrency{PerTarget: 50, Service: 200, Queue: 100, Timeout: ms(1000)},
		RetryBudget: &guard.RetryBudget{Off: true, Share: 0.2, Minimum: 3}, Drain: ms(60_000),
		Balance:  Balance{Method: balance.Hash, Key: byHeader, Name: "X-User", Bound: 1.25},
		Health:   &Health{Path: "/healthz?full=1", Interval: ms(1000), Timeout: ms(2000), Healthy: 2, Unhealthy: 3, Status: guard.Statuses{{200, 200}, {301, 302}}, AllDown: "closed"},
		TLS:      &TLS{ServerName: "orders.internal", CA: config.File{Path: name, Content: ca.pem()}, Client: &ClientCertificate{Internal: true}},
		Timeouts: Timeouts{Connect: ms(1000), Answer: ms(2000), Idle: ms(3000), Stream: ms(6000)},
		Pool:     Pool{Idle: 1, IdleTimeout: ms(4000), HTTP2: 2, Max: 5},
	}
	if d := cmp.Diff(want, *got, places); d != "" {
		t.Error(d)
	}
	if !got.Targets[1].At.IsValid() || got.TLS.Of("ca").Line == 0 {
		t.Error("places are missing")
	}
}

func TestConfigRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{targets: []}`: "at least one target",
		`{}`:            "targets",
		`{targets: ["10.0.0.1:80"], protocol: h2}`:                                                   "agreed on over TLS",
		`{targets: ["10.0.0.1:80"], protocol: auto}`:                                                 "agreed on over TLS",
		`{targets: ["10.0.0.1:80"], protocol: h2c, tls: {}}`:                                         "without TLS",
		`{targets: ["10.0.0.1:80"], protocol: h3}`:                                                   "h2c",
		`{targets: ["10.0.0.1"]}`:                                                                    "HOST:PORT",
		`{targets: ["10.0.0.1:0"]}`:                                                                  "HOST:PORT",
		`{targets: ["http://10.0.0.1:80"]}`:                                                          "HOST:PORT",
		`{targets: [":80"]}`:                                                                         "HOST:PORT",
		`{targets: ["dns:10.0.0.1:80"]}`:                                                             "nothing to resolve",
		`{targets: ["srv:orders.internal"]}`:                                                         "srv:_SERVICE._PROTOCOL.NAME",
		`{targets: ["srv:_http._tcp.orders.internal:80"]}`:                                           "srv:_SERVICE._PROTOCOL.NAME",
		`{targets: ["srv:_http._tcp."]}`:                                                             "srv:_SERVICE._PROTOCOL.NAME",
		`{targets: ["dns:a:80"], resolve: 0s}`:                                                       "1s to 1d",
		`{targets: ["dns:a:80"], resolve: {min: 1m, max: 5s}}`:                                       "min is above max",
		`{targets: ["dns:a:80"], resolver: resolver.internal}`:                                       "DNS server",
		`{targets: ["10.0.0.1:80"], resolver: 127.0.0.1}`:                                            "dns: and srv: alone",
		`{targets: ["10.0.0.1:80"], outliers: {consecutive: 0}}`:                                     "takes nothing out",
		`{targets: ["10.0.0.1:80"], outliers: {failures: 0.5}}`:                                      "20%",
		`{targets: ["10.0.0.1:80"], outliers: {max-ejected: 120%}}`:                                  "100%",
		`{targets: ["10.0.0.1:80"], outliers: {ejection: 0s}}`:                                       "100ms",
		`{targets: ["10.0.0.1:80"], slow-start: 5h}`:                                                 "1s to 1h",
		`{targets: ["10.0.0.1:80"], slow-start: {from: 10%}}`:                                        "window",
		`{targets: ["10.0.0.1:80"], breaker: {failures: 0%}}`:                                        "above 0%",
		`{targets: ["10.0.0.1:80"], concurrency: {queue: 10}}`:                                       "limits nothing",
		`{targets: ["10.0.0.1:80"], retry-budget: on}`:                                               "write off",
		`{targets: ["10.0.0.1:80"], drain: soon}`:                                                    "drain",
		`{targets: ["a b:80"]}`:                                                                      "HOST:PORT",
		`{targets: [{address: "10.0.0.1:80", weight: 0}]}`:                                           "1",
		`{targets: [{address: "10.0.0.1:80", wieght: 2}]}`:                                           "weight",
		`{targets: ["10.0.0.1:80"], balance: random}`:                                                "round-robin",
		`{targets: ["10.0.0.1:80"], balance: {hash: body}}`:                                          "header:NAME",
		`{targets: ["10.0.0.1:80"], balance: {hash: "header:"}}`:                                     "header:NAME",
		`{targets: ["10.0.0.1:80"], balance: {hash: "header:x user"}}`:                               "header:NAME",
		`{targets: ["10.0.0.1:80"], balance: {hash: "header:Host"}}`:                                 "header:NAME",
		`{targets: ["10.0.0.1:80"], balance: {hash: "cookie:a=b"}}`:                                  "cookie:NAME",
		`{targets: ["10.0.0.1:80"], balance: {hash: path, bound: 0.5}}`:                              "1 to 100",
		`{targets: ["10.0.0.1:80"], host: "a b"}`:                                                    "host name",
		`{targets: ["10.0.0.1:80"], host: "a\r\nX-Evil: 1"}`:                                         "host name",
		`{targets: ["10.0.0.1:80"], health: {path: healthz}}`:                                        "begins with /",
		`{targets: ["10.0.0.1:80"], health: {path: "/a b"}}`:                                         "begins with /",
		`{targets: ["10.0.0.1:80"], health: {path: "/\r\nX: 1"}}`:                                    "begins with /",
		`{targets: ["10.0.0.1:80"], health: {status: 99}}`:                                           "list of statuses",
		`{targets: ["10.0.0.1:80"], health: {status: "399-200"}}`:                                    "list of statuses",
		`{targets: ["10.0.0.1:80"], health: {all-unhealthy: maybe}}`:                                 "open",
		`{targets: ["10.0.0.1:80"], tls: {insecure: true}}`:                                          "insecure",
		`{targets: ["10.0.0.1:80"], tls: {ca: missing.pem}}`:                                         "missing.pem",
		`{targets: ["10.0.0.1:80"], tls: {ca: broken.pem}}`:                                          "no certificate",
		`{targets: ["10.0.0.1:80"], tls: {server-name: "a/b"}}`:                                      "host name",
		`{targets: ["10.0.0.1:80"], tls: {client-certificate: external}}`:                            "internal",
		`{targets: ["10.0.0.1:80"], tls: {client-certificate: {cert: broken.pem, key: broken.pem}}}`: "PEM",
		`{targets: ["10.0.0.1:80"], timeouts: {connect: 0s}}`:                                        "1ms",
		`{targets: ["10.0.0.1:80"], pool: {idle-per-target: -1}}`:                                    "0",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "broken.pem"), []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		var f document
		_, err := config.LoadBytes(filepath.Join(dir, "gatehouse.yaml"), []byte("services: {orders: "+text+"}"), &f, config.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestInline(t *testing.T) {
	for address, want := range map[string]string{
		"http://localhost:3000":  "localhost:3000",
		"http://10.0.0.1":        "10.0.0.1:80",
		"https://Orders.test/":   "orders.test:443",
		"https://[::1]:8443":     "[::1]:8443",
		"http://user@host":       "",
		"http://host/path":       "",
		"http://host?q=1":        "",
		"ftp://host":             "",
		"host:80":                "",
		"http://":                "",
		"http://host:0":          "",
		"http://host:99999":      "",
		"http://a b":             "",
		"http://ho%73t":          "",
		"http://host\r\nX: 1":    "",
		"http://host:80\r\nX: 1": "",
	} {
		c, err := Inline(address, config.Pos{File: "f", Line: 3, Column: 1})
		if want == "" {
			if err == nil {
				t.Errorf("%q: %+v", address, c.Targets)
			}
			continue
		}
		if err != nil || c.Targets[0].Address != want || (c.TLS != nil) != strings.HasPrefix(address, "https") || c.Pool.Idle != defaultIdle || c.Pos.Line != 3 {
			t.Errorf("%q: %v, %+v", address, err, c)
		}
		if c.Name != strings.ToLower(strings.TrimSuffix(address, "/")) {
			t.Errorf("%q: named %q", address, c.Name)
		}
	}
}
