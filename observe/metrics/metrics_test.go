package metrics

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"gatehouse/exchange"
)

// scrape reads the exposition by hand: series, with their labels as they
// stand, to values.
func scrape(t *testing.T, m *Registry) map[string]string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", rec.Code, rec.Body)
	}
	line := regexp.MustCompile(`^([a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$`)
	series := make(map[string]string)
	for l := range strings.Lines(rec.Body.String()) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(l, "#") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("no line of the format: %q", l)
		}
		if _, twice := series[m[1]]; twice {
			t.Errorf("%s stands twice", m[1])
		}
		series[m[1]] = m[2]
	}
	return series
}

func expect(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for series, value := range want {
		if got[series] != value {
			t.Errorf("%s = %q, want %q", series, got[series], value)
		}
	}
}

func absent(t *testing.T, got map[string]string, part string) {
	t.Helper()
	for series := range got {
		if strings.Contains(series, part) {
			t.Errorf("there is %s", series)
		}
	}
}

type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

func ended(method string, status, bytes int) *exchange.Exchange {
	r := httptest.NewRequest(method, "/", nil)
	x, _ := exchange.Begin(&sink{http.Header{}}, r, &exchange.Conn{}, nil)
	x.Writer.WriteHeader(status)
	_, _ = x.Writer.Write(make([]byte, bytes))
	x.Finish()
	return x
}

func TestCount(t *testing.T) {
	m := New("v1", Sources{})
	l := m.Begin()
	r := l.Route(Key{"shop", "prod", "GET /orders/{id}"})
	unmatched := l.Route(Key{"shop", "prod", ""})
	nowhere := l.Route(Key{})
	l.Commit()

	x := ended("GET", 200, 100)
	x.Upstream = exchange.Upstream{Attempts: 1, Latency: 3 * time.Millisecond}
	r.Count(0, x, 4*time.Millisecond)
	r.Count(1, x, 700*time.Microsecond)
	r.Count(7, x, time.Minute)
	r.Count(2, ended("PROPFIND", 405, 0), time.Millisecond)
	refused := ended("GET", 404, 20)
	refused.Refused = &exchange.Refusal{Reason: "no-route", Rule: &exchange.Rule{Filter: "route"}}
	unmatched.Count(0, refused, time.Millisecond)
	unmatched.Count(0, refused, time.Millisecond)
	refused.Refused.Reason = "no-host"
	nowhere.Count(0, refused, time.Millisecond)

	got := scrape(t, m)
	const route = `api="shop",route="GET /orders/{id}",stage="prod"`
	expect(t, got, map[string]string{
		`gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /orders/{id}",stage="prod"}`:   "3",
		`gatehouse_requests_total{api="shop",code="405",method="OTHER",route="GET /orders/{id}",stage="prod"}`: "1",
		`gatehouse_requests_total{api="shop",code="404",method="GET",route="-",stage="prod"}`:                  "2",
		`gatehouse_requests_total{api="-",code="404",method="GET",route="-",stage="-"}`:                        "1",
		`gatehouse_request_duration_seconds_bucket{` + route + `,le="0.0005"}`:                                 "0",
		`gatehouse_request_duration_seconds_bucket{` + route + `,le="0.001"}`:                                  "2",
		`gatehouse_request_duration_seconds_bucket{` + route + `,le="0.005"}`:                                  "3",
		`gatehouse_request_duration_seconds_bucket{` + route + `,le="30"}`:                                     "3",
		`gatehouse_request_duration_seconds_bucket{` + route + `,le="+Inf"}`:                                   "4",
		`gatehouse_request_duration_seconds_count{` + route + `}`:                                              "4",
		`gatehouse_request_duration_seconds_sum{` + route + `}`:                                                "60.0057",
		`gatehouse_integration_duration_seconds_count{` + route + `}`:                                          "3",
		`gatehouse_response_bytes_total{` + route + `}`:                                                        "300",
		`gatehouse_refusals_total{api="shop",filter="route",reason="no-route"}`:                                "2",
		`gatehouse_refusals_total{api="-",filter="route",reason="no-host"}`:                                    "1",
	})
}

