package cloudwatch

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"gatehouse/observe/store"
)

const began = 1_800_000_000_000 // ms, a whole minute

// counters adds a sample of counters and gauges at so many seconds.
func counters(t *testing.T, s *store.Store, second int64, series map[string]float64) {
	t.Helper()
	p := parser.NewParser(parser.Options{})
	b := s.Batch(store.Source{Name: "own"}, began+second*1000)
	for text, v := range series {
		l, err := p.ParseMetric(text)
		if err != nil {
			t.Fatal(err)
		}
		kind := store.Counter
		if strings.Contains(l.Get(model.MetricNameLabel), "_open") || strings.Contains(l.Get(model.MetricNameLabel), "targets_") {
			kind = store.Gauge
		}
		b.Add(l, kind, v)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

// Each statistic is what CloudWatch would say of a minute with ten requests, two of
// which failed with 500 and one with 404, of a minute without any, and of one with
// ten good ones.
func TestExpressions(t *testing.T) {
	s := store.New(store.Options{Dir: filepath.Join(t.TempDir(), "metrics")})
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	state := map[string]float64{}
	add := func(name string, n float64) { state[name] += n }
	const shop = `api="shop",stage="prod",route="GET /orders/{id}"`
	const any = `api="shop",stage="prod",route="ANY /else"`
	touch := func(n float64) {
		for _, c := range []string{"200", "404", "500"} {
			add(`gatehouse_requests_total{`+shop+`,method="GET",code="`+c+`"}`, 0)
		}
		add(`gatehouse_requests_total{`+any+`,method="POST",code="200"}`, n)
		for _, le := range []string{"0.1", "0.25", "+Inf"} {
			add(`gatehouse_request_duration_seconds_bucket{`+shop+`,le="`+le+`"}`, 0)
		}
		add(`gatehouse_request_duration_seconds_count{`+shop+`}`, 0)
		add(`gatehouse_request_duration_seconds_sum{`+shop+`}`, 0)
		add(`gatehouse_request_bytes_total{`+shop+`}`, 0)
		add(`gatehouse_response_bytes_total{`+shop+`}`, 0)
		state[`gatehouse_connections_open{listener=":8443"}`] = n
		state[`gatehouse_service_targets_healthy{service="orders"}`] = 2
		add(`gatehouse_waf_requests_total{acl="edge",rule="flood",action="block"}`, 0)
	}
	for second := int64(0); second <= 180; second += 10 {
		switch second {
		case 30: // in the first minute
			add(`gatehouse_requests_total{`+shop+`,method="GET",code="200"}`, 7)
			add(`gatehouse_requests_total{`+shop+`,method="GET",code="404"}`, 1)
			add(`gatehouse_requests_total{`+shop+`,method="GET",code="500"}`, 2)
			add(`gatehouse_request_duration_seconds_bucket{`+shop+`,le="0.1"}`, 8)
			add(`gatehouse_request_duration_seconds_bucket{`+shop+`,le="0.25"}`, 10)
			add(`gatehouse_request_duration_seconds_bucket{`+shop+`,le="+Inf"}`, 10)
			add(`gatehouse_request_duration_seconds_count{`+shop+`}`, 10)
			add(`gatehouse_request_duration_seconds_sum{`+shop+`}`, 0.8)
			add(`gatehouse_request_bytes_total{`+shop+`}`, 100)
			add(`gatehouse_response_bytes_total{`+shop+`}`, 900)
			add(`gatehouse_waf_requests_total{acl="edge",rule="flood",action="block"}`, 3)
		case 150: // in the third
			add(`gatehouse_requests_total{`+shop+`,method="GET",code="200"}`, 10)
		}
		touch(0)
		state[`gatehouse_connections_open{listener=":8443"}`] = float64(second % 60)
		counters(t, s, second, state)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 100_000, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	none := math.NaN()
	of := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	route := of("ApiName", "shop", "Stage", "prod", "Method", "GET", "Resource", "/orders/{id}")
	for _, tc := range []struct {
		namespace, name, statistic string
		dimensions                 map[string]string
		want                       [3]float64 // of each minute
	}{
		{gatewayNamespace, "Count", "Sum", route, [3]float64{10, none, 10}},
		{gatewayNamespace, "Count", "SampleCount", route, [3]float64{10, none, 10}},
		{gatewayNamespace, "Count", "Average", route, [3]float64{1, none, 1}},
		{"", "5XXError", "Sum", of("api", "shop", "stage", "prod"), [3]float64{2, none, 0}},
		{"", "5XXError", "Average", of("api", "shop"), [3]float64{0.2, none, 0}},
		{"", "5XXError", "Maximum", route, [3]float64{1, none, 0}},
		{"", "5XXError", "Minimum", route, [3]float64{0, none, 0}},
		{"", "4XXError", "Sum", nil, [3]float64{1, none, 0}},
		{"", "4xx", "SampleCount", nil, [3]float64{10, none, 10}},
		{"", "Count", "Sum", of("Method", "POST"), [3]float64{none, none, none}},
		{"", "Count", "Sum", of("api", "other"), [3]float64{none, none, none}},
		{"", "Latency", "Average", route, [3]float64{80, none, none}},
		{"", "Latency", "Sum", route, [3]float64{800, none, none}},
		{"", "Latency", "SampleCount", route, [3]float64{10, none, none}},
		{"", "Latency", "p90", route, [3]float64{175, none, none}},
		{"", "Latency", "Maximum", route, [3]float64{250, none, none}},
		{"", "DataProcessed", "Sum", route, [3]float64{1000, none, none}},
		{"", "DataProcessed", "Average", route, [3]float64{100, none, none}},
		{balancer, "ActiveFlowCount", "Maximum", of("LoadBalancer", ":8443"), [3]float64{50, 50, 50}},
		{balancer, "HealthyHostCount", "Minimum", of("TargetGroup", "orders"), [3]float64{2, 2, 2}},
		{firewall, "BlockedRequests", "Sum", of("WebACL", "edge", "Rule", "flood"), [3]float64{3, 0, 0}},
		{edge, "5xxErrorRate", "Average", nil, [3]float64{20, none, 0}},
		{edge, "TotalErrorRate", "Average", nil, [3]float64{30, none, 0}},
		{edge, "BytesDownloaded", "Sum", nil, [3]float64{900, 0, 0}},
	} {
		expression, err := Expression(Metric{tc.namespace, tc.name, tc.dimensions}, tc.statistic, time.Minute)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		for minute, want := range tc.want {
			q, err := engine.NewInstantQuery(context.Background(), s.Queryable(0), nil, expression, time.UnixMilli(began+int64(minute+1)*60_000))
			if err != nil {
				t.Fatalf("%s: %v", expression, err)
			}
			v, err := q.Exec(context.Background()).Vector()
			if err != nil || len(v) > 1 {
				t.Fatalf("%s: %v %v", expression, v, err)
			}
			got := none
			if len(v) == 1 {
				got = v[0].F
			}
			if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-9 {
				t.Errorf("%s %s of minute %d is %v, not %v:\n%s", tc.name, tc.statistic, minute+1, got, want, expression)
			}
			q.Close()
		}
	}
}

// Every metric that is listed has an expression that parses, for each statistic that
// it has, and at least one.
func TestAllParse(t *testing.T) {
	p := parser.NewParser(parser.Options{})
	for _, k := range All() {
		n := 0
		for _, statistic := range []string{"SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50", "P99.9"} {
			for _, dimension := range append([]string{""}, k.Dimensions...) {
				m := Metric{k.Namespace, k.Name, map[string]string{}}
				if dimension != "" {
					m.Dimensions[dimension] = "a\"b\\{x}"
				}
				text, err := Expression(m, statistic, 5*time.Minute)
				if err != nil {
					continue
				}
				n++
				if _, err := p.ParseExpr(text); err != nil {
					t.Errorf("%s %s: %v\n%s", k.Name, statistic, err, text)
				}
			}
		}
		if n == 0 {
			t.Errorf("%s %s has no statistic", k.Namespace, k.Name)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tc := range []struct {
		m         Metric
		statistic string
		period    time.Duration
		want      string
	}{
		{Metric{"", "Latncy", nil}, "Sum", time.Minute, "there are 4XXError, "},
		{Metric{"AWS/Nothing", "Count", nil}, "Sum", time.Minute, "no namespace"},
		{Metric{"", "Count", map[string]string{"Stge": "a"}}, "Sum", time.Minute, `no dimension "Stge": it has ApiName, Stage`},
		{Metric{edge, "Requests", map[string]string{"x": "a"}}, "Sum", time.Minute, "no dimensions"},
		{Metric{"", "Count", nil}, "Median", time.Minute, "no statistic"},
		{Metric{"", "Count", nil}, "p101", time.Minute, "no statistic"},
		{Metric{"", "Count", nil}, "p99", time.Minute, "take Average"},
		{Metric{"", "Count", nil}, "Sum", time.Millisecond, "whole number of seconds"},
	} {
		if text, err := Expression(tc.m, tc.statistic, tc.period); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %q, %v", tc.m, text, err)
		}
	}
}
