package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// none is the label of what has no API, stage or route.
const none = "-"

// label returns a label that the format can carry.
func label(s string) string {
	if s == "" {
		return none
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// routeCollector shows the routes' counters.
type routeCollector struct {
	registry                       *Registry
	requests, latency              *prometheus.Desc
	integration, bytesIn, bytesOut *prometheus.Desc
	refusals                       *prometheus.Desc
	bounds                         [buckets - 1]float64
}

func newRouteCollector(m *Registry) *routeCollector {
	route := []string{"api", "stage", "route"}
	c := &routeCollector{
		registry:    m,
		requests:    prometheus.NewDesc("gatehouse_requests_total", "Requests that have ended, by method and status sent; code 0 where the client left before one was.", append(route[:3:3], "method", "code"), nil),
		latency:     prometheus.NewDesc("gatehouse_request_duration_seconds", "Time from a request's head to the end of its answer.", route, nil),
		integration: prometheus.NewDesc("gatehouse_integration_duration_seconds", "Time from the request sent to the head of the target's answer, of the last attempt.", route, nil),
		bytesIn:     prometheus.NewDesc("gatehouse_request_bytes_total", "Bytes of request bodies received.", route, nil),
		bytesOut:    prometheus.NewDesc("gatehouse_response_bytes_total", "Bytes of answers' bodies sent.", route, nil),
		refusals:    prometheus.NewDesc("gatehouse_refusals_total", "Requests that the gateway itself refused, by the filter that did and why.", []string{"filter", "reason", "api"}, nil),
	}
	for i, b := range bounds() {
		c.bounds[i] = b.Seconds()
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *routeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.requests, c.latency, c.integration, c.bytesIn, c.bytesOut, c.refusals} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *routeCollector) Collect(ch chan<- prometheus.Metric) {
	c.registry.routes.Each(func(_ Key, r *Route) { c.route(ch, r) })
	c.registry.apis.Each(func(_ string, a *apiSeries) { c.api(ch, a) })
}

// totals is a route's shards added up.
type totals struct {
	codes                map[uint32]uint64
	latency, integration tally
	in, out, rest        uint64
}

type tally struct {
	buckets [buckets]uint64
	seconds float64
}

func (t *tally) add(h *histogram) {
	for i := range h.buckets {
		t.buckets[i] += h.buckets[i].Load()
	}
	t.seconds += float64(h.sum.Load()) / 1e9
}

func (r *Route) totals() (t totals, any bool) {
	t.codes = make(map[uint32]uint64)
	for i := range r.shards {
		s := r.shards[i].Load()
		if s == nil {
			continue
		}
		any = true
		s.codes.each(func(key uint32, n uint64) { t.codes[key] += n })
		t.latency.add(&s.latency)
		t.integration.add(&s.integration)
		t.in += s.in.Load()
		t.out += s.out.Load()
		t.rest += s.rest.Load()
	}
	return t, any
}

func (c *routeCollector) route(ch chan<- prometheus.Metric, r *Route) {
	t, any := r.totals()
	if !any {
		return
	}
	api, stage, route := label(r.key.API), label(r.key.Stage), label(r.key.Route)
	for key, n := range t.codes {
		ch <- counter(c.requests, n, api, stage, route, methodNames()[key>>16&0xff], strconv.Itoa(int(key&0xffff)))
	}
	if t.rest > 0 {
		ch <- counter(c.requests, t.rest, api, stage, route, "OTHER", "other")
	}
	ch <- c.histogram(c.latency, &t.latency, api, stage, route)
	if t.integration.seconds > 0 {
		ch <- c.histogram(c.integration, &t.integration, api, stage, route)
	}
	ch <- counter(c.bytesIn, t.in, api, stage, route)
	ch <- counter(c.bytesOut, t.out, api, stage, route)
}

func (c *routeCollector) histogram(d *prometheus.Desc, t *tally, labels ...string) prometheus.Metric {
	cumulative := make(map[float64]uint64, len(c.bounds))
	var n uint64
	for i, bound := range c.bounds {
		n += t.buckets[i]
		cumulative[bound] = n
	}
	n += t.buckets[buckets-1]
	return prometheus.MustNewConstHistogram(d, n, t.seconds, cumulative, labels...)
}

func (c *routeCollector) api(ch chan<- prometheus.Metric, a *apiSeries) {
	index := a.index.Load()
	if index == nil {
		return
	}
	for key, n := range *index {
		ch <- counter(c.refusals, n.Load(), label(key.filter), label(key.reason), label(a.name))
	}
}

func counter(d *prometheus.Desc, n uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
