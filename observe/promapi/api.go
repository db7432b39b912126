package promapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"gatehouse/observe/store"
)

// Source is what is asked.
type Source interface {
	// Queryable gives what a query may touch: so many series.
	Queryable(maxSeries int) storage.Queryable
	// Families says what is known of the series of each name.
	Families() map[string]store.Family
}

// Limits bound what questions cost.
type Limits struct {
	Samples    int           // in memory at once, of one query; 16 bytes each
	Series     int           // that one selection of a query may touch
	Timeout    time.Duration // of one query, its wait for others included
	Concurrent int           // queries at once; others wait
}

// API is the handler. It is safe for concurrent use.
type API struct {
	source  Source
	version string
	log     *slog.Logger
	parser  parser.Parser
	mux     *http.ServeMux
	now     atomic.Pointer[running]
}

// running are the limits in force, and what holds them.
type running struct {
	limits Limits
	engine *promql.Engine
	slots  chan struct{}
}

// New returns the API over a source. The version is the program's.
func New(source Source, version string, limits Limits, log *slog.Logger) *API {
	a := &API{source: source, version: version, log: log, parser: parser.NewParser(parser.Options{}), mux: http.NewServeMux()}
	a.SetLimits(limits)
	for path, h := range map[string]handler{
		"/api/v1/query":           a.query,
		"/api/v1/query_range":     a.queryRange,
		"/api/v1/query_exemplars": a.exemplars,
		"/api/v1/labels":          a.labelNames,
		"/api/v1/series":          a.series,
		"/api/v1/format_query":    a.formatQuery,
	} {
		a.mux.Handle("GET "+path, a.answer(h))
		a.mux.Handle("POST "+path, a.answer(h))
	}
	for path, h := range map[string]handler{
		"/api/v1/label/{name}/values": a.labelValues,
		"/api/v1/metadata":            a.metadata,
		"/api/v1/status/buildinfo":    a.buildInfo,
	} {
		a.mux.Handle("GET "+path, a.answer(h))
	}
	a.mux.Handle("/", a.answer(func(r *http.Request) (*result, error) {
		return nil, &problem{http.StatusNotFound, "not_found", fmt.Sprintf("nothing of Prometheus' API is served at %q with %s", r.URL.Path, r.Method)}
	}))
	return a
}

// SetLimits makes other limits hold for the queries that begin from now on.
func (a *API) SetLimits(l Limits) {
	if old := a.now.Load(); old != nil && old.limits == l {
		return
	}
	a.now.Store(&running{
		limits: l,
		slots:  make(chan struct{}, l.Concurrent),
		engine: promql.NewEngine(promql.EngineOpts{
			MaxSamples: l.Samples, Timeout: l.Timeout, Logger: a.log, Parser: a.parser,
			EnableAtModifier: true, EnableNegativeOffset: true,
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		}),
	})
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// acquire waits for a place among the queries that run, as long as ctx lasts.
func (n *running) acquire(ctx context.Context) (release func(), err error) {
	select {
	case n.slots <- struct{}{}:
		return func() { <-n.slots }, nil
	default:
	}
	select {
	case n.slots <- struct{}{}:
		return func() { <-n.slots }, nil
	case <-ctx.Done():
		return nil, &problem{http.StatusServiceUnavailable, "unavailable", fmt.Sprintf("%d queries run already, and none ended in time: ask less often, or raise metrics.queries.concurrent", n.limits.Concurrent)}
	}
}

// problem is an error as Prometheus tells it.
type problem struct {
	status int
	kind   string
	text   string
}

func (p *problem) Error() string { return p.text }

func bad(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "bad_data", fmt.Sprintf(format, args...)}
}

// statusCanceled is what Prometheus answers to who has gone away.
const statusCanceled = 499

// problemOf says an error of the engine or of the store as Prometheus does.
func (n *running) problemOf(err error) *problem {
	var (
		known    *problem
		canceled promql.ErrQueryCanceled
		timeout  promql.ErrQueryTimeout
		samples  promql.ErrTooManySamples
		stored   promql.ErrStorage
		many     *store.TooMany
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &many):
		return &problem{http.StatusUnprocessableEntity, "execution", many.Error()}
	case errors.Is(err, store.ErrClosed):
		return &problem{http.StatusServiceUnavailable, "unavailable", err.Error()}
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return &problem{statusCanceled, "canceled", err.Error()}
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "timeout", fmt.Sprintf("%v: a query may take %v (metrics.queries.timeout); ask for less", err, n.limits.Timeout)}
	case errors.As(err, &samples):
		return &problem{http.StatusUnprocessableEntity, "execution", fmt.Sprintf("%v: the limit is %d (metrics.queries.samples); narrow it by labels, time or step", err, n.limits.Samples)}
	case errors.As(err, &stored):
		return &problem{http.StatusInternalServerError, "internal", err.Error()}
	}
	return &problem{http.StatusUnprocessableEntity, "execution", err.Error()}
}

func (a *API) buildInfo(*http.Request) (*result, error) {
	return &result{data: map[string]string{
		"version": prometheusVersion, "revision": "gatehouse " + a.version, "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}}, nil
}

// prometheusVersion is the version of Prometheus whose engine and API this is: by
// it Grafana decides what it can ask.
const prometheusVersion = "3.16.0"
