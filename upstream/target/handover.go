package target

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gatehouse/balance"
	"gatehouse/dial"
)

// Name is what a name led to in the process that was taken over: what is used
// until it has been looked up anew, though no server of names answer.
type Name struct {
	Target  string    `json:"target"`
	Records bool      `json:"records,omitempty"`
	Servers string    `json:"servers,omitempty"`
	At      time.Time `json:"at"` // of the look-up
	Leads   []Lead    `json:"leads"`
}

// Lead is one address of a Name.
type Lead struct {
	Address  string `json:"address"`
	Host     string `json:"host,omitempty"` // of a service's record, with its port
	Priority int    `json:"priority,omitempty"`
	Weight   int    `json:"weight,omitempty"`
}

// of reports whether n is about the name of a key.
func (n *Name) of(key GroupKey) bool {
	return n.Target == key.Target && n.Records == key.Lookup.Records && n.Servers == key.Lookup.Servers
}

// Name returns what the group's name leads to; false for an address, and for a
// name that leads nowhere.
func (g *Group) Name() (Name, bool) {
	news, now := g.news.Load(), g.members.Load()
	if g.key.Lookup == (Lookup{}) || news == nil || len(now.Endpoints) == 0 {
		return Name{}, false
	}
	n := Name{Target: g.key.Target, Records: g.key.Lookup.Records, Servers: g.key.Lookup.Servers, At: news.At}
	for i, e := range now.Endpoints {
		lead := Lead{Address: e.Address}
		if now.Places != nil {
			lead.Host, lead.Priority, lead.Weight = now.hosts[i], now.Places[i].Priority, now.Places[i].Weight
		}
		n.Leads = append(n.Leads, lead)
	}
	return n, true
}

// begin makes the group consist of what another process knew, of which the one
// that is about its name counts. It is called before the first look-up.
func (g *Group) begin(known []Name) {
	i := slices.IndexFunc(known, func(n Name) bool { return n.of(g.key) })
	if i < 0 {
		return
	}
	next := &Members{}
	for _, lead := range known[i].Leads[:min(len(known[i].Leads), maxEndpoints)] {
		at, err := netip.ParseAddrPort(lead.Address)
		if err != nil || dial.Misleads(at.Addr()) != "" {
			continue
		}
		next.Endpoints = append(next.Endpoints, g.endpoint(lead.Address))
		if g.key.Lookup.Records {
			next.Places = append(next.Places, Place{lead.Priority, max(lead.Weight, 1)})
			next.hosts = append(next.hosts, lead.Host)
		}
	}
	if len(next.Endpoints) == 0 {
		return
	}
	g.members.Store(next)
	g.news.Store(&Resolution{Addresses: len(next.Endpoints), At: known[i].At})
}

// Sick is a target that failed its probes in the process that was taken over.
type Sick struct {
	Watch   string    `json:"watch"` // how it was probed
	Address string    `json:"address"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
}

// handle is what tells a way of probing from others in another process.
func (k WatchKey) handle() string {
	return fmt.Sprintf("%s %s %q %q %q %v", k.Group.Target, k.Group.Lookup.Servers, k.Path, k.Host, k.Status, k.GRPC)
}

// Sick returns the endpoints that fail their probes.
func (w *Watch) Sick() (out []Sick) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, p := range w.probed {
		if last := p.health.Last(); !p.health.Usable() {
			out = append(out, Sick{w.handle, e.Address, last.Why, last.At})
		}
	}
	slices.SortFunc(out, func(a, b Sick) int { return cmp.Compare(a.Address, b.Address) })
	return out
}

// known is what another process knew of an endpoint's health.
func (w *Watch) known(e *Endpoint) (balance.Change, bool) {
	for _, s := range w.sick {
		if s.Watch == w.handle && s.Address == e.Address {
			return balance.Change{Why: s.Why, At: s.At}, true
		}
	}
	return balance.Change{}, false
}
