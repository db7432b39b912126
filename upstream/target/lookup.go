package target

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/dial"
	"gatehouse/dial/dns"
)

// Lookup says how a name is looked up again and again: when its answer's time to
// live is over, within bounds.
type Lookup struct {
	Records  bool          // the name is that of a service's records (SRV), not of a host
	Servers  string        // who is asked, by commas; "" for the system's
	Shortest time.Duration // what an answer holds at least
	Longest  time.Duration // and at most
	Stale    time.Duration // how long the last good answer is used while servers fail
	Gone     time.Duration // and while they say that there is no such name
}

// Resolution is what is known of a name. It never changes.
type Resolution struct {
	Addresses int       // that are in use
	At        time.Time // of the last good answer; zero where there was none
	Failures  uint64    // look-ups without a good answer
	Stale     bool      // what is in use is older than it says
	Err       string    // of the last look-up; "" where it was good
	badSince  time.Time // when look-ups began to fail; zero while they do not
	goneSince time.Time // when servers began to say that there is no such name
}

// Resolution returns what is known of the group's name; nil where it is an
// address, or was not looked up yet.
func (g *Group) Resolution() *Resolution { return g.news.Load() }

// domainOf returns the name that a service's records are below:
// "_http._tcp.orders.internal" is about orders.internal.
func domainOf(name string) string {
	for strings.HasPrefix(name, "_") {
		_, rest, more := strings.Cut(name, ".")
		if !more {
			break
		}
		name = rest
	}
	return strings.TrimSuffix(name, ".")
}

const (
	maxBackoff   = 10 * time.Second // how long a name that does not resolve is left alone
	lookupLimit  = 15 * time.Second // how long one look-up may take
	maxEndpoints = dns.MaxAddresses // of one target
)

// resolve looks the name up until the group retires.
func (g *Group) resolve(ctx context.Context) {
	backoff := time.Second
	for first := true; ; first = false {
		wait, good := g.lookup(ctx)
		if good {
			backoff = time.Second
		} else {
			wait = min(max(wait, backoff), maxBackoff, max(g.key.Lookup.Longest, time.Second))
			backoff = min(2*backoff, maxBackoff)
		}
		if first {
			close(g.ready)
		}
		if !g.rest(ctx, wait-rand.N(wait/20+1)) { // names of one age are not looked up all at once
			return
		}
	}
}

// rest waits for the next look-up: for wait, or until somebody doubts what the
// last one has brought, which is heard no sooner than an answer holds at least.
// It reports whether there is to be one.
func (g *Group) rest(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(min(wait, g.key.Lookup.Shortest))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	}
	timer.Reset(max(wait-g.key.Lookup.Shortest, 0))
	select {
	case <-ctx.Done():
		return false
	case <-g.doubt:
	case <-timer.C:
	}
	return true
}

// Doubt says that nobody answers at an endpoint any more: where its address came
// from a name, that is looked up again soon.
func (e *Endpoint) Doubt() {
	select {
	case e.doubt <- struct{}{}: // never, where there is no channel
	default:
	}
}

// lookup looks the name up once, and returns when it is to be looked up again.
func (g *Group) lookup(ctx context.Context) (wait time.Duration, good bool) {
	timed, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	next, ttl, err := g.ask(timed)
	if ctx.Err() != nil {
		return time.Second, false
	}
	if err == nil && len(next.Endpoints) == 0 {
		err = errors.New("name not resolved: it leads to no usable address")
	}
	if err != nil {
		g.failed(err)
		return max(dns.TTL(err), g.key.Lookup.Shortest), false
	}
	g.put(next)
	g.news.Store(&Resolution{Addresses: len(next.Endpoints), At: time.Now(), Failures: g.failures()})
	return min(max(ttl, g.key.Lookup.Shortest), g.key.Lookup.Longest), true
}

func (g *Group) failures() uint64 {
	if last := g.news.Load(); last != nil {
		return last.Failures
	}
	return 0
}

// failed notes a look-up without a good answer. What is in use stays so for a
// while: for long where servers fail, for a short one where they say that there
// is no such name.
func (g *Group) failed(err error) {
	now := time.Now()
	next := Resolution{}
	if last := g.news.Load(); last != nil {
		next = *last
	}
	next.Err = Why(err).Error()
	next.Failures++
	if next.badSince.IsZero() {
		next.badSince = now
	}
	switch {
	case !dns.NotFound(err):
		next.goneSince = time.Time{}
	case next.goneSince.IsZero():
		next.goneSince = now
	}
	in := g.members.Load()
	had := len(in.Endpoints)
	over := now.Sub(next.badSince) >= g.key.Lookup.Stale || !next.goneSince.IsZero() && now.Sub(next.goneSince) >= g.key.Lookup.Gone
	if over || len(in.Endpoints) == 0 {
		g.put(&Members{Err: err})
		in = g.members.Load()
	}
	next.Addresses, next.Stale = len(in.Endpoints), len(in.Endpoints) > 0
	g.news.Store(&next)
	level := slog.LevelDebug // it is tried every few seconds
	if next.badSince.Equal(now) || had != next.Addresses {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, "target not resolved", "target", g.key.Target, "error", err, "addresses", next.Addresses)
}

