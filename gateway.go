package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/admin"
	"gatehouse/config"
	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/observe"
)

// Options are what a Gateway needs beside its configuration.
type Options struct {
	Logger  *slog.Logger
	Level   *slog.LevelVar // of the Logger, set to log.level; may be nil
	Stdout  io.Writer      // where an access log on stdout goes
	Version string
	// Load reads the configuration anew, for reloads. Nil where there is
	// nothing to load from: reloads then fail.
	Load func() (*Config, error)
}

// Gateway is the front door. It is safe for concurrent use.
type Gateway struct {
	options   Options
	log       *slog.Logger
	keepers   *keepers
	current   atomic.Pointer[Snapshot]
	watched   atomic.Pointer[config.Sources] // of the configuration that was loaded last, good or not
	reloading sync.Mutex
	draining  atomic.Bool // set under reloading
	hurried   context.Context
	hurry     context.CancelFunc
	started   time.Time
	socket    *admin.ControlSocket
}

// New compiles cfg, opens what it names and begins to accept connections. Run
// must follow: it is Run that ends what New began.
func New(cfg *Config, o Options) (*Gateway, error) {
	g := &Gateway{options: o, log: o.Logger, started: time.Now()}
	g.hurried, g.hurry = context.WithCancel(context.Background())
	if g.options.Load == nil {
		g.options.Load = func() (*Config, error) { return nil, errors.New("this gateway has no file to reload") }
	}
	var err error
	if g.socket, err = admin.OpenControl(cfg.Data.Value, g.log); err != nil {
		return nil, err
	}
	if g.keepers, err = newKeepers(cfg, g, o); err == nil {
		err = g.install(cfg)
	}
	if err != nil {
		g.close(context.Background())
		return nil, err
	}
	g.watched.Store(cfg.sources)
	g.keepers.observe.Reloaded(g.generation(), nil)
	g.keepers.audit.note(context.Background(), "start", map[string]string{"version": o.Version, "pid": fmt.Sprint(os.Getpid())}, nil)
	g.warn(cfg)
	g.socket.Serve(control{g}, g.keepers.observe.Metrics(), g.acts())
	return g, nil
}

// warn says of a configuration that came into force what should not stay.
func (g *Gateway) warn(cfg *Config) {
	for _, w := range cfg.Warnings() {
		g.log.Warn(w)
	}
}

// Run serves until ctx ends, then drains: no new connections and no reloads;
// accepted requests may finish within limits.shutdown, or until Hurry is
// called. It returns nil when all did, else an error that is
// context.DeadlineExceeded or context.Canceled.
func (g *Gateway) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.watch(ctx)
	}()
	<-ctx.Done()
	<-done
	limit := g.endReloads()
	g.keepers.acme.Retire() // its challenges would be answered no more
	drain, cancel := context.WithTimeout(g.hurried, limit)
	defer cancel()
	g.keepers.tunnels.Drain(limit / 2)
	err := g.keepers.listeners.Shutdown(drain)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		g.log.Warn("requests were cut off at the end of limits.shutdown", "after", limit)
	case err != nil:
		g.log.Warn("requests were cut off before the end of limits.shutdown: the gateway was told to hurry")
	}
	g.awaitRecords()
	g.keepers.audit.note(context.Background(), "stop", nil, nil)
	g.close(drain)
	if err != nil {
		return fmt.Errorf("requests were cut off: %w", err)
	}
	return nil
}

// lastWords is how long requests that were cut off have to be logged.
const lastWords = 2 * time.Second

// awaitRecords waits for the lines of requests whose connections are gone: they
// are still on their way out.
func (g *Gateway) awaitRecords() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	g.keepers.observe.Await(ctx)
}

// Hurry ends the drain, under way or to come, without waiting for requests any
// longer.
func (g *Gateway) Hurry() { g.hurry() }

// endReloads waits for a reload that is under way and refuses all later ones,
// which could open sockets that nobody would drain. It returns limits.shutdown
// of the configuration that stays.
func (g *Gateway) endReloads() time.Duration {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	g.draining.Store(true)
	return g.current.Load().config.Limits.Shutdown.D()
}

// close ends everything but the listeners, last in first out.
func (g *Gateway) close(ctx context.Context) {
	if g.keepers != nil {
		g.keepers.close(ctx)
	}
	_ = g.socket.Close(ctx)
}

const (
	watchEvery = time.Second            // how often files of the configuration are looked at
	writing    = 200 * time.Millisecond // how long after it was written to a file may still be incomplete
)

// watch reloads when a file of the configuration has changed and nobody writes
// to any of them: half a file may well be a configuration, of half the routes. A
// configuration that cannot be loaded is tried again when it changes again.
func (g *Gateway) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if sources := g.watched.Load(); sources != nil && sources.Changed() && sources.Quiet(writing) {
			_ = g.Reload(ctx) // it has logged what went wrong
		}
	}
}

// policy returns a listener's policy in the snapshot in force.
func (g *Gateway) policy(key string) *edge.Policy {
	return g.current.Load().policies[key]
}

// engineRefused counts and logs what the HTTP engine refused before the entry.
func (g *Gateway) engineRefused(conn *exchange.Conn, status int, reason, detail string) *exchange.Exchange {
	snap := g.current.Load()
	x := exchange.Refused(conn, formRule, status, reason, detail)
	x.Generation = snap.generation
	snap.observer.Done(x, observe.Seen{})
	return x
}

// Addr returns the address that the listener with a key, its address as
// written, is bound to; nil for none.
func (g *Gateway) Addr(key string) net.Addr { return g.keepers.listeners.Addr(key) }
