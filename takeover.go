package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"gatehouse/admin"
	"gatehouse/takeover"
)

// Predecessor is the gateway that this one took over from.
type Predecessor struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// Successor is a process that was started to take over.
type Successor struct {
	Ended <-chan error // says when and how it has ended, where that is soon
	Kill  func()
}

// enter makes the data folder this process's: its lock, and a control socket.
// Both come from the gateway that runs there, where that is to be taken over.
func (g *Gateway) enter(data string) (err error) {
	if g.options.TakeOver {
		if err := g.meet(data); err != nil {
			return err
		}
	}
	if g.taking == nil {
		g.socket, err = admin.OpenControl(data, g.log)
		return err
	}
	g.socket, err = admin.AdoptControl(data, g.taking.Lock, g.log)
	if err != nil {
		_ = g.taking.Lock.Close()
	}
	return err
}

// meet gets what the running gateway offers; nothing where none runs.
func (g *Gateway) meet(data string) error {
	conn, err := admin.Dial(data).TakeOver(context.Background())
	var none *admin.NotRunning
	if errors.As(err, &none) {
		g.log.Info("no gateway runs on this data folder: there is nothing to take over", "data", data)
		return nil
	}
	if err != nil {
		return err
	}
	if g.taking, err = takeover.Take(conn); errors.Is(err, takeover.ErrDied) {
		g.log.Warn("the gateway that was to be taken over died: there is nothing to take over any more", "data", data)
		return nil
	}
	if err != nil {
		return err
	}
	o := g.taking.Offer
	g.predecessor = &Predecessor{o.Version, o.PID, o.Started}
	g.base, g.known = o.Generation, unpack(o.State)
	g.sockets.Add(g.taking.Sockets)
	return nil
}

// claim makes this process the one that accepts, once everything that can fail
// is done. An error means that the running gateway goes on.
func (g *Gateway) claim(cfg *Config) error {
	if g.taking == nil {
		return nil
	}
	waits := g.waits()
	if err := g.taking.Ready(); err != nil {
		return err
	}
	if err := g.keepers.audit.resume(); err != nil {
		g.log.Error("nothing is audited until the gateway is restarted", "error", err)
	}
	if waits && cfg.needsState() {
		if err := g.keepers.openState(context.Background(), cfg.Data.Value); err != nil {
			g.log.Error("API keys and revocations are not known until a reload opens the state", "error", err)
		}
	}
	return nil
}

// waits reports whether the state below the data folder is still the running
// gateway's.
func (g *Gateway) waits() bool { return g.taking != nil && !g.keepers.state.External() }

// settle ends a take-over that has come about, and gives up the sockets that no
// configuration here names.
func (g *Gateway) settle(cfg *Config) {
	g.sockets.Settle()
	g.warnOfSockets(cfg)
	if g.taking == nil {
		return
	}
	if err := g.socket.Place(); err != nil {
		g.log.Error("the gateway cannot be controlled until it is restarted", "error", err)
	}
	g.taking.Finish()
	g.keepers.acme.Resume() // a CA that asks is not answered by the old process any more
	g.taking, g.known = nil, known{}
	g.log.Info("took over", "pid", g.predecessor.PID, "version", g.predecessor.Version, "generation", g.generation())
	g.tell(takeover.MainPID(os.Getpid()))
}

// warnOfSockets says which sockets of the service manager lead nowhere: who
// connects to them waits for nothing.
func (g *Gateway) warnOfSockets(cfg *Config) {
	addresses := []string{cfg.Admin.Address}
	for _, l := range cfg.Listen {
		addresses = append(addresses, l.Address)
	}
	for _, name := range g.sockets.Unused(addresses) {
		g.log.Warn("no listener takes a socket that the service manager has passed", "socket", name)
	}
}

// forsake gives up a start: where it was a take-over, the running gateway goes
// on as if nothing was.
func (g *Gateway) forsake(err error) {
	if g.taking != nil {
		g.taking.Abort(err)
	}
	g.sockets.Close()
	g.close(context.Background())
}

// TakeOver implements admin.Gateway.
func (c control) TakeOver(conn *net.UnixConn) {
	defer conn.Close()
	if err := c.handOver(conn); err != nil {
		c.log.Warn("not taken over: this process goes on", "error", err)
	}
}

var (
	errHandingOver = errors.New("another take-over is under way")
	errStopping    = errors.New("the gateway is stopping")
)

// handOver gives everything to the process at the other end of conn. No reload
// comes in between. On an error nothing has changed.
func (g *Gateway) handOver(conn *net.UnixConn) error {
	if !g.handing.TryLock() {
		return takeover.Refuse(conn, errHandingOver)
	}
	defer g.handing.Unlock()
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if g.draining.Load() {
		return takeover.Refuse(conn, errDraining)
	}
	giving, err := takeover.Give(g.stopping, conn, g.offer(), g.socket.Lock(), g.openSockets())
	if err != nil {
		return err
	}
	resume := g.quiet(giving.PID)
	if err := giving.Release(); err != nil {
		resume()
		return fmt.Errorf("the new process is gone: %w", err)
	}
	g.release(giving.PID)
	giving.AwaitEnd()
	g.follow()
	close(g.released)
	return nil
}

