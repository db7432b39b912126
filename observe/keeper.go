package observe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/keeper"
	"gatehouse/observe/accesslog"
	"gatehouse/observe/metrics"
	"gatehouse/observe/recent"
)

// Options are what a Keeper is made of.
type Options struct {
	Logger  *slog.Logger
	Stdout  io.Writer       // where an access log on stdout goes
	Version string          // the program's
	Folder  string          // where metrics are kept, once Keep is called
	Recent  int             // how many requests are remembered; 0 for recent.DefaultSize
	Sources metrics.Sources // what other rooms know; Logs is the Keeper's own
	// Shared says that another process still writes the access logs that the
	// first configuration names.
	Shared bool
}

// Keeper keeps what outlives a reload: the series of the metrics, the files of
// the access logs, the requests remembered.
type Keeper struct {
	log     *slog.Logger
	stdout  io.Writer
	metrics *metrics.Registry
	stored  *stored
	recent  *recent.Recent
	files   *keeper.Set[string, *accesslog.File]
	scratch sync.Pool // of *scratch
	stripe  atomic.Uint32

	shared atomic.Bool

	mu     sync.Mutex
	opened []*accesslog.File // those that may have lines to write, retired ones among them
}

// NewKeeper returns a Keeper that has seen nothing.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{
		log:    o.Logger,
		stdout: o.Stdout,
		recent: recent.New(o.Recent),
		files:  keeper.NewSet[string, *accesslog.File](),
	}
	k.shared.Store(o.Shared)
	k.scratch.New = func() any { return &scratch{stripe: k.stripe.Add(1)} }
	o.Sources.Logs = k.logStats
	o.Sources.Store = k.storeStats
	k.metrics = metrics.New(o.Version, o.Sources)
	k.stored = newStored(o.Folder, o, k.metrics)
	return k
}

// scratch is what one request needs while it is printed. Since the pool keeps
// it on its processor, its stripe keeps that processor's counters apart.
type scratch struct {
	stripe uint32
	record accesslog.Record
	line   []byte
}

// maxScratch is the longest line whose buffer is kept.
const maxScratch = 32 << 10

// Metrics answers a scrape.
func (k *Keeper) Metrics() http.Handler { return k.metrics.Handler(k.log) }

// Registry returns the metrics themselves.
func (k *Keeper) Registry() *metrics.Registry { return k.metrics }

// Recent returns the requests that are remembered.
func (k *Keeper) Recent() *recent.Recent { return k.recent }

// Reloaded notes the outcome of loading a configuration, the first included.
func (k *Keeper) Reloaded(generation uint64, err error) { k.metrics.Reloaded(generation, err) }

// Reopen opens every access log anew, after it was renamed.
func (k *Keeper) Reopen() error {
	var failed error
	k.files.Each(func(path string, f *accesslog.File) {
		if err := f.Reopen(); err != nil && failed == nil {
			failed = fmt.Errorf("reopen the access log: %w", err)
		}
	})
	return failed
}

// Await returns once every request that has begun has been counted and logged, or
// ctx has ended.
func (k *Keeper) Await(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for k.metrics.InFlight() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close writes what waits and closes the logs, those that were retired lately
// too. It is called once no request runs any more.
func (k *Keeper) Close() {
	k.Pause()
	k.files.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.opened {
		f.Close()
	}
	k.opened = nil
}

// open opens an access log and remembers it until it is closed.
func (k *Keeper) open(path string) (*accesslog.File, error) {
	open := accesslog.Open
	if k.shared.Load() {
		open = accesslog.Join
	}
	f, err := open(path, k.stdout, k.log)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened = append(slices.DeleteFunc(k.opened, (*accesslog.File).Closed), f)
	return f, nil
}

func (k *Keeper) logStats() []metrics.LogStats {
	var all []metrics.LogStats
	k.files.Each(func(path string, f *accesslog.File) {
		c := f.Counts()
		all = append(all, metrics.LogStats{Log: path, Lines: c.Appended, Dropped: c.Dropped, WriteErrors: c.WriteErrors})
	})
	return all
}

// Lease is the part of a reload that concerns observation. It is committed or
// aborted once.
type Lease struct {
	keeper *Keeper
	series *metrics.Lease
	files  *keeper.Lease[string, *accesslog.File]
}

// Begin starts a lease; one at a time.
func (k *Keeper) Begin() *Lease {
	return &Lease{keeper: k, series: k.metrics.Begin(), files: k.files.Begin()}
}

// Commit retires what the new configuration does not name.
func (l *Lease) Commit() {
	l.keeper.shared.Store(false)
	l.series.Commit()
	l.files.Commit()
}

// Abort leaves everything as it was.
func (l *Lease) Abort() {
	l.series.Abort()
	l.files.Abort()
}
