// Package sampler samples the gateway's own metrics into the store, and keeps the
// store in order. Nothing of it is on a request's path: it reads the counters that
// requests count in, as a scrape does.
package sampler

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatehouse/observe/store"
)

// Options are what a Sampler is made of.
type Options struct {
	Store    *store.Store
	Gatherer prometheus.Gatherer
	Interval time.Duration // between two samples, to begin with; 0 for 10 s
	Log      *slog.Logger
}

// DefaultInterval is the time between two samples.
const DefaultInterval = 10 * time.Second

// maintainEvery is how often the store is looked after.
const maintainEvery = 30 * time.Second

// Source is what the gateway's own series are told by in the store.
const Source = "gateway"

// Sampler is a keeper: between Start and Stop the store is open, and is this
// process's alone. It is safe for concurrent use.
type Sampler struct {
	options  Options
	interval atomic.Int64
	changed  chan struct{}
	writer   *writer // the loop's own
	failing  bool    // the last batch was not stored
	since    int64   // when every counter was zero, in ms; 0 once a sample was taken

	mu     sync.Mutex
	cancel context.CancelFunc // nil where it is not started
	done   sync.WaitGroup
}

// New returns a Sampler that is not started.
func New(o Options) *Sampler {
	s := &Sampler{options: o, changed: make(chan struct{}, 1), writer: newWriter(), since: time.Now().UnixMilli()}
	s.interval.Store(int64(DefaultInterval))
	s.SetInterval(o.Interval)
	return s
}

// SetInterval sets the time between two samples; 0 leaves it.
func (s *Sampler) SetInterval(d time.Duration) {
	if d <= 0 || s.interval.Swap(int64(d)) == int64(d) {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Start opens the store and begins to sample. It returns at once: what is wrong with
// the folder is logged, and tried again before each sample. Where it has started it
// does nothing.
func (s *Sampler) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.sample(ctx) })
	s.done.Go(func() { s.maintain(ctx) })
}

// Stop ends the sampling and closes the store, which another process may then open.
// Start begins again.
func (s *Sampler) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return
	}
	s.cancel()
	s.done.Wait()
	s.cancel = nil
	if err := s.options.Store.Close(); err != nil {
		s.options.Log.Warn("the store of the metrics could not be closed well", slog.Any("error", err))
	}
}

// sample samples at whole multiples of the interval, so that every period of an
// alarm begins and ends with a sample.
func (s *Sampler) sample(ctx context.Context) {
	s.open()
	for {
		interval := time.Duration(s.interval.Load())
		now := time.Now()
		next := now.Truncate(interval).Add(interval)
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.changed:
			timer.Stop()
			continue
		case <-timer.C:
		}
		if s.open() {
			s.take(next)
		}
	}
}

// open opens the store where it is not open.
func (s *Sampler) open() bool {
	err := s.options.Store.Open()
	if err != nil {
		s.fail("the store of the metrics cannot be opened: nothing is kept", err)
	}
	return err == nil
}

// take samples once. A sample is of the time that it was meant for, unless it comes
// too late for that.
func (s *Sampler) take(at time.Time) {
	if late := time.Since(at); late > time.Duration(s.interval.Load())/2 || late < 0 {
		at = time.Now()
	}
	families, err := s.options.Gatherer.Gather()
	if err != nil {
		s.options.Log.Debug("some metrics could not be gathered", slog.Any("error", err))
	}
	s.writer.batch = s.options.Store.Batch(store.Source{Name: Source, Born: true, Since: s.since}, at.UnixMilli())
	for _, f := range families {
		s.options.Store.Describe(f.GetName(), describe(f))
		s.writer.family(f)
	}
	s.since = 0
	if err := s.writer.batch.Commit(); err != nil {
		s.fail("metrics cannot be written", err)
		return
	}
	if s.failing {
		s.failing = false
		s.options.Log.Info("metrics are written again")
	}
}

// fail says once what is wrong, until it is right again.
func (s *Sampler) fail(what string, err error) {
	if s.failing {
		return
	}
	s.failing = true
	s.options.Log.Error(what, slog.Any("error", err))
}

func (s *Sampler) maintain(ctx context.Context) {
	ticker := time.NewTicker(maintainEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.options.Store.Maintain(ctx, time.Now())
		if err != nil && ctx.Err() == nil && !failing {
			s.options.Log.Error("blocks of metrics cannot be written", slog.Any("error", err))
		}
		failing = err != nil
	}
}