func TestReload(t *testing.T) {
	m := New("v1", Sources{})
	kept, gone := Key{"shop", "prod", "GET /kept"}, Key{"shop", "prod", "GET /gone"}
	l := m.Begin()
	old := l.Route(gone)
	first := l.Route(kept)
	first.Count(0, ended("GET", 200, 0), time.Millisecond)
	old.Count(0, ended("GET", 200, 0), time.Millisecond)
	l.Commit()

	aborted := m.Begin()
	aborted.Route(Key{"shop", "prod", "GET /never"}).Count(0, ended("GET", 200, 0), 1)
	aborted.Abort()
	got := scrape(t, m)
	absent(t, got, "/never")
	expect(t, got, map[string]string{`gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /gone",stage="prod"}`: "1"})

	l = m.Begin()
	if l.Route(kept) != first {
		t.Error("a route that stays got other counters")
	}
	l.Commit()
	old.Count(0, ended("GET", 200, 0), time.Millisecond) // a request that still holds it
	got = scrape(t, m)
	absent(t, got, "/gone")
	expect(t, got, map[string]string{`gatehouse_requests_total{api="shop",code="200",method="GET",route="GET /kept",stage="prod"}`: "1"})
}

func TestGatewayAndSources(t *testing.T) {
	m := New("v1.2.3", Sources{
		Upstreams: func() []UpstreamStats {
			return []UpstreamStats{
				{Service: "orders", Target: "10.0.0.1:80", InFlight: 2, ConnectFailures: 3}, {Service: "orders", Target: "10.0.0.2:80"},
				{Service: "orders", Target: "10.0.0.1:80", Healthy: true, ConnectFailures: 1, Requests: 5}, // by another name
			}
		},
		Services: func() []ServiceStats {
			return []ServiceStats{{Service: "orders", Healthy: 3, Unhealthy: 2, Ejected: 1, Spared: 4, RetriesDenied: 5}}
		},
		Breakers: func() []BreakerStats {
			return []BreakerStats{{Service: "orders", Open: true, Opened: 2, Refused: 70}}
		},
		Queues: func() []QueueStats {
			return []QueueStats{{Service: "orders", InFlight: 20, Limit: 20, Waiting: 7, Entered: 4, Waited: 1500 * time.Millisecond, Refused: 3, Expired: 2, Left: 1}}
		},
		Names: func() []NameStats {
			return []NameStats{{Service: "orders", Name: "dns:orders.internal:80", Addresses: 3, LastSuccess: time.UnixMilli(2500), Failures: 6, Stale: true}}
		},
		Listeners: func() []ListenerStats { return []ListenerStats{{Listener: ":8443", Open: 4, Accepted: 9}} },
		Keys: func() []KeySetStats {
			return []KeySetStats{{Source: "keys.json", Keys: 2, LastSuccess: time.UnixMilli(1500)}, {Source: "\xff"}}
		},
		Bodies:  func() BodyStats { return BodyStats{Used: 5, Limit: 10} },
		Codings: func() []CodingStats { return []CodingStats{{Coding: "gzip", Answers: 3, Plain: 300, Coded: 30}} },
		State: func() []StateStats {
			return []StateStats{{Up: true, Writes: 3, Failed: 1, Rows: 2, Bytes: 99, Known: time.UnixMilli(2500), External: true, Copied: time.UnixMilli(1500)}}
		},
		Secrets: func() []SecretStats {
			return []SecretStats{{Name: "cookies", Keys: 2, Since: time.UnixMilli(1500), Next: time.UnixMilli(2500)}}
		},
		Encoders: func() EncoderStats { return EncoderStats{Used: 6, Limit: 12, Refused: 1} },
		Certificates: func() []CertificateStats {
			return []CertificateStats{{Name: "api.shop.test", Source: "acme", Expires: time.UnixMilli(2500), Failures: 3}, {Name: "*.shop.test", Source: "acme"}}
		},
		Logs: func() []LogStats { return []LogStats{{Log: "stdout", Lines: 7, Dropped: 1}} },
	})
	m.Reloaded(1, nil)
	m.Reloaded(0, errors.New("no"))
	m.Reloaded(2, nil)
	m.Enter(1)
	m.Enter(2)
	m.Leave(3)
	got := scrape(t, m)
	expect(t, got, map[string]string{
		`gatehouse_upstream_healthy{service="orders",target="10.0.0.1:80"}`:                             "1",
		`gatehouse_upstream_healthy{service="orders",target="10.0.0.2:80"}`:                             "0",
		`gatehouse_upstream_requests_in_flight{service="orders",target="10.0.0.1:80"}`:                  "2",
		`gatehouse_upstream_connect_failures_total{service="orders",target="10.0.0.1:80"}`:              "4",
		`gatehouse_upstream_requests_total{service="orders",target="10.0.0.1:80"}`:                      "5",
		`gatehouse_service_targets_healthy{service="orders"}`:                                           "3",
		`gatehouse_service_targets_unhealthy{service="orders"}`:                                         "2",
		`gatehouse_service_targets_ejected{service="orders"}`:                                           "1",
		`gatehouse_service_ejections_spared_total{service="orders"}`:                                    "4",
		`gatehouse_service_retries_denied_total{service="orders"}`:                                      "5",
		`gatehouse_breaker_open{service="orders"}`:                                                      "1",
		`gatehouse_breaker_trying{service="orders"}`:                                                    "0",
		`gatehouse_breaker_refused_total{service="orders"}`:                                             "70",
		`gatehouse_queue_length{service="orders"}`:                                                      "7",
		`gatehouse_queue_wait_seconds_total{service="orders"}`:                                          "1.5",
		`gatehouse_queue_expired_total{service="orders"}`:                                               "2",
		`gatehouse_name_addresses{name="dns:orders.internal:80",service="orders"}`:                      "3",
		`gatehouse_name_stale{name="dns:orders.internal:80",service="orders"}`:                          "1",
		`gatehouse_name_last_success_timestamp_seconds{name="dns:orders.internal:80",service="orders"}`: "2.5",
		`gatehouse_connections_open{listener=":8443"}`:                                                  "4",
		`gatehouse_jwks_last_success_timestamp_seconds{source="keys.json"}`:                             "1.5",
		"gatehouse_jwks_keys{source=\"\ufffd\"}":                                                        "0",
		`gatehouse_body_buffer_used_bytes`:                                                              "5",
		`gatehouse_compress_answers_total{coding="gzip"}`:                                               "3",
		`gatehouse_compress_plain_bytes_total{coding="gzip"}`:                                           "300",
		`gatehouse_compress_coded_bytes_total{coding="gzip"}`:                                           "30",
		`gatehouse_compress_memory_used_bytes`:                                                          "6",
		`gatehouse_compress_memory_limit_bytes`:                                                         "12",
		`gatehouse_compress_memory_refused_total`:                                                       "1",
		`gatehouse_state_up`:                                                                 "1",
		`gatehouse_state_writes_total`:                                                       "3",
		`gatehouse_state_write_failures_total`:                                               "1",
		`gatehouse_state_rows`:                                                               "2",
		`gatehouse_state_size_bytes`:                                                         "99",
		`gatehouse_state_known_timestamp_seconds`:                                            "2.5",
		`gatehouse_state_copy_timestamp_seconds`:                                             "1.5",
		`gatehouse_secret_keys{name="cookies"}`:                                              "2",
		`gatehouse_secret_current_timestamp_seconds{name="cookies"}`:                         "1.5",
		`gatehouse_secret_next_timestamp_seconds{name="cookies"}`:                            "2.5",
		`gatehouse_access_log_dropped_total{log="stdout"}`:                                   "1",
		`gatehouse_config_generation`:                                                        "2",
		`gatehouse_config_reloads_total{result="success"}`:                                   "2",
		`gatehouse_config_reloads_total{result="failure"}`:                                   "1",
		`gatehouse_requests_in_flight`:                                                       "1",
		`gatehouse_certificate_expiry_timestamp_seconds{name="api.shop.test",source="acme"}`: "2.5",
		`gatehouse_certificate_failures_total{name="api.shop.test",source="acme"}`:           "3",
		`gatehouse_certificate_expiry_timestamp_seconds{name="*.shop.test",source="acme"}`:   "0",
	})
	absent(t, got, "gatehouse_throttle")
	if _, ok := got["go_goroutines"]; !ok {
		t.Error("Go's own metrics are missing")
	}
}

