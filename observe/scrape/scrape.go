// Package scrape fetches the metrics of services from their targets, as Prometheus
// does, into the store.
package scrape

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"gatehouse/observe/ingest"
	"gatehouse/observe/store"
)

// Job is the scraping of one service.
type Job struct {
	Key      string // differs where anything of the job does
	Service  string
	Scheme   string // http or https
	Host     string // that is sent; "" for the target's address
	Path     string
	Interval time.Duration
	Limit    int // series of one target
	Client   *http.Client
	Targets  func() []string // the addresses of the moment
}

// atOnce is how many targets of a service are asked at once.
const atOnce = 16

// maxTargets bounds how many targets of a service are asked at all.
const maxTargets = 1000

// Keeper scrapes services. It is safe for concurrent use.
type Keeper struct {
	store *store.Store
	log   *slog.Logger

	mu   sync.Mutex
	jobs map[string]*running
}

type running struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// New returns a Keeper that scrapes nothing.
func New(s *store.Store, log *slog.Logger) *Keeper {
	return &Keeper{store: s, log: log, jobs: make(map[string]*running)}
}

// Set has these jobs be done, and no others. Those that are done already go on; those
// that are not any more have ended when it returns.
func (k *Keeper) Set(jobs []Job) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wanted := make(map[string]bool)
	for _, j := range jobs {
		wanted[j.Key] = true
	}
	var ending []*running
	for key, r := range k.jobs {
		if !wanted[key] {
			r.cancel()
			ending = append(ending, r)
			delete(k.jobs, key)
		}
	}
	for _, r := range ending {
		<-r.done
	}
	for _, j := range jobs {
		if k.jobs[j.Key] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		r := &running{cancel, make(chan struct{})}
		k.jobs[j.Key] = r
		go func() {
			defer close(r.done)
			(&scraper{job: j, store: k.store, log: k.log, up: make(map[string]bool)}).run(ctx)
		}()
	}
}

// scraper does one job.
type scraper struct {
	job   Job
	store *store.Store
	log   *slog.Logger

	mu sync.Mutex
	up map[string]bool // by target, the last time
}

func (s *scraper) run(ctx context.Context) {
	ticker := time.NewTicker(s.job.Interval)
	defer ticker.Stop()
	defer s.endAll()
	for {
		s.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round scrapes every target once, and ends the series of those that are gone.
func (s *scraper) round(ctx context.Context) {
	targets := s.job.Targets()
	if len(targets) > maxTargets {
		targets = targets[:maxTargets]
	}
	present := make(map[string]bool)
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, target := range targets {
		if present[target] {
			continue
		}
		present[target] = true
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			s.target(ctx, target)
		})
	}
	all.Wait()
	for target := range s.up {
		if !present[target] {
			s.end(target)
		}
	}
}

func (s *scraper) source(target string) store.Source {
	return store.Source{Name: "scrape/" + s.job.Service + "/" + target, Limit: s.job.Limit}
}

func (s *scraper) end(target string) {
	s.store.End(s.source(target).Name, time.Now().UnixMilli())
	delete(s.up, target)
}

func (s *scraper) endAll() {
	for target := range s.up {
		s.end(target)
	}
}

// target scrapes one target. Where that fails its series end, but for up, which is 0.
func (s *scraper) target(ctx context.Context, target string) {
	began := time.Now()
	text, contentType, err := s.fetch(ctx, target)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	origin := ingest.Origin{Job: s.job.Service, Instance: target}
	batch := s.store.Batch(s.source(target), now.UnixMilli())
	var out ingest.Outcome
	if err == nil {
		out, err = ingest.Read(text, contentType, origin, batch)
	}
	if err != nil {
		batch = s.store.Batch(s.source(target), now.UnixMilli())
	}
	s.note(target, err)
	up := 1.0
	if err != nil {
		up = 0
	}
	for name, value := range map[string]float64{"up": up, "scrape_duration_seconds": now.Sub(began).Seconds(), "scrape_samples_scraped": float64(out.Samples)} {
		batch.Add(labels.FromStrings(model.MetricNameLabel, name, "job", origin.Job, "instance", origin.Instance), store.Gauge, value)
	}
	for name, f := range out.Families {
		s.store.Describe(name, f)
	}
	if err := batch.Commit(); err != nil {
		s.log.Debug("scraped metrics were not kept", slog.String("service", s.job.Service), slog.String("target", target), slog.Any("error", err))
	}
}

// note says when a target begins or ceases to fail.
func (s *scraper) note(target string, err error) {
	s.mu.Lock()
	was, known := s.up[target]
	s.up[target] = err == nil
	s.mu.Unlock()
	switch {
	case err != nil && (was || !known):
		s.log.Warn("the metrics of a service cannot be had", slog.String("service", s.job.Service), slog.String("target", target), slog.Any("error", err))
	case err == nil && known && !was:
		s.log.Info("the metrics of a service can be had again", slog.String("service", s.job.Service), slog.String("target", target))
	}
}

func (s *scraper) fetch(ctx context.Context, target string) (text []byte, contentType string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.job.Scheme+"://"+target+s.job.Path, nil)
	if err != nil {
		return nil, "", err
	}
	r.Host = s.job.Host
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4")
	r.Header.Set("User-Agent", "Gatehouse")
	resp, err := s.job.Client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("it answers %s", resp.Status)
	}
	text, err = io.ReadAll(resp.Body)
	return text, resp.Header.Get("Content-Type"), err
}
