package target

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"

	"gatehouse/balance"
	"gatehouse/dial"
	"gatehouse/http1/wire"
)

// WatchKey is what a Watch is kept by: what it probes, and how.
type WatchKey struct {
	Group GroupKey
	balance.CheckOptions
	Path   string // what is fetched; "" to connect only
	Host   string // for the Host field
	Status string // which statuses pass
	GRPC   GRPC   // in place of Path
}

// Watch is the health of a group's endpoints under one way of probing. It is
// an entry of the keeper; it alone starts the goroutines that probe.
type Watch struct {
	group   *Group
	options balance.CheckOptions
	probe   probe
	handle  string // of the way of probing, for another process
	sick    []Sick // in the process that was taken over
	log     *slog.Logger

	mu      sync.Mutex
	probed  map[*Endpoint]*probed
	retired bool
}

type probed struct {
	health *balance.Health
	stop   context.CancelFunc
}

// OpenWatch begins to watch a group's endpoints. Good says which statuses pass:
// those that key.Status stands for. What is known to be sick begins so.
func OpenWatch(g *Group, key WatchKey, good func(status int) bool, sick []Sick, log *slog.Logger) *Watch {
	p := probe{path: key.Path, host: key.Host, good: good, grpc: key.GRPC}
	w := &Watch{group: g, options: key.CheckOptions, probe: p, handle: key.handle(), sick: sick, log: log, probed: map[*Endpoint]*probed{}}
	g.mu.Lock()
	g.watches[w] = struct{}{}
	g.mu.Unlock()
	for _, e := range g.Members().Endpoints {
		w.Of(e)
	}
	return w
}

// Of returns the health of an endpoint, which is watched from now on, unless
// it has left the group meanwhile.
func (w *Watch) Of(e *Endpoint) *balance.Health {
	w.group.mu.Lock()
	defer w.group.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.probed[e]; ok {
		return p.health
	}
	health := balance.NewHealth(func(c balance.Change) { w.changed(e, c) })
	if w.retired || !slices.Contains(w.group.Members().Endpoints, e) {
		return health
	}
	if c, ok := w.known(e); ok {
		health.Begin(c)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.probed[e] = &probed{health, stop}
	go health.Watch(ctx, w.options, func(ctx context.Context) error { return w.probe.run(ctx, e) })
	return health
}

func (w *Watch) changed(e *Endpoint, c balance.Change) {
	if c.Healthy {
		w.log.Info("target healthy", "target", w.group.key.Target, "address", e.Address)
		return
	}
	w.log.Warn("target unhealthy", "target", w.group.key.Target, "address", e.Address, "why", c.Why)
}

// prune stops watching endpoints that are gone.
func (w *Watch) prune(left []*Endpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, p := range w.probed {
		if !slices.Contains(left, e) {
			p.stop()
			delete(w.probed, e)
		}
	}
}

// Retire implements keeper.Entry.
func (w *Watch) Retire() {
	w.group.mu.Lock()
	delete(w.group.watches, w)
	w.group.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retired = true
	for _, p := range w.probed {
		p.stop()
	}
}

// Watched returns how many endpoints are probed.
func (w *Watch) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.probed)
}

// probe is how an endpoint is probed: by a GET of path, or by connecting where
// there is no path. It opens its own connections, so that it also sees whether
// new ones can be opened.
type probe struct {
	path string
	host string
	good func(status int) bool
	grpc GRPC
}

func (p probe) run(ctx context.Context, e *Endpoint) error {
	c, _, err := e.connect(ctx)
	switch {
	case dial.KindOf(err) == dial.Exhausted:
		return fmt.Errorf("%w: %w", balance.ErrNoVerdict, err)
	case err != nil:
		return Why(err)
	}
	defer c.Close()
	if p.path == "" && !p.grpc.On {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if e.speaksHTTP2(c) {
		return Why(p.run2(ctx, e, c))
	}
	if p.grpc.On {
		return ErrNoHTTP2
	}
	status, err := p.get(c)
	if err != nil {
		return Why(err)
	}
	if !p.good(status) {
		return fmt.Errorf("status %d", status)
	}
	return nil
}

func (p probe) get(c net.Conn) (int, error) {
	head := "GET " + p.path + " HTTP/1.1\r\nHost: " + p.host + "\r\nUser-Agent: gatehouse-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	if _, err := c.Write([]byte(head)); err != nil {
		return 0, err
	}
	rd := wire.NewReader()
	rd.Reset(c)
	for range wire.MaxInformational {
		head, err := rd.ReadHead(http.MethodGet, http.Header{})
		if err != nil {
			return 0, err
		}
		if !head.Informational() {
			return head.Status, nil
		}
	}
	return 0, fmt.Errorf("more than %d informational answers", wire.MaxInformational)
}