// quietWithin is how long what writes below the data folder may take to end. Files
// are replaced whole: what is later than that loses one, and harms none.
const quietWithin = 5 * time.Second

// quiet ends what writes below the data folder, which is about to be the other
// process's, and returns what begins it again. Requests that this process still has
// go by what it knows of the state, which it hears from the other one; see follow.
func (g *Gateway) quiet(to int) (resume func()) {
	ctx, cancel := context.WithTimeout(context.Background(), quietWithin)
	defer cancel()
	if !g.keepers.acme.Pause(ctx) {
		g.log.Warn("certificates are still being obtained while the data folder goes to another process", "waited", quietWithin)
	}
	k, reopen := g.keepers, false
	k.turns.Close()
	k.audit.note(ctx, "hand-over", map[string]string{"to": fmt.Sprint(to)}, nil)
	k.audit.pause()
	k.observe.Pause()
	g.handed.Store(true)
	k.usage.Close() // both count under one name
	if !k.state.External() && k.state.Opened() {
		reopen = true
		k.state.Close()
	}
	return func() {
		g.handed.Store(false)
		k.acme.Resume()
		k.observe.Keep(g.current.Load().config.Metrics, g.scrapes(g.current.Load().config))
		if k.state.Opened() {
			k.usage.Start()
		}
		if err := k.audit.resume(); err != nil {
			g.log.Error("nothing is audited until the gateway is restarted", "error", err)
		}
		if reopen {
			if err := k.openState(context.Background(), g.current.Load().config.Data.Value); err != nil {
				g.log.Error("the state could not be opened again", "error", err)
			}
		}
		k.turns.Start()
	}
}

// release makes this process the one that was: it accepts nothing any more, and
// ends once its requests have.
func (g *Gateway) release(to int) {
	g.draining.Store(true)
	g.keepers.listeners.Retire()
	g.keepers.admin.Close()
	g.socket.Yield()
	if to > 0 {
		g.tell(takeover.MainPID(to))
	}
	g.log.Info("taken over: this process ends once its requests have", "by", to, "at-the-latest", g.current.Load().config.Limits.TakeOver)
}

func (g *Gateway) offer() takeover.Offer {
	return takeover.Offer{Version: g.options.Version, PID: os.Getpid(), Started: g.started, Generation: g.generation(), State: g.keepers.pack()}
}

// openSockets are all that this process listens on, and those that the service
// manager passed.
func (g *Gateway) openSockets() []takeover.Socket {
	all := g.sockets.Lasting()
	g.keepers.listeners.Sockets(func(key string, socket *net.TCPListener) {
		all = append(all, takeover.Socket{Kind: takeover.Listen, Key: key, Listener: socket})
	})
	g.keepers.admin.Each(func(address string, l *admin.Listener) {
		all = append(all, takeover.Socket{Kind: takeover.Admin, Key: address, Listener: l.Socket()})
	})
	return all
}

// restartWithin is how long a new process may take to take over.
const restartWithin = 2 * time.Minute

// Restart implements admin.Gateway.
func (c control) Restart(ctx context.Context) error { return c.Gateway.Restart(ctx) }

// Restart starts the program anew as a process that takes over, and returns nil
// once it has; Run ends then as soon as requests have. On an error this process
// goes on.
func (g *Gateway) Restart(ctx context.Context) error {
	err := g.restart(ctx)
	if err != nil {
		g.log.Error("not restarted: this process goes on", "error", err)
	}
	return err
}

func (g *Gateway) restart(ctx context.Context) error {
	if g.options.Restart == nil {
		return errors.New("this gateway cannot start its program anew")
	}
	if !g.restarting.TryLock() {
		return errors.New("another restart is under way")
	}
	defer g.restarting.Unlock()
	ctx, cancel := context.WithTimeout(ctx, restartWithin)
	defer cancel()
	next, err := g.options.Restart()
	if err != nil {
		return err
	}
	if err := g.await(ctx, next.Ended); err != nil {
		next.Kill()
		return err
	}
	return nil
}

// await returns nil once a successor has taken over.
func (g *Gateway) await(ctx context.Context, ended <-chan error) (err error) {
	select {
	case <-g.released:
		return nil
	case err := <-ended:
		return fmt.Errorf("the new process has ended (%v), and its words in the log say why", err)
	case <-g.stopping.Done():
		err = errStopping
	case <-ctx.Done():
		err = fmt.Errorf("the new process does not take over: %w", ctx.Err())
	}
	select {
	case <-g.released:
		return nil
	default:
		return err
	}
}

// tell tells the service manager.
func (g *Gateway) tell(assignments ...string) {
	if err := g.options.Notifier.Tell(assignments...); err != nil {
		g.log.Debug("the service manager was not told", "error", err)
	}
}

// statusLine is the one line in which the service manager shows the gateway.
func (g *Gateway) statusLine() string {
	return takeover.Status(fmt.Sprintf("serving by generation %d of the configuration", g.generation()))
}

// inherit gives a listener the socket that another process opened.
func (g *Gateway) inherit(key, address string) (*net.TCPListener, error) {
	return g.sockets.Take(takeover.Listen, key, address)
}

// inheritAdmin is inherit for the admin listener.
func (g *Gateway) inheritAdmin(address string) (*net.TCPListener, error) {
	return g.sockets.Take(takeover.Admin, address, address)
}