// What stands at /metrics is as Prometheus' own linter wants it.
func TestLint(t *testing.T) {
	m := New("v1.2.3", Sources{
		Upstreams: func() []UpstreamStats { return []UpstreamStats{{Service: "orders", Target: "10.0.0.1:80"}} },
		Services:  func() []ServiceStats { return []ServiceStats{{Service: "orders"}} },
		Breakers:  func() []BreakerStats { return []BreakerStats{{Service: "orders"}} },
		Queues:    func() []QueueStats { return []QueueStats{{Service: "orders"}} },
		Names:     func() []NameStats { return []NameStats{{Service: "orders", Name: "dns:orders.internal:80"}} },
		Listeners: func() []ListenerStats { return []ListenerStats{{Listener: ":8443"}} },
		Throttles: func() []ThrottleStats { return []ThrottleStats{{Scope: "address"}} },
		Keys:      func() []KeySetStats { return []KeySetStats{{Source: "keys.json"}} },
		Bodies:    func() BodyStats { return BodyStats{} },
		Logs:      func() []LogStats { return []LogStats{{Log: "stdout"}} },
		State:     func() []StateStats { return []StateStats{{External: true}} },
		Secrets:   func() []SecretStats { return []SecretStats{{Name: "cookies"}} },

		Certificates: func() []CertificateStats { return []CertificateStats{{Name: "api.shop.test", Source: "acme"}} },
	})
	l := m.Begin()
	route := l.Route(Key{"shop", "prod", "GET /orders/{id}"})
	l.Commit()
	x := ended("GET", 403, 10)
	x.Upstream.Latency = time.Millisecond
	x.Refused = &exchange.Refusal{Reason: "scope", Rule: &exchange.Rule{Filter: "authorize"}}
	route.Count(1, x, time.Second)
	rec := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	problems, err := promlint.New(rec.Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.Gatherer().Gather()
	if err != nil || len(families) < 30 {
		t.Errorf("%d families, %v", len(families), err)
	}
}

// An upstream that answers with ever new statuses costs a bounded number of
// series, and nothing is lost.
func TestManyCodes(t *testing.T) {
	m := New("v1", Sources{})
	l := m.Begin()
	r := l.Route(Key{"a", "b", "c"})
	l.Commit()
	x := ended("GET", 200, 0)
	var wg sync.WaitGroup
	const each = 2000
	for g := range 4 {
		wg.Go(func() {
			for i := range each {
				s, _ := r.shard(uint32(g%stripes)), i
				if !s.codes.add(uint8(i%8), 100+i%800) {
					s.rest.Add(1)
				}
				s.latency.observe(time.Millisecond)
			}
		})
	}
	wg.Go(func() { _ = scrape(t, m) })
	wg.Wait()
	r.Count(0, x, time.Millisecond)
	n, sum := 0, 0
	for series, value := range scrape(t, m) {
		if strings.HasPrefix(series, "gatehouse_requests_total") {
			var v int
			fmt.Sscan(value, &v)
			n, sum = n+1, sum+v
		}
	}
	if sum != 4*each+1 {
		t.Errorf("%d requests counted, want %d", sum, 4*each+1)
	}
	if bound := stripes*maxBlocks*8 + 1; n > bound {
		t.Errorf("%d series, at most %d", n, bound)
	}
}

func TestManyReasons(t *testing.T) {
	a := &apiSeries{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2 * maxRefusals {
				a.refuse(&exchange.Refusal{Reason: fmt.Sprint(i), Rule: &exchange.Rule{Filter: "f"}})
			}
		})
	}
	wg.Wait()
	var sum uint64
	for _, n := range *a.index.Load() {
		sum += n.Load()
	}
	if n := len(*a.index.Load()); n > maxRefusals+1 || sum != 8*maxRefusals {
		t.Errorf("%d pairs, %d refusals", n, sum)
	}
}

