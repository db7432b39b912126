package target

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/dial"
)

// GroupKey is what a Group is kept by.
type GroupKey struct {
	Target   string        // HOST:PORT
	Identity string        // of TLS
	Resolve  time.Duration // between two look-ups of a name; 0 where it is not looked up here
}

// Identity is what decides whether two services may share a connection to the
// same address: whom they trust there and what they show. The zero Identity is
// plain TCP.
type Identity struct {
	Key    string      // differs where the identity does
	Config *tls.Config // without a server name
	Name   string      // the server name; "" for the target's own
	// Protocol is a part of Key: connections by one are no use to another.
	Protocol Protocol
}

// to returns the configuration for a host; nil for plain TCP. Sessions are
// resumed among connections of this target and identity alone.
func (id Identity) to(host string) *tls.Config {
	if id.Config == nil {
		return nil
	}
	c := id.Config.Clone()
	c.ServerName = host
	if id.Name != "" {
		c.ServerName = id.Name
	}
	if name, _, err := net.SplitHostPort(c.ServerName); err == nil {
		c.ServerName = name
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(16)
	return c
}

// Group is the endpoints of one target: one, or for a name that is looked up as
// many as it has addresses. It is an entry of a keeper.
type Group struct {
	Host, Port string

	key     GroupKey
	dialer  *dial.Dialer
	log     *slog.Logger
	tls     Identity
	members atomic.Pointer[Members]
	ready   chan struct{} // closed once the name was looked up; nil for an address
	stop    context.CancelFunc

	mu      sync.Mutex
	watches map[*Watch]struct{}
	retired bool
}

// Members is what a Group consisted of at one time. It never changes: another
// list is another *Members.
type Members struct {
	Endpoints []*Endpoint
	Err       error // why there are none
}

// OpenGroup returns the group of a target, without waiting for anything.
func OpenGroup(key GroupKey, id Identity, d *dial.Dialer, log *slog.Logger) *Group {
	host, port, _ := net.SplitHostPort(key.Target)
	g := &Group{Host: host, Port: port, key: key, dialer: d, log: log, tls: id, watches: map[*Watch]struct{}{}}
	if key.Resolve == 0 {
		g.stop = func() {}
		g.members.Store(&Members{Endpoints: []*Endpoint{g.endpoint(key.Target)}})
		return g
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop, g.ready = stop, make(chan struct{})
	g.members.Store(&Members{})
	go g.resolve(ctx)
	return g
}

// Key returns what the group is kept by.
func (g *Group) Key() GroupKey { return g.key }

// Members returns what the group consists of now.
func (g *Group) Members() *Members { return g.members.Load() }

// Ready is closed once the name was looked up; nil where there is none to wait
// for.
func (g *Group) Ready() <-chan struct{} { return g.ready }

func (g *Group) endpoint(address string) *Endpoint {
	secure := g.tls.to(g.Host)
	return &Endpoint{Address: address, protocol: g.tls.Protocol, dialer: g.dialer, tls: secure, tls1: onlyHTTP1(secure, g.tls.Protocol)}
}

// maxBackoff bounds how long a name that does not resolve is left alone.
const maxBackoff = 10 * time.Second

// resolve looks the name up until the group retires, sooner while it fails.
// The last good answer stays in use.
func (g *Group) resolve(ctx context.Context) {
	backoff := time.Second
	for first := true; ; first = false {
		wait := g.key.Resolve
		if err := g.lookup(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("target not resolved", "target", g.key.Target, "error", err)
			wait = min(wait, backoff)
			backoff = min(2*backoff, maxBackoff)
		} else {
			backoff = time.Second
		}
		if first {
			close(g.ready)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (g *Group) lookup(ctx context.Context) error {
	addrs, err := g.dialer.Resolve(ctx, g.Host)
	if err != nil {
		if now := g.members.Load(); len(now.Endpoints) == 0 {
			g.members.Store(&Members{Err: err})
		}
		return err
	}
	g.update(addrs)
	return nil
}

// update makes addrs the group's endpoints. Those that stay keep their
// connections; the others retire.
func (g *Group) update(addrs []netip.Addr) {
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	before := g.members.Load()
	next := &Members{}
	for _, a := range addrs {
		address := net.JoinHostPort(a.String(), g.Port)
		next.Endpoints = append(next.Endpoints, g.keep(before, address))
	}
	if slices.Equal(before.Endpoints, next.Endpoints) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired {
		return
	}
	g.members.Store(next)
	g.log.Info("target resolved", "target", g.key.Target, "addresses", strconv.Itoa(len(addrs)))
	for w := range g.watches {
		w.prune(next.Endpoints)
	}
	for _, e := range before.Endpoints {
		if !slices.Contains(next.Endpoints, e) {
			e.retire()
		}
	}
}

func (g *Group) keep(before *Members, address string) *Endpoint {
	for _, e := range before.Endpoints {
		if e.Address == address {
			return e
		}
	}
	return g.endpoint(address)
}

// Retire implements keeper.Entry.
func (g *Group) Retire() {
	g.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retired = true
	for _, e := range g.members.Load().Endpoints {
		e.retire()
	}
}
