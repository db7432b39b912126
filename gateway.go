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
	"gatehouse/takeover"
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
	// TakeOver takes sockets and data folder over from the gateway that runs on
	// the folder; where none does, the start is one like any other.
	TakeOver bool
	// Sockets are those that the service manager has passed; nil for none. They
	// are the Gateway's from then on.
	Sockets []takeover.Socket
	// Notifier tells the service manager; nil for none.
	Notifier *takeover.Notifier
	// Restart starts the program anew so that it takes over from this process.
	// Nil where it cannot be started anew.
	Restart func() (Successor, error)
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

	stopping    context.Context // ends when the gateway is told to stop
	stop        context.CancelCauseFunc
	sockets     *takeover.Sockets
	taking      *takeover.Taking // until the gateway serves; nil where nobody is taken over
	predecessor *Predecessor     // nil for none
	base        uint64           // the predecessor's generation
	known       known            // to the predecessor, until the gateway serves
	handing     sync.Mutex       // held while another process takes over
	handed      atomic.Bool      // the state is the other process's
	restarting  sync.Mutex
	following   atomic.Pointer[follower] // once another process has taken over
	released    chan struct{}            // closed once another process has taken over
}

// New compiles cfg, opens what it names and begins to accept connections. Run
// must follow: it is Run that ends what New began.
func New(cfg *Config, o Options) (*Gateway, error) {
	g := &Gateway{options: o, log: o.Logger, started: time.Now(), sockets: takeover.NewSockets(o.Sockets), released: make(chan struct{})}
	g.hurried, g.hurry = context.WithCancel(context.Background())
	g.stopping, g.stop = context.WithCancelCause(context.Background())
	if g.options.Load == nil {
		g.options.Load = func() (*Config, error) { return nil, errors.New("this gateway has no file to reload") }
	}
	if err := g.begin(cfg); err != nil {
		g.forsake(err)
		return nil, err
	}
	g.settle(cfg)
	g.watched.Store(cfg.sources)
	g.keepers.observe.Reloaded(g.generation(), nil)
	g.keepers.audit.note(context.Background(), "start", map[string]string{"version": o.Version, "pid": fmt.Sprint(os.Getpid())}, nil)
	g.warn(cfg)
	g.keepers.turns.Start()
	g.socket.Serve(control{g}, g.pages(true), g.acts())
	g.tell(takeover.Ready, g.statusLine())
	return g, nil
}

func (g *Gateway) begin(cfg *Config) (err error) {
	if err := g.enter(cfg.Data.Value); err != nil {
		return err
	}
	if g.keepers, err = newKeepers(cfg, g, g.options); err != nil {
		return err
	}
	return g.install(cfg)
}

// warn says of a configuration that came into force what should not stay.
func (g *Gateway) warn(cfg *Config) {
	for _, w := range cfg.Warnings() {
		g.log.Warn(w)
	}
}

// Run serves until ctx ends or another process has taken over, then drains: no
// new connections and no reloads; accepted requests may finish within
// limits.shutdown, or limits.take-over, or until Hurry is called. It returns nil
// when all did, else an error that is context.DeadlineExceeded or
// context.Canceled.
func (g *Gateway) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { g.stop(errStopping) })()
	watching, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.watch(watching)
	}()
	select {
	case <-ctx.Done():
		g.tell(takeover.Stopping)
	case <-g.released:
	}
	end()
	<-done
	limits := g.endReloads()
	g.keepers.acme.Retire() // its challenges would be answered no more
	drain, cancel := g.drain(ctx, limits)
	defer cancel()
	err := g.keepers.listeners.Shutdown(drain)
	switch {
	case err != nil && g.hurried.Err() != nil:
		g.log.Warn("requests were cut off before the end of limits.shutdown: the gateway was told to hurry")
	case err != nil:
		err = context.DeadlineExceeded
		g.log.Warn("requests were cut off at the end of limits.shutdown, or of limits.take-over", "shutdown", limits.Shutdown, "take-over", limits.TakeOver)
	}
	g.awaitRecords()
	select {
	case <-g.released: // the audit is another process's
	default:
		g.keepers.audit.note(context.Background(), "stop", nil, nil)
	}
	g.close(drain)
	if err != nil {
		return fmt.Errorf("requests were cut off: %w", err)
	}
	return nil
}

// drain bounds the drain, and has tunnels end before it is over. A process that
// was taken over has longer, since nobody waits for it, until it too is told to
// stop: its tunnels stay for three quarters of limits.take-over.
func (g *Gateway) drain(ctx context.Context, limits GatewayLimits) (context.Context, context.CancelFunc) {
	stop, takeOver := limits.Shutdown.D(), limits.TakeOver.D()
	select {
	case <-g.released:
	default:
		g.keepers.tunnels.Drain(stop / 2)
		return context.WithTimeout(g.hurried, stop)
	}
	drain, cancel := context.WithTimeout(g.hurried, takeOver)
	late := time.AfterFunc(takeOver*3/4, func() { g.keepers.tunnels.Drain(takeOver / 8) })
	told := context.AfterFunc(ctx, func() {
		g.keepers.tunnels.Drain(stop / 2)
		time.AfterFunc(stop, cancel)
	})
	return drain, func() {
		late.Stop()
		told()
		cancel()
	}
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
// which could open sockets that nobody would drain. It returns the limits of the
// configuration that stays.
func (g *Gateway) endReloads() GatewayLimits {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	g.draining.Store(true)
	return g.current.Load().config.Limits
}

// close ends everything but the listeners, last in first out.
func (g *Gateway) close(ctx context.Context) {
	g.following.Load().end()
	if g.keepers != nil {
		g.keepers.close(ctx)
	}
	if g.socket != nil {
		_ = g.socket.Close(ctx)
	}
	g.sockets.Close()
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
