package upstream

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"gatehouse/balance"
	"gatehouse/dial"
	"gatehouse/dial/dns"
	"gatehouse/exchange"
	"gatehouse/keeper"
	"gatehouse/upstream/guard"
	"gatehouse/upstream/target"
	"gatehouse/upstream/ticket"
)

// Options are what a Keeper needs of its surroundings.
type Options struct {
	Dialer *dial.Dialer
	Log    *slog.Logger
	// Known is what the process knew that was taken over, for the first
	// configuration.
	Known Known
	// Certificate returns the gateway's own client certificate, for services
	// with client-certificate: internal. It is called at every handshake; nil
	// where there is no internal authority.
	Certificate func() (*tls.Certificate, error)
	// Tickets returns the keys that sessions' tickets are made with. It is called
	// for a service that wants them alone.
	Tickets func() (*ticket.Ring, error)
}

// Keeper holds the connections, the health and the resolved names of all
// targets. It is safe for concurrent use; leases are taken one at a time.
type Keeper struct {
	options  Options
	groups   *keeper.Set[target.GroupKey, *target.Group]
	watches  *keeper.Set[target.WatchKey, *target.Watch]
	guards   *keeper.Set[string, *guard.Guard]
	services atomic.Pointer[[]*Service]

	mu        sync.Mutex
	resolvers map[string]*dns.Resolver // by servers
}

// NewKeeper returns an empty Keeper.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{
		options: o, groups: keeper.NewSet[target.GroupKey, *target.Group](), watches: keeper.NewSet[target.WatchKey, *target.Watch](),
		guards: keeper.NewSet[string, *guard.Guard](), resolvers: make(map[string]*dns.Resolver),
	}
	k.services.Store(new([]*Service))
	return k
}

// Each calls f for every target of every service of the last committed lease.
func (k *Keeper) Each(f func(Stats)) {
	for _, s := range *k.services.Load() {
		s.stats(f)
	}
}

// EachService calls f for every service of the last committed lease.
func (k *Keeper) EachService(f func(ServiceStats)) {
	for _, s := range *k.services.Load() {
		f(s.serviceStats())
	}
}

// EachName calls f for every name that one of these services looks up.
func (k *Keeper) EachName(f func(NameStats)) {
	for _, s := range *k.services.Load() {
		s.nameStats(f)
	}
}

// Close retires everything.
func (k *Keeper) Close() {
	k.services.Store(new([]*Service))
	k.watches.Close()
	k.groups.Close()
	k.guards.Close()
}

// resolver returns the one that asks these servers, and keeps nothing more than
// which of them answered last.
func (k *Keeper) resolver(c Config) *dns.Resolver {
	o := dns.Options{Dialer: k.options.Dialer}
	for _, s := range c.Resolver {
		o.Servers = append(o.Servers, s.AddrPort)
	}
	key := fmt.Sprint(o.Servers)
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.resolvers[key]
	if r == nil {
		r = dns.New(o)
		k.resolvers[key] = r
	}
	return r
}

// Begin starts a lease.
func (k *Keeper) Begin() *Lease {
	return &Lease{keeper: k, groups: k.groups.Begin(), watches: k.watches.Begin(), guards: k.guards.Begin()}
}

// Lease is the part of a reload that concerns services. It is not safe for
// concurrent use.
type Lease struct {
	keeper   *Keeper
	groups   *keeper.Lease[target.GroupKey, *target.Group]
	watches  *keeper.Lease[target.WatchKey, *target.Watch]
	guards   *keeper.Lease[string, *guard.Guard]
	services []*Service
}

// Service binds a service to its targets: those that are kept, or new ones. It
// waits for nothing outside; it fails only where a certificate file is broken
// or there is no internal authority.
func (l *Lease) Service(c Config) (*Service, error) {
	c = c.filled()
	id, err := newIdentity(c.TLS, c.protocol(), l.keeper.options.Certificate)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", c.Name, err)
	}
	s := &Service{config: c, rule: &exchange.Rule{Filter: "upstream", Name: c.Name, At: c.Pos}}
	if c.Sticky != nil {
		ring, err := l.keeper.options.Tickets()
		if err != nil {
			return nil, fmt.Errorf("service %s: sticky: %w", c.Name, err)
		}
		s.sticky = newSessions(&c, ring)
	}
	for _, t := range c.Targets {
		g := l.group(c, t, id)
		s.groups = append(s.groups, g)
		s.weights = append(s.weights, max(t.Weight, 1))
		s.dynamic = s.dynamic || t.named()
		if c.Health != nil {
			s.watches = append(s.watches, l.watch(c, g))
		}
	}
	l.protect(s)
	s.set.Store(s.build())
	l.services = append(l.services, s)
	return s, nil
}

// protect gives a service what guards it, where it wants any of that.
func (l *Lease) protect(s *Service) {
	settings := s.config.guards()
	if !settings.Budgeted && !settings.Any() {
		return
	}
	g, _ := l.guards.Get(s.config.Name, func() (*guard.Guard, error) {
		return guard.New(s.config.Name, settings, l.keeper.options.Log), nil
	})
	s.keeps, s.owner = g, &guard.Owner{}
	if settings.Budgeted {
		s.budget = g.Budget
	}
	if settings.Any() {
		s.guard = g
	}
}

func (l *Lease) group(c Config, t Target, id target.Identity) *target.Group {
	key := target.GroupKey{Target: t.Address, Identity: id.Key, Lookup: c.lookup(t)}
	o := l.keeper.options
	g, _ := l.groups.Get(key, func() (*target.Group, error) {
		return target.OpenGroup(key, id, o.Dialer, l.keeper.resolver(c), o.Known.Names, o.Log), nil
	})
	return g
}

func (l *Lease) watch(c Config, g *target.Group) *target.Watch {
	h := c.Health
	key := target.WatchKey{
		Group:        g.Key(),
		CheckOptions: balance.CheckOptions{Interval: h.Interval.D(), Timeout: h.Timeout.D(), Healthy: h.Healthy, Unhealthy: h.Unhealthy},
		Path:         h.Path, Host: c.hostOf(g), Status: fmt.Sprint(h.Status), GRPC: h.GRPC.target(),
	}
	w, _ := l.watches.Get(key, func() (*target.Watch, error) {
		return target.OpenWatch(g, key, h.Status.Has, l.keeper.options.Known.Sick, l.keeper.options.Log), nil
	})
	return w
}

// Commit makes what the lease named what is kept, and retires the rest.
func (l *Lease) Commit() {
	l.keeper.options.Known = Known{} // what comes later is to be found out
	for _, s := range l.services {
		s.commit()
	}
	l.keeper.services.Store(&l.services)
	l.watches.Commit()
	l.groups.Commit()
	l.guards.Commit()
}

// Abort retires what the lease opened; everything else stays as it was.
func (l *Lease) Abort() {
	l.watches.Abort()
	l.groups.Abort()
	l.guards.Abort()
}
