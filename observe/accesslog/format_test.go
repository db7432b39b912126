package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gatehouse/config"
	"gatehouse/exchange"
)

type client struct{ header http.Header }

func (c *client) Header() http.Header         { return c.header }
func (c *client) Write(p []byte) (int, error) { return len(p), nil }
func (c *client) WriteHeader(int)             {}

func begin(method, target string) (*exchange.Exchange, *http.Request) {
	r := httptest.NewRequest(method, "/", nil)
	addr := netip.MustParseAddrPort("203.0.113.9:40000")
	conn := &exchange.Conn{Listener: ":8443", Peer: addr, Source: addr, TLS: true, SNI: "api.shop.test"}
	x, r := exchange.Begin(&client{http.Header{}}, r, conn, nil)
	_ = x.Path.Parse(target)
	x.Method = method
	x.ID, x.Start = "6f1c1b52-0000-4000-8000-000000000001", time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)
	x.Host, x.Generation = "api.shop.test", 3
	x.Trace.ID, x.Trace.Span = [16]byte{0x57, 0x59, 0xe9, 0x88, 15: 0x93}, [8]byte{7: 0x10}
	return x, r
}

func answered() *Record {
	x, _ := begin("GET", "/orders/1234?expand=lines&access_token=hunter2")
	x.API, x.Stage, x.Route = "shop", "prod", "GET /orders/{id}"
	x.Principal = exchange.NewPrincipal("jwt", "https://login.shop.test", "alice")
	x.Principal.Claims = map[string]any{"email": "alice@shop.test", "roles": []any{"a", "b"}, "admin": true, "level": json.Number("7"), "ratio": 0.5}
	x.Upstream = exchange.Upstream{Service: "orders", Target: "10.0.1.10:8080", Status: 200, Attempts: 1, Reused: true, Latency: 1530 * time.Microsecond}
	_, _ = x.Writer.Write(make([]byte, 512))
	x.Finish()
	return &Record{Exchange: x, UserAgent: "curl/8.14.1", Latency: 2041 * time.Microsecond, Account: "123456789012"}
}

func refusedBy(filter, reason string, status int) *Record {
	x, r := begin("POST", "/orders")
	x.API, x.Stage, x.Route = "shop", "prod", "POST /orders"
	exchange.Refuse(&x.Writer, r, exchange.Refusal{Status: status, Reason: reason, Detail: "found \"this\"", Rule: &exchange.Rule{Filter: filter, Name: "customers", At: config.Pos{File: "gatehouse.yaml", Line: 21}}})
	x.Finish()
	return &Record{Exchange: x, UserAgent: "a\"b\x1b[31m\r\nforged", Latency: time.Millisecond}
}

// bare is what the engine refused: nearly nothing is known.
func bare() *Record {
	r := httptest.NewRequest("GET", "/", nil)
	x, _ := exchange.Begin(&client{http.Header{}}, r, &exchange.Conn{}, nil)
	x.ID, x.Method, x.Proto, x.Start = "id", "", "", time.Unix(0, 0)
	x.Abort()
	return &Record{Exchange: x}
}

// coded is an answer that the gateway compressed.
func coded() *Record {
	r := bare()
	r.Coding = exchange.Coding{Name: "zstd", Plain: 900}
	return r
}

func compile(t testing.TB, format string, o Options) *Format {
	t.Helper()
	f, errs := Compile(format, o)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return f
}

