package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// finished returns the Exchange of a typical secured request that has ended.
func finished(t testing.TB) (*exchange.Exchange, *http.Request) {
	t.Helper()
	target := "/orders/1234?expand=lines&access_token=hunter2"
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("User-Agent", "curl/8.14.1")
	conn := &exchange.Conn{Listener: ":8443", Peer: netip.MustParseAddrPort("203.0.113.9:40000"), Source: netip.MustParseAddrPort("203.0.113.9:40000"), TLS: true, SNI: "api.shop.test"}
	x, r := exchange.Begin(&discard{http.Header{}}, r, conn, nil)
	if err := x.Path.Parse(target); err != nil {
		t.Fatal(err)
	}
	x.Host, x.API, x.Stage, x.Route = "api.shop.test", "shop", "prod", "GET /orders/{id}"
	x.RouteAt = config.Pos{File: "/etc/gatehouse/gatehouse.yaml", Line: 21, Column: 9}
	x.Principal = exchange.NewPrincipal("jwt", "https://login.shop.test", "alice")
	x.Generation = 3
	x.Upstream = exchange.Upstream{Service: "orders", Target: "10.0.1.10:8080", Status: 200, Attempts: 1, Reused: true, Latency: 1530 * time.Microsecond}
	for _, s := range []struct {
		filter, name string
		decision     exchange.Decision
	}{{"cors", "https://shop.test", exchange.Passed}, {"throttle", "50/s per ip", exchange.Passed}, {"auth", "customers", exchange.Allowed}, {"authorize", "scopes orders.read", exchange.Allowed}, {"throttle", "10/s per principal", exchange.Passed}, {"transform", "headers", exchange.Changed}} {
		x.Trail.Add(&exchange.Rule{Filter: s.filter, Name: s.name, At: config.Pos{File: "/etc/gatehouse/gatehouse.yaml", Line: 30}}, s.decision, "")
	}
	_, _ = x.Writer.Write(make([]byte, 512))
	x.Finish()
	return x, r
}

func observer(t testing.TB, c LogConfig) (*Keeper, *Observer, *Route) {
	t.Helper()
	k := NewKeeper(Options{Logger: quiet(), Stdout: io.Discard, Version: "test"})
	t.Cleanup(k.Close)
	l := k.Begin()
	o, err := l.Observer(c, "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	route := l.Route("shop", "prod", "GET /orders/{id}")
	l.Commit()
	return k, o, route
}

// lines reads an access log.
func lines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for l := range strings.Lines(text) {
		var line map[string]any
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		all = append(all, line)
	}
	return all
}

func scraped(k *Keeper) string {
	rec := httptest.NewRecorder()
	k.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	return rec.Body.String()
}

func has(t *testing.T, text, line string) {
	t.Helper()
	if !strings.Contains(text, line+"\n") {
		t.Errorf("there is no %s", line)
	}
}

// serve does with a request what the gateway's entry does.
func serve(o *Observer, route *Route, h http.HandlerFunc) (id string) {
	r := httptest.NewRequest("GET", "/orders/1", nil)
	r.Header.Set("User-Agent", "curl/8")
	addr := netip.MustParseAddrPort("203.0.113.9:1")
	x, r := exchange.Begin(&discard{http.Header{}}, r, &exchange.Conn{Peer: addr, Source: addr}, nil)
	id = strings.Clone(x.ID)
	seen := o.Begin(x, r)
	defer func() {
		if recover() != nil {
			x.Abort()
		}
		o.Done(x, seen)
		x.Release()
	}()
	seen.Route = route
	h(&x.Writer, r)
	x.Finish()
	return id
}

func refuse(w http.ResponseWriter, r *http.Request) {
	exchange.Refuse(w, r, exchange.Refusal{Status: 403, Reason: "scope", Rule: &exchange.Rule{Filter: "authorize", Name: "scopes"}})
}

