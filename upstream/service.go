package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/balance"
	"gatehouse/exchange"
	"gatehouse/upstream/guard"
	"gatehouse/upstream/target"
)

// Service is a service bound to what the keeper holds for it. It owns nothing
// and may be dropped at any time; any number of routes share one. It is safe
// for concurrent use.
type Service struct {
	config  Config // with every default
	rule    *exchange.Rule
	groups  []*target.Group
	watches []*target.Watch // of each group; nil without health
	weights []int
	dynamic bool            // some group changes by itself
	guard   *guard.Guard    // nil where a request has nothing more to ask than where to go
	budget  *balance.Budget // of retries; nil for any number
	keeps   *guard.Guard    // what both are part of; nil without
	owner   *guard.Owner    // this one's hold on it
	sticky  *sessions       // nil without

	set atomic.Pointer[set]
	mu  sync.Mutex // held while set is made anew
}

// set is what a Service picks from at one time.
type set struct {
	from      []*target.Members // of each group
	endpoints []*target.Endpoint
	hosts     []string // the Host field of each, where it is the target's
	health    []*balance.Health
	picker    *balance.Picker
	notes     []atomic.Pointer[note] // why each was passed over
	numbers   map[uint64]int         // the endpoints by what tickets call them; nil without sessions
}

// Name returns the service's name.
func (s *Service) Name() string { return s.config.Name }

// current returns what to pick from now.
func (s *Service) current() *set {
	now := s.set.Load()
	if !s.dynamic || s.fresh(now) {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now = s.set.Load(); s.fresh(now) {
		return now
	}
	now = s.build()
	s.set.Store(now)
	if s.guard != nil {
		s.guard.Follow(s.owner, now.picker.Targets())
	}
	return now
}

func (s *Service) fresh(now *set) bool {
	for i, g := range s.groups {
		if g.Members() != now.from[i] {
			return false
		}
	}
	return true
}

// commit makes what the service says hold for what is kept for it.
func (s *Service) commit() {
	for _, g := range s.groups {
		g.SetDrain(s.config.Drain.D())
	}
	if s.keeps != nil {
		s.keeps.Adopt(s.owner, s.config.guards(), s.current().picker.Targets())
	}
}

// member is one endpoint of a set in the making.
type member struct {
	endpoint *target.Endpoint
	host     string
	target   balance.Target
}

func (s *Service) build() *set {
	out := &set{}
	var members []member
	for i, g := range s.groups {
		m := g.Members()
		out.from = append(out.from, m)
		scale, of := s.shares(i, m)
		for k, e := range m.Endpoints {
			t := balance.Target{Address: e.Address, Weight: s.weights[i] * scale, Load: &e.Load}
			if m.Places != nil {
				t.Weight, t.Priority = s.weights[i]*of(k), m.Places[k].Priority
			}
			if s.watches != nil {
				t.Health = s.watches[i].Of(e)
			}
			if s.guard != nil && s.config.guards().Stated() {
				t.State = s.guard.State(e.Address)
			}
			members = append(members, member{e, s.config.hostOf(g), t})
		}
	}
	slices.SortStableFunc(members, func(a, b member) int { return a.target.Priority - b.target.Priority })
	targets := make([]balance.Target, len(members))
	for i, m := range members {
		out.endpoints = append(out.endpoints, m.endpoint)
		out.hosts = append(out.hosts, m.host)
		out.health = append(out.health, m.target.Health)
		targets[i] = m.target
	}
	if s.sticky != nil {
		out.numbers = make(map[uint64]int, len(members))
		for i, m := range members {
			out.numbers[number(m.endpoint.Address)] = i
		}
	}
	out.picker = balance.NewPicker(targets, s.pickerOptions())
	out.notes = make([]atomic.Pointer[note], len(members))
	return out
}

// alone is what the weights of others are multiplied by beside those of a
// service's records, which are shares of any size.
const alone = 1000

// shares returns the factor of a group's weight, and for one of a service's
// records that of each endpoint's: such a group has as much as its endpoints
// would have without weights. Alone, its weights stand as they are.
func (s *Service) shares(i int, m *target.Members) (scale int, of func(k int) int) {
	if len(s.groups) == 1 {
		return 1, func(k int) int { return m.Places[k].Weight }
	}
	scale = 1
	for _, t := range s.config.Targets {
		if t.SRV {
			scale = alone
		}
	}
	sum := 0
	for _, p := range m.Places {
		sum += p.Weight
	}
	return scale, func(k int) int { return max(m.Places[k].Weight*len(m.Places)*alone/sum, 1) }
}

func (s *Service) pickerOptions() balance.Options {
	c := &s.config
	o := balance.Options{Method: c.Balance.Method, Bound: c.Balance.Bound, Ramp: c.SlowStart.Ramp()}
	o.Closed = c.Health != nil && c.Health.AllDown == "closed"
	if c.Concurrency != nil {
		o.Room = int64(c.Concurrency.PerTarget)
	}
	if s.guard != nil {
		o.Clock = s.guard.Clock
	}
	return o
}

// attempts is how often a request was sent to one of the targets there are.
func (s *Service) attempts() (n uint64) {
	for _, e := range s.set.Load().endpoints {
		n += e.Requests.Load()
	}
	return n
}

// hostOf returns what the Host field says to a group's endpoints, unless it is
// the client's: the configured name, else the TLS server name, else the target
// without a port that goes without saying.
func (c Config) hostOf(g *target.Group) string {
	switch {
	case c.Host != "target" && c.Host != "preserve":
		return c.Host
	case c.TLS != nil && c.TLS.ServerName != "":
		return c.TLS.ServerName
	}
	usual := "80"
	if c.TLS != nil {
		usual = "443"
	}
	if g.Port != usual && g.Port != "" {
		return net.JoinHostPort(g.Host, g.Port)
	}
	if strings.Contains(g.Host, ":") {
		return "[" + g.Host + "]"
	}
	return g.Host
}

// resolved waits until every name was looked up once, and returns why one has
// no address where that leaves nothing to pick from.
func (s *Service) resolved(ctx context.Context) error {
	for _, g := range s.groups {
		if g.Ready() == nil {
			continue
		}
		select {
		case <-g.Ready():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, g := range s.groups {
		if err := g.Members().Err; err != nil {
			return err
		}
	}
	return errNoTarget
}

var errNoTarget = errors.New("no target is healthy")

// key returns what the request hashes by; 0 where the service does not hash.
// Without the header or cookie it is the client's address. Buf is room to work
// in.
func (s *Service) key(x *exchange.Exchange, r *http.Request, buf []byte) uint64 {
	b := s.config.Balance
	if b.Method != balance.Hash {
		return 0
	}
	switch b.Key {
	case byPath:
		return balance.KeyOf(x.Path.AppendCanonical(buf[:0]))
	case byHeader:
		if v := r.Header.Get(b.Name); v != "" {
			return balance.KeyOf(v)
		}
	case byCookie:
		if c, err := r.Cookie(b.Name); err == nil {
			return balance.KeyOf(c.Value)
		}
	}
	a := x.Client.As16()
	return balance.KeyOf(a[:])
}
