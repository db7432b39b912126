package observe

import (
	"net/http"
	"time"

	"github.com/prometheus/prometheus/storage"

	"gatehouse/config"
	"gatehouse/observe/ingest"
	"gatehouse/observe/metrics"
	"gatehouse/observe/promapi"
	"gatehouse/observe/sampler"
	"gatehouse/observe/scrape"
	"gatehouse/observe/store"
)

// MetricsConfig is the metrics section.
type MetricsConfig struct {
	config.At
	Interval config.Duration `yaml:"interval" default:"10s" range:"1s..60s" doc:"time between two samples of the gateway's own metrics"`
	Size     config.Size     `yaml:"size" default:"1GiB" range:"0..1TiB" doc:"what kept metrics may take on the disk, below data: the oldest go; 0 keeps none"`
	Series   int             `yaml:"series" default:"100000" range:"1000..10000000" doc:"series that are kept at once; samples of further ones are left out, and counted"`
	Queries  Queries         `yaml:"queries" doc:"what queries may cost"`
	Push     Push            `yaml:"push" doc:"metrics that programs bring by themselves"`
}

// Queries is the queries section of metrics.
type Queries struct {
	config.At
	Samples    int             `yaml:"samples" default:"2000000" range:"1000..1000000000" doc:"samples that a query may have in memory at once, 16 bytes each"`
	Series     int             `yaml:"series" default:"20000" range:"1..10000000" doc:"series that one selection of a query may touch"`
	Timeout    config.Duration `yaml:"timeout" default:"30s" range:"100ms..10m" doc:"how long a query may take, its wait for others included"`
	Concurrent int             `yaml:"concurrent" default:"4" range:"1..1000" doc:"queries that run at once; others wait"`
}

// Push is the push section of metrics.
type Push struct {
	config.At
	Token  config.Secret `yaml:"token" doc:"what programs send as Authorization: Bearer TOKEN that push metrics to the admin listener; at least 22 characters; over the control socket none is needed"`
	Series int           `yaml:"series" default:"1000" range:"1..1000000" doc:"series that one job, or one target that is scraped, may have"`
}

// minToken is the length of the shortest token: 128 bits in base64.
const minToken = 22

// Check implements config.Checker.
func (p Push) Check(r *config.Report) {
	if p.Token.IsSet() && len(p.Token.Reveal()) < minToken {
		r.Errorf(p.Of("token"), "the token is too short to be safe: use at least %d random characters", minToken)
	}
}

func (q Queries) limits() promapi.Limits {
	return promapi.Limits{Samples: q.Samples, Series: q.Series, Timeout: q.Timeout.D(), Concurrent: q.Concurrent}
}

// stored keeps metrics on disk and answers questions about them.
type stored struct {
	store   *store.Store
	sampler *sampler.Sampler
	api     *promapi.API
	pushed  *ingest.Pushed
	scraped *scrape.Keeper
}

func newStored(dir string, o Options, m *metrics.Registry) *stored {
	s := &stored{store: store.New(store.Options{Dir: dir, Log: o.Logger})}
	s.sampler = sampler.New(sampler.Options{Store: s.store, Gatherer: m.Gatherer(), Log: o.Logger})
	s.api = promapi.New(s.store, o.Version, defaultLimits(), o.Logger)
	s.pushed = ingest.NewPushed(s.store)
	s.scraped = scrape.New(s.store, o.Logger)
	return s
}

// defaultLimits hold until there is a configuration.
func defaultLimits() promapi.Limits {
	return promapi.Limits{Samples: 2_000_000, Series: 20_000, Timeout: 30 * time.Second, Concurrent: 4}
}

// Keep has metrics be kept as a configuration says, and these services be scraped. The
// folder must be this process's alone.
func (k *Keeper) Keep(c MetricsConfig, jobs []scrape.Job) {
	k.stored.api.SetLimits(c.Queries.limits())
	k.stored.pushed.Set(c.Push.Series, c.Push.Token.Reveal())
	k.stored.sampler.SetInterval(c.Interval.D())
	if c.Size == 0 {
		k.Pause()
		return
	}
	k.stored.store.SetLimits(int64(c.Size), c.Series)
	k.stored.sampler.Start()
	k.stored.scraped.Set(jobs)
}

// Pause lets go of the folder of the metrics, which another process is to have; Keep
// takes it again.
func (k *Keeper) Pause() {
	k.stored.scraped.Set(nil)
	k.stored.sampler.Stop()
}

// Prometheus answers questions about the metrics that are kept, as Prometheus does.
func (k *Keeper) Prometheus() http.Handler { return k.stored.api }

// Queryable is what PromQL is asked about within the gateway: a query of an alarm may
// touch so many series.
func (k *Keeper) Queryable(maxSeries int) storage.Queryable {
	return k.stored.store.Queryable(maxSeries)
}

// Pushed takes metrics that programs push; trusted for the control socket, where
// who asks was let in already.
func (k *Keeper) Pushed(trusted bool) http.Handler {
	if trusted {
		return k.stored.pushed.Trusted()
	}
	return k.stored.pushed.Guarded()
}

func (k *Keeper) storeStats() []metrics.StoreStats {
	s := k.stored.store.Stats()
	return []metrics.StoreStats{{
		Series: s.Series, Active: s.Active, Limit: s.Limit, Blocks: s.Blocks, Bytes: s.Bytes, BytesLimit: s.BytesLimit, Oldest: float64(s.Oldest) / 1000,
		Samples: s.Samples, Late: s.Late, Folded: s.Folded, Failed: s.Failed, Lost: s.Lost,
	}}
}