// One request is one line, one count and one entry, whatever became of it.
func TestObserver(t *testing.T) {
	var out bytes.Buffer
	k := NewKeeper(Options{Logger: quiet(), Stdout: &out, Version: "test"})
	l := k.Begin()
	o, err := l.Observer(LogConfig{}, "")
	if err != nil {
		t.Fatal(err)
	}
	route := l.Route("shop", "prod", "GET /orders/{id}")
	l.Commit()
	k.Reloaded(1, nil)

	var inside string
	fine := serve(o, route, func(w http.ResponseWriter, r *http.Request) {
		inside = scraped(k)
		if r.Header.Get("Traceparent") == "" || r.Header.Get("X-Amzn-Trace-Id") == "" {
			t.Error("no trace goes to the target")
		}
		_, _ = io.WriteString(w, "hello")
	})
	refused := serve(o, route, refuse)
	cut := serve(o, route, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hel")
		panic(http.ErrAbortHandler)
	})
	lost := serve(o, nil, refuse)
	engine := &exchange.Exchange{ID: "engine", Start: time.Now(), Conn: &exchange.Conn{}}
	o.Done(engine, Seen{})
	has(t, inside, "gatehouse_requests_in_flight 1")

	text := scraped(k)
	k.Close()
	logged := lines(t, out.String())
	if len(logged) != 5 {
		t.Fatalf("%d lines", len(logged))
	}
	for i, want := range []struct {
		id     string
		status float64
		key    string
	}{{fine, 200, "traceId"}, {refused, 403, "refused"}, {cut, 200, "aborted"}, {lost, 403, "refused"}, {"engine", 0, "status"}} {
		line := logged[i]
		if line["requestId"] != want.id || line["status"] != want.status || line[want.key] == nil {
			t.Errorf("line %d: %v", i, line)
		}
		if e, ok := k.Recent().Find(want.id); !ok || e.Status != int(want.status) {
			t.Errorf("remembered: %+v", e)
		}
	}
	for _, line := range []string{
		`gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /orders/{id}",stage="prod"} 2`,
		`gatehouse_requests_total{api="shop",code="403",method="GET",route="GET /orders/{id}",stage="prod"} 1`,
		`gatehouse_requests_total{api="-",code="403",method="GET",route="-",stage="-"} 1`,
		`gatehouse_requests_total{api="-",code="0",method="OTHER",route="-",stage="-"} 1`,
		`gatehouse_refusals_total{api="shop",filter="authorize",reason="scope"} 1`,
		`gatehouse_response_bytes_total{api="shop",route="GET /orders/{id}",stage="prod"} 31`,
		`gatehouse_access_log_lines_total{log="stdout"} 5`,
		"gatehouse_requests_in_flight 0",
		"gatehouse_config_generation 1",
	} {
		has(t, text, line)
	}
}

// A reload that moves the log, or fails, loses no line of those under way.
func TestReloads(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.log"), filepath.Join(dir, "second.log")
	k := NewKeeper(Options{Logger: quiet(), Stdout: io.Discard})
	install := func(path string) *Observer {
		l := k.Begin()
		o, err := l.Observer(LogConfig{Access: Destination{Path: path}}, "")
		if err != nil {
			t.Fatal(err)
		}
		l.Commit()
		return o
	}
	old := install(first)
	serve(old, nil, refuse)

	l := k.Begin()
	if _, err := l.Observer(LogConfig{Access: Destination{Path: filepath.Join(first, "x.log"), At: config.Pos{File: "g.yaml", Line: 3, Column: 1}}}, ""); err == nil || !strings.Contains(err.Error(), "g.yaml:3:1") {
		t.Errorf("a log below a file: %v", err)
	}
	l.Abort()
	serve(old, nil, refuse)

	current := install(second)
	serve(old, nil, refuse) // a request that began before
	serve(current, nil, refuse)
	if err := os.Rename(second, second+".1"); err != nil {
		t.Fatal(err)
	}
	if err := k.Reopen(); err != nil {
		t.Fatal(err)
	}
	serve(current, nil, refuse)
	off := install("off")
	serve(off, nil, refuse)
	k.Close()
	for path, want := range map[string]int{first: 3, second + "*": 2} {
		n := 0
		files, _ := filepath.Glob(path)
		for _, f := range files {
			text, _ := os.ReadFile(f)
			n += len(lines(t, string(text)))
		}
		if n != want {
			t.Errorf("%s: %d lines, want %d", path, n, want)
		}
	}
}

// Await waits for the line, not only for the request's end.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		k := NewKeeper(Options{Logger: quiet(), Stdout: &out})
		l := k.Begin()
		o, err := l.Observer(LogConfig{}, "")
		if err != nil {
			t.Fatal(err)
		}
		l.Commit()
		k.Await(t.Context()) // nothing to wait for
		go serve(o, nil, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if k.Await(short); time.Since(start) != time.Second {
			t.Errorf("it gave up after %v", time.Since(start))
		}
		k.Await(t.Context())
		k.Close()
		if n := strings.Count(out.String(), "\n"); n != 1 || time.Since(start) < time.Minute {
			t.Errorf("%d lines after %v", n, time.Since(start))
		}
	})
}

func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	k, o, route := observer(t, LogConfig{Access: Destination{Path: path}})
	const goroutines, each = 8, 300
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				id := serve(o, route, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "x") })
				if i%30 == 0 {
					k.Recent().Find(id)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			_ = scraped(k)
			_ = k.Reopen()
		}
	})
	wg.Wait()
	text := scraped(k)
	k.Close()
	has(t, text, `gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /orders/{id}",stage="prod"} 2400`)
	b, _ := os.ReadFile(path)
	if n := len(lines(t, string(b))); n != goroutines*each {
		t.Errorf("%d lines", n)
	}
}

func TestDoneAllocates(t *testing.T) {
	if underRace {
		t.Skip("sync.Pool allocates under the race detector")
	}
	_, o, route := observer(t, LogConfig{Access: Destination{Path: "/dev/null"}})
	x, _ := finished(t)
	seen := Seen{Route: route, userAgent: "curl/8.14.1"}
	for range 10_000 { // fills the ring and the log's buffers
		o.Done(x, seen)
	}
	if n := testing.AllocsPerRun(1000, func() { o.Done(x, seen) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}