// ask asks for what the group is to consist of.
func (g *Group) ask(ctx context.Context) (*Members, time.Duration, error) {
	if g.key.Lookup.Records {
		records, ttl, err := g.resolver.Service(ctx, g.key.Target)
		if err != nil {
			return nil, 0, err
		}
		return g.fromRecords(records), ttl, nil
	}
	answer, err := g.resolver.Addresses(ctx, g.Host)
	if err != nil {
		return nil, 0, err
	}
	addrs := g.usable(answer.Addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	next := &Members{}
	for _, a := range slices.Compact(addrs) {
		next.Endpoints = append(next.Endpoints, g.at(net.JoinHostPort(a.String(), g.Port)))
	}
	return next, answer.TTL, nil
}

// fromRecords makes endpoints of a service's records. Where a record's host
// could not be looked up, what it led to before stays in use.
func (g *Group) fromRecords(records []dns.Record) *Members {
	slices.SortFunc(records, func(a, b dns.Record) int { // servers shuffle them
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Weight, b.Weight))
	})
	before := g.members.Load()
	next := &Members{}
	known := make(map[*Endpoint]bool)
	add := func(e *Endpoint, r dns.Record, host string) {
		if known[e] || len(next.Endpoints) == maxEndpoints {
			return // of two records for one address, that which comes first counts
		}
		known[e] = true
		next.Endpoints = append(next.Endpoints, e)
		next.Places = append(next.Places, Place{Priority: int(r.Priority), Weight: max(int(r.Weight), 1)})
		next.hosts = append(next.hosts, host)
	}
	for _, r := range records {
		port := strconv.Itoa(int(r.Port))
		host := net.JoinHostPort(r.Host, port)
		if r.Err != nil && !dns.NotFound(r.Err) {
			for i, e := range before.Endpoints {
				if before.hosts[i] == host {
					add(e, r, host)
				}
			}
			continue
		}
		addrs := g.usable(r.Addrs)
		slices.SortFunc(addrs, netip.Addr.Compare)
		for _, a := range slices.Compact(addrs) {
			add(g.at(net.JoinHostPort(a.String(), port)), r, host)
		}
	}
	return next
}

// usable returns the addresses that a name may lead to and that this machine
// has a way to; where it has a way to none, all are left to fail.
func (g *Group) usable(addrs []netip.Addr) []netip.Addr {
	var fit, routable []netip.Addr
	for _, a := range addrs {
		if why := dial.Misleads(a); why != "" {
			g.warnOf(a, why)
			continue
		}
		fit = append(fit, a)
		if dial.Routable(a) {
			routable = append(routable, a)
		}
	}
	if len(routable) > 0 {
		return routable
	}
	return fit
}

// warnOf says that an address is left out, once for each; the look-ups alone
// call it.
func (g *Group) warnOf(a netip.Addr, why string) {
	if g.misled[a] || len(g.misled) == dns.MaxAddresses {
		return
	}
	g.misled[a] = true
	g.log.Warn("an address is left out: a service's name leads to none of this kind", "target", g.key.Target, "address", a.String(), "why", why)
}

// at returns the endpoint of an address: the one that there is, or a new one.
func (g *Group) at(address string) *Endpoint {
	for _, e := range g.members.Load().Endpoints {
		if e.Address == address {
			return e
		}
	}
	return g.endpoint(address)
}

// put makes next what the group consists of. Those that stay keep their
// connections; the others retire.
func (g *Group) put(next *Members) {
	before := g.members.Load()
	if slices.Equal(before.Endpoints, next.Endpoints) && slices.Equal(before.Places, next.Places) && len(next.Endpoints) > 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired {
		return
	}
	g.members.Store(next)
	if len(next.Endpoints) > 0 || len(before.Endpoints) > 0 {
		g.log.Info("target resolved", "target", g.key.Target, "addresses", strconv.Itoa(len(next.Endpoints)))
	}
	for w := range g.watches {
		w.prune(next.Endpoints)
	}
	for _, e := range before.Endpoints {
		if !slices.Contains(next.Endpoints, e) {
			g.leave(e)
		}
	}
}
