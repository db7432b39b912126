package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// gatewayCollector shows what concerns the gateway as a whole.
type gatewayCollector struct {
	registry                               *Registry
	build, started, inFlight               *prometheus.Desc
	generation, reloads, lastReloadSuccess *prometheus.Desc
	version                                string
}

func newGatewayCollector(m *Registry, version string) *gatewayCollector {
	return &gatewayCollector{
		registry:          m,
		version:           version,
		build:             prometheus.NewDesc("gatehouse_build_info", "Always 1; the labels say what runs.", []string{"version", "goversion"}, nil),
		started:           prometheus.NewDesc("gatehouse_start_time_seconds", "When the gateway started.", nil, nil),
		inFlight:          prometheus.NewDesc("gatehouse_requests_in_flight", "Requests that have begun and not ended.", nil, nil),
		generation:        prometheus.NewDesc("gatehouse_config_generation", "Number of the configuration that serves, counted from 1 at the start.", nil, nil),
		reloads:           prometheus.NewDesc("gatehouse_config_reloads_total", "Configurations loaded, the first included.", []string{"result"}, nil),
		lastReloadSuccess: prometheus.NewDesc("gatehouse_config_last_reload_success_timestamp_seconds", "When the configuration that serves was loaded.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *gatewayCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.build, c.started, c.inFlight, c.generation, c.reloads, c.lastReloadSuccess} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *gatewayCollector) Collect(ch chan<- prometheus.Metric) {
	m := c.registry
	ch <- gauge(c.build, 1, c.version, runtime.Version())
	ch <- gauge(c.started, float64(m.started.UnixMilli())/1000)
	ch <- gauge(c.inFlight, float64(m.InFlight()))
	ch <- gauge(c.generation, float64(m.reloads.generation.Load()))
	ch <- counter(c.reloads, m.reloads.succeeded.Load(), "success")
	ch <- counter(c.reloads, m.reloads.failed.Load(), "failure")
	ch <- gauge(c.lastReloadSuccess, float64(m.reloads.lastSuccess.Load())/1000)
}