func TestJSONLines(t *testing.T) {
	failed := answered()
	failed.Upstream = exchange.Upstream{Service: "orders", Target: "10.0.1.10:8080", Attempts: 2, Queued: 1500 * time.Microsecond, Connect: time.Second, Error: "connect refused"}
	failed.Aborted, failed.Path.Query = true, ""
	failed.Conn = &exchange.Conn{Peer: netip.MustParseAddrPort("10.0.0.1:1"), TLS: true, SNI: "other.test"}
	for _, tc := range []struct {
		name   string
		rec    *Record
		golden string
	}{
		{"answered", answered(), `{"time":"2026-03-04T05:06:07.089Z","requestId":"6f1c1b52-0000-4000-8000-000000000001","api":"shop","stage":"prod","route":"GET /orders/{id}","method":"GET","host":"api.shop.test","path":"/orders/1234","query":"expand=lines&access_token=(redacted)","protocol":"HTTP/1.1","tls":true,"client":"203.0.113.9","principal":"jwt:https://login.shop.test|alice","status":200,"bytesIn":0,"bytesOut":512,"latencyMs":2.041,"userAgent":"curl/8.14.1","traceId":"5759e988000000000000000000000093","spanId":"0000000000000010","generation":3,"upstream":{"service":"orders","target":"10.0.1.10:8080","status":200,"latencyMs":1.530,"attempts":1}}`},
		{"refused", refusedBy("auth", "no-token", 401), `{"time":"2026-03-04T05:06:07.089Z","requestId":"6f1c1b52-0000-4000-8000-000000000001","api":"shop","stage":"prod","route":"POST /orders","method":"POST","host":"api.shop.test","path":"/orders","protocol":"HTTP/1.1","tls":true,"client":"203.0.113.9","status":401,"bytesIn":0,"bytesOut":26,"latencyMs":1.000,"userAgent":"a\"b\u001b[31m\r\nforged","traceId":"5759e988000000000000000000000093","spanId":"0000000000000010","generation":3,"refused":{"reason":"no-token","filter":"auth","rule":"customers","at":"gatehouse.yaml:21","detail":"found \"this\""}}`},
		{"coded", coded(), `{"time":"1970-01-01T00:00:00.000Z","requestId":"id","status":0,"bytesIn":0,"bytesOut":0,"coding":"zstd","bytesPlain":900,"latencyMs":0.000,"generation":0,"aborted":true}`},
		{"failed", failed, `{"time":"2026-03-04T05:06:07.089Z","requestId":"6f1c1b52-0000-4000-8000-000000000001","api":"shop","stage":"prod","route":"GET /orders/{id}","method":"GET","host":"api.shop.test","path":"/orders/1234","protocol":"HTTP/1.1","tls":true,"sni":"other.test","client":"203.0.113.9","peer":"10.0.0.1","principal":"jwt:https://login.shop.test|alice","status":200,"bytesIn":0,"bytesOut":512,"latencyMs":2.041,"userAgent":"curl/8.14.1","traceId":"5759e988000000000000000000000093","spanId":"0000000000000010","generation":3,"upstream":{"service":"orders","target":"10.0.1.10:8080","queueMs":1.500,"connectMs":1000.000,"attempts":2,"error":"connect refused"},"aborted":true}`},
		{"bare", bare(), `{"time":"1970-01-01T00:00:00.000Z","requestId":"id","status":0,"bytesIn":0,"bytesOut":0,"latencyMs":0.000,"generation":0,"aborted":true}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line := string(compile(t, JSON, Options{Query: true}).Append(nil, tc.rec))
			if diff := cmp.Diff(tc.golden+"\n", line); diff != "" {
				t.Error(diff)
			}
			if !json.Valid([]byte(line)) {
				t.Error("no JSON")
			}
		})
	}
	if line := compile(t, JSON, Options{}).Append(nil, answered()); bytes.Contains(line, []byte("expand")) {
		t.Errorf("the query is printed unasked: %s", line)
	}
}

func TestFormats(t *testing.T) {
	const clf = `$context.identity.sourceIp - $context.identity.caller [$context.requestTime] "$context.httpMethod $context.path $context.protocol" $context.status $context.responseLength "$context.identity.userAgent" $context.requestId`
	for _, tc := range []struct {
		format string
		rec    *Record
		want   string
	}{
		{clf, answered(), `203.0.113.9 - jwt:https://login.shop.test|alice [04/Mar/2026:05:06:07 +0000] "GET /orders/1234 HTTP/1.1" 200 512 "curl/8.14.1" 6f1c1b52-0000-4000-8000-000000000001`},
		{clf, refusedBy("auth", "no-token", 401), `203.0.113.9 - - [04/Mar/2026:05:06:07 +0000] "POST /orders HTTP/1.1" 401 26 "a\"b\x1b[31m\r\nforged" 6f1c1b52-0000-4000-8000-000000000001`},
		{"$context.apiId.$context.stage. $context.routeKey, $context.resourcePath", answered(), "shop.prod. GET /orders/{id}, /orders/{id}"},
		{"$context.accountId $context.domainName $context.domainPrefix $context.extendedRequestId", answered(), "123456789012 api.shop.test api 6f1c1b52-0000-4000-8000-000000000001"},
		{"$context.requestTimeEpoch $context.responseLatency $context.dataProcessed", answered(), "1772600767089 2 512"},
		{"$context.integration.status $context.integration.latency $context.integrationLatency $context.integration.error", answered(), "200 1 1 -"},
		{"$context.xrayTraceId $context.traceId", answered(), "Root=1-5759e988-000000000000000000000093 5759e988000000000000000000000093"},
		{"$context.authorizer.principalId $context.authorizer.claims.email $context.authorizer.email $context.authorizer.claims.roles $context.authorizer.admin $context.authorizer.level $context.authorizer.ratio $context.authorizer.nobody", answered(), `jwt:https://login.shop.test|alice alice@shop.test alice@shop.test [\"a\",\"b\"] true 7 0.5 -`},
		{"$context.queryString $context.upstream.service $context.upstream.target $context.upstream.attempts $context.upstream.queueLatency $context.aborted", answered(), "expand=lines&access_token=(redacted) orders 10.0.1.10:8080 1 0 false"},
		{"$context.error.message|$context.error.messageString|$context.error.responseType", answered(), "-|-|-"},
		{"$context.error.message|$context.error.messageString|$context.error.responseType", refusedBy("auth", "no-token", 401), `Unauthorized|"Unauthorized"|UNAUTHORIZED`},
		{"$context.authorizer.error|$context.authorize.error|$context.refused.filter $context.refused.reason $context.refused.rule", refusedBy("auth", "no-token", 401), `found \"this\"|-|auth no-token customers`},
		{"$context.error.responseType $context.waf.status", refusedBy("waf", "rule", 403), "WAF_FILTERED 403"},
		{"$context.error.responseType $context.waf.status", refusedBy("authorize", "scope", 403), "ACCESS_DENIED -"},
		{"$context.waf.error $context.identity.apiKey costs $5 $", answered(), "- - costs $5 $"},
		{"$context.status $context.httpMethod", bare(), "0 -"},
		{`{"id":"$context.requestId", "status":$context.status, "who":$context.identity.caller, "ua":"$context.identity.userAgent", "x":$context.integration.status}`, refusedBy("auth", "x", 401),
			`{"id":"6f1c1b52-0000-4000-8000-000000000001", "status":401, "who":null, "ua":"a\"b\u001b[31m\r\nforged", "x":null}`},
		{"{\n\t\"m\": $context.error.messageString,\n\t\"n\": \"$context.error.messageString\", \"q\": $context.queryString, \"e\": \"$context.waf.error\", \"a\": $context.aborted\n}\n", refusedBy("auth", "x", 401),
			`{  "m": "Unauthorized",  "n": "Unauthorized", "q": null, "e": "-", "a": false }`},
	} {
		got := string(compile(t, tc.format, Options{}).Append(nil, tc.rec))
		if diff := cmp.Diff(tc.want+"\n", got); diff != "" {
			t.Errorf("%s:\n%s", tc.format, diff)
		}
	}
}

func TestEveryNamePrints(t *testing.T) {
	for _, name := range Names() {
		f := compile(t, `{"v":$context.`+name+`,"s":"$context.`+name+`"}`, Options{})
		p := compile(t, "<$context."+name+">", Options{})
		for _, rec := range []*Record{answered(), refusedBy("waf", "x", 403), bare()} {
			if line := f.Append(nil, rec); !json.Valid(line) {
				t.Errorf("%s: %s", name, line)
			}
			if line := string(p.Append(nil, rec)); line == "<>\n" {
				t.Errorf("%s prints nothing", name)
			}
		}
	}
}

// What a client sends does not make a line longer than a few values' bounds.
func TestLongValues(t *testing.T) {
	rec := answered()
	rec.Path.Raw, rec.Path.Query, rec.UserAgent = strings.Repeat("ä", 50_000), "code="+strings.Repeat("b", 50_000), strings.Repeat("\x00", 50_000)
	for _, format := range []string{JSON, "$context.path $context.queryString $context.identity.userAgent"} {
		line := compile(t, format, Options{Query: true}).Append(nil, rec)
		if len(line) > 10*maxText || !utf8.Valid(line) {
			t.Errorf("%s: %d bytes", format, len(line))
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tc := range []struct{ format, want string }{
		{"", "names no variable"},
		{"jsn", "names no variable"},
		{"$context.requestID $context.status", "unknown variable $context.requestID"},
		{"$context. $context.status", "unknown variable $context."},
		{"$context.authorizer.principalID", "unknown variable $context.authorizer.principalID"},
		{"$context.authorizer.claims", "unknown variable $context.authorizer.claims"},
		{"$context.authorizer.a.b", "unknown variable $context.authorizer.a.b"},
		{"$contxt.requestId $context.status", "unknown variable $contxt.requestId"},
		{"${context.requestId} $context.status", "unknown variable $context.requestId"},
		{"$context.status $remote_addr", "unknown variable $remote_addr"},
		{"$context.status\n$context.path", "more than one line"},
		{`{"status":$context.status`, "no JSON object"},
		{`{"status":$context.status$context.status x}`, "no JSON object"},
		{`{$context.status:1}`, "no JSON object"},
		{`{"a":1$context.status}`, "no JSON object"},
		{`{"a":"\$context.path"}`, "no JSON object"},
		{`{"a":"\u00$context.status"}`, "no JSON object"},
	} {
		_, errs := Compile(tc.format, Options{})
		if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Compile(%q): %v, want %q", tc.format, err, tc.want)
		}
	}
	if _, errs := Compile("$context.status $ $5 $$ {$}", Options{}); len(errs) > 0 {
		t.Errorf("dollars alone: %v", errs)
	}
	if _, errs := Compile("$context.a $context.b", Options{}); len(errs) != 2 {
		t.Errorf("%d errors, want both", len(errs))
	}
}

func TestAppendAllocates(t *testing.T) {
	for _, format := range []string{JSON, "$context.requestTime $context.path $context.queryString $context.identity.caller $context.authorizer.claims.email $context.status $context.xrayTraceId"} {
		f, rec := compile(t, format, Options{Query: true}), answered()
		line := f.Append(nil, rec)
		if n := testing.AllocsPerRun(100, func() { line = f.Append(line[:0], rec) }); n > 0 {
			t.Errorf("%s: %v allocations a line", format, n)
		}
	}
}

// FuzzCompile holds that what compiles prints one line, that it is JSON where
// it looks like JSON, and that no client's bytes get through unescaped.
func FuzzCompile(f *testing.F) {
	for _, format := range []string{JSON, "$context.path $context.status", `{"a":"$context.path","b":$context.status}`, `{"a":"\"$context.path\\","b":[$context.path]}`, "{}$context.path", `{"$context.path":1}`, "$context..", "{\"a\"\n:$context.aborted}"} {
		f.Add(format, "/a?b", "curl\x1b")
	}
	f.Add("$context.routeKey\x1b", "\r\n", "\xff\"")
	f.Fuzz(func(t *testing.T, format, path, agent string) {
		compiled, errs := Compile(format, Options{Query: true})
		if len(errs) > 0 {
			return
		}
		rec := answered()
		rec.Path.Raw, rec.Path.Query, rec.Route, rec.UserAgent, rec.Host = path, path, path, agent, agent
		rec.Upstream.Error, rec.Principal.ID = agent, path
		line := compiled.Append(nil, rec)
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("not one line: %q", line)
		}
		if !compiled.plain && !json.Valid(line) {
			t.Fatalf("no JSON: %q", line)
		}
		own := unprintable(format)
		if got := unprintable(string(line)); got > own+1 {
			t.Errorf("%d unprintable bytes, the format has %d: %q", got, own, line)
		}
	})
}

func unprintable(s string) (n int) {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			n++
		}
	}
	return n
}
