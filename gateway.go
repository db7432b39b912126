package gatehouse

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
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
	Stdout  io.Writer // where an access log on stdout goes
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
	draining  atomic.Bool
	started   time.Time
	socket    *admin.ControlSocket
}

// New compiles cfg, opens what it names and begins to accept connections. Run
// must follow: it is Run that ends what New began.
func New(cfg *Config, o Options) (*Gateway, error) {
	g := &Gateway{options: o, log: o.Logger, started: time.Now()}
	if g.options.Load == nil {
		g.options.Load = func() (*Config, error) { return nil, errors.New("this gateway has no file to reload") }
	}
	k, err := newKeepers(cfg, g, o)
	if err != nil {
		return nil, err
	}
	g.keepers = k
	g.socket, err = admin.Control(cfg.Data.Value, control{g}, k.observe.Metrics(), g.log)
	if err == nil {
		err = g.install(cfg)
	}
	if err != nil {
		g.close(context.Background())
		return nil, err
	}
	g.watched.Store(cfg.sources)
	k.observe.Reloaded(g.generation(), nil)
	g.warn(cfg)
	return g, nil
}

// warn says at the start what should not stay.
func (g *Gateway) warn(cfg *Config) {
	for _, w := range cfg.Warnings() {
		g.log.Warn(w)
	}
}

// Run serves until ctx ends, then drains: no new connections, accepted
// requests may finish within limits.shutdown. It returns nil when all did.
func (g *Gateway) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.watch(ctx)
	}()
	<-ctx.Done()
	<-done
	g.draining.Store(true)
	limit := g.current.Load().config.Limits.Shutdown.D()
	drain, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := g.keepers.listeners.Shutdown(drain)
	if err != nil {
		g.log.Warn("requests were cut off at the end of limits.shutdown", "after", limit)
	}
	g.close(drain)
	return err
}

// close ends everything but the listeners, last in first out.
func (g *Gateway) close(ctx context.Context) {
	g.keepers.close(ctx)
	if g.socket != nil {
		_ = g.socket.Close(ctx)
	}
}

// watchEvery is how often files of the configuration are looked at.
const watchEvery = time.Second

// watch reloads when a file of the configuration has changed. A configuration
// that cannot be loaded is tried again when it changes again.
func (g *Gateway) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if sources := g.watched.Load(); sources != nil && sources.Changed() {
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