func TestBucketsMatchBounds(t *testing.T) {
	for i, b := range bounds() {
		if got := bucketOf(b); got != i {
			t.Errorf("%v is in bucket %d, want %d", b, got, i)
		}
		if got := bucketOf(b + 1); got != i+1 {
			t.Errorf("just over %v is in bucket %d, want %d", b, got, i+1)
		}
	}
	if bucketOf(-time.Second) != 0 {
		t.Error("a clock that went back")
	}
}

func TestMethods(t *testing.T) {
	for i, name := range methodNames() {
		if got := methodIndex(name); int(got) != i {
			t.Errorf("%s is %d, want %d", name, got, i)
		}
	}
	if methodIndex("get") != methodOther || methodIndex("") != methodOther {
		t.Error("unknown methods are OTHER")
	}
}

func TestCountAllocates(t *testing.T) {
	m := New("v1", Sources{})
	l := m.Begin()
	r := l.Route(Key{"a", "b", "c"})
	l.Commit()
	x := ended("GET", 403, 10)
	x.Refused = &exchange.Refusal{Reason: "scope", Rule: &exchange.Rule{Filter: "authorize"}}
	if n := testing.AllocsPerRun(100, func() { r.Count(0, x, time.Millisecond) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}

// BenchmarkScrape is what 10,000 routes with traffic cost a scrape.
func BenchmarkScrape(b *testing.B) {
	m := New("v1", Sources{})
	l := m.Begin()
	x := ended("GET", 200, 10)
	for i := range 10_000 {
		l.Route(Key{"api", "prod", fmt.Sprintf("GET /r%d/{id}", i)}).Count(0, x, time.Millisecond)
	}
	l.Commit()
	h := m.Handler(slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		w := &counting{sink: sink{http.Header{}}}
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		b.ReportMetric(float64(w.n)/1e6, "MB")
	}
}

type counting struct {
	sink
	n int64
}

func (c *counting) Write(p []byte) (int, error) { c.n += int64(len(p)); return io.Discard.Write(p) }
