package target

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/dial"
	"gatehouse/dial/dns"
)

// GroupKey is what a Group is kept by.
type GroupKey struct {
	Target   string // HOST:PORT, or the name of a service's records
	Identity string // of TLS
	Lookup   Lookup // how it is looked up; the zero Lookup where it is not looked up here
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

	key GroupKey
	surroundings
	tls     Identity
	members atomic.Pointer[Members]
	news    atomic.Pointer[Resolution] // of the last look-up
	drain   atomic.Int64               // how long a drain may take, in nanoseconds
	ready   chan struct{}              // closed once the name was looked up; nil for an address
	stop    context.CancelFunc
	doubt   chan struct{}       // somebody could not connect
	misled  map[netip.Addr]bool // addresses that were warned of

	mu      sync.Mutex
	watches map[*Watch]struct{}
	retired bool
}

// Members is what a Group consisted of at one time. It never changes: another
// list is another *Members.
type Members struct {
	Endpoints []*Endpoint
	Places    []Place // of each endpoint; nil where all are the same
	Err       error   // why there are none

	hosts []string // of each endpoint; nil where there is one
}

// Place is what a service's record says of an endpoint (RFC 2782).
type Place struct {
	Priority int // lower ones first
	Weight   int // among those of the same priority
}

// surroundings are what a Group needs of others.
type surroundings struct {
	dialer   *dial.Dialer
	resolver *dns.Resolver
	log      *slog.Logger
}

// DefaultDrain is how long a drain may take where nothing is said.
const DefaultDrain = 5 * time.Minute

// OpenGroup returns the group of a target, without waiting for anything. The
// resolver may be nil where the key asks for no look-up. What is known of names
// already is used until they were looked up.
func OpenGroup(key GroupKey, id Identity, d *dial.Dialer, r *dns.Resolver, known []Name, log *slog.Logger) *Group {
	host, port, _ := net.SplitHostPort(key.Target)
	if key.Lookup.Records {
		host = domainOf(key.Target)
	}
	g := &Group{Host: host, Port: port, key: key, surroundings: surroundings{d, r, log}, tls: id, watches: map[*Watch]struct{}{}, misled: map[netip.Addr]bool{}}
	g.SetDrain(DefaultDrain)
	if key.Lookup == (Lookup{}) {
		g.stop = func() {}
		g.members.Store(&Members{Endpoints: []*Endpoint{g.endpoint(key.Target)}})
		return g
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop, g.ready, g.doubt = stop, make(chan struct{}), make(chan struct{}, 1)
	g.members.Store(&Members{})
	g.begin(known)
	go g.resolve(ctx)
	return g
}

// Key returns what the group is kept by.
func (g *Group) Key() GroupKey { return g.key }

// SetDrain sets how long what is under way to a target that has gone may take.
func (g *Group) SetDrain(d time.Duration) { g.drain.Store(int64(d)) }

// Members returns what the group consists of now.
func (g *Group) Members() *Members { return g.members.Load() }

// Ready is closed once the name was looked up; nil where there is none to wait
// for.
func (g *Group) Ready() <-chan struct{} { return g.ready }

func (g *Group) endpoint(address string) *Endpoint {
	secure := g.tls.to(g.Host)
	return &Endpoint{Address: address, protocol: g.tls.Protocol, dialer: g.dialer, tls: secure, tls1: onlyHTTP1(secure, g.tls.Protocol), doubt: g.doubt}
}

func (g *Group) leave(e *Endpoint) { e.retire(time.Duration(g.drain.Load())) }

// Retire implements keeper.Entry.
func (g *Group) Retire() {
	g.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retired = true
	for _, e := range g.members.Load().Endpoints {
		g.leave(e)
	}
}
