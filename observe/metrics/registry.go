package metrics

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatehouse/keeper"
)

// Registry keeps every series over reloads. It is safe for concurrent use.
type Registry struct {
	routes   *keeper.Set[Key, *Route]
	apis     *keeper.Set[string, *apiSeries]
	gatherer *prometheus.Registry
	started  time.Time
	inFlight [stripes]paddedGauge
	reloads  reloads
}

// paddedGauge keeps each stripe on a cache line of its own.
type paddedGauge struct {
	n atomic.Int64
	_ [56]byte
}

type reloads struct {
	generation  atomic.Uint64
	succeeded   atomic.Uint64
	failed      atomic.Uint64
	lastSuccess atomic.Int64 // Unix milliseconds
}

// New returns a Registry without routes. The version is that of the program.
func New(version string, sources Sources) *Registry {
	m := &Registry{
		routes:   keeper.NewSet[Key, *Route](),
		apis:     keeper.NewSet[string, *apiSeries](),
		gatherer: prometheus.NewRegistry(),
		started:  time.Now(),
	}
	m.gatherer.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newRouteCollector(m),
		newGatewayCollector(m, version),
	)
	m.gatherer.MustRegister(sources.collectors()...)
	return m
}

// Handler answers with every series, in the format that the scraper asks for.
func (m *Registry) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}

// Gatherer gives the series to whoever keeps or tests them.
func (m *Registry) Gatherer() prometheus.Gatherer { return m.gatherer }

// Enter counts a request in; Leave, with the same stripe or another, out.
func (m *Registry) Enter(stripe uint32) { m.inFlight[stripe%stripes].n.Add(1) }

// Leave counts a request out.
func (m *Registry) Leave(stripe uint32) { m.inFlight[stripe%stripes].n.Add(-1) }

// InFlight returns how many requests are in.
func (m *Registry) InFlight() int64 {
	var n int64
	for i := range m.inFlight {
		n += m.inFlight[i].n.Load()
	}
	return n
}

// Reloaded notes the outcome of loading a configuration, the first included;
// generation is that which serves now.
func (m *Registry) Reloaded(generation uint64, err error) {
	if err != nil {
		m.reloads.failed.Add(1)
		return
	}
	m.reloads.generation.Store(generation)
	m.reloads.succeeded.Add(1)
	m.reloads.lastSuccess.Store(time.Now().UnixMilli())
}

// Lease is the part of a reload that concerns the series.
type Lease struct {
	routes *keeper.Lease[Key, *Route]
	apis   *keeper.Lease[string, *apiSeries]
}

// Begin starts a lease; one at a time.
func (m *Registry) Begin() *Lease {
	return &Lease{routes: m.routes.Begin(), apis: m.apis.Begin()}
}

// Route returns the counters of a route, as they were where there were any.
func (l *Lease) Route(key Key) *Route {
	api, _ := l.apis.Get(key.API, func() (*apiSeries, error) { return &apiSeries{name: key.API}, nil })
	r, _ := l.routes.Get(key, func() (*Route, error) { return &Route{key: key, api: api}, nil })
	return r
}

// Commit shows what the lease named, and nothing else any more.
func (l *Lease) Commit() {
	l.apis.Commit()
	l.routes.Commit()
}

// Abort leaves everything as it was.
func (l *Lease) Abort() {
	l.apis.Abort()
	l.routes.Abort()
}
