package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/balance"
	"gatehouse/exchange"
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
	dynamic bool      // some group changes by itself
	sticky  *sessions // nil without

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
	numbers   map[uint64]int // the endpoints by what tickets call them; nil without sessions
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

func (s *Service) build() *set {
	out := &set{}
	var targets []balance.Target
	for i, g := range s.groups {
		m := g.Members()
		out.from = append(out.from, m)
		for _, e := range m.Endpoints {
			var health *balance.Health
			if s.watches != nil {
				health = s.watches[i].Of(e)
			}
			out.endpoints = append(out.endpoints, e)
			out.hosts = append(out.hosts, s.config.hostOf(g))
			out.health = append(out.health, health)
			targets = append(targets, balance.Target{Address: e.Address, Weight: s.weights[i], Health: health, Load: &e.Load})
		}
	}
	if s.sticky != nil {
		out.numbers = make(map[uint64]int, len(out.endpoints))
		for i, e := range out.endpoints {
			out.numbers[number(e.Address)] = i
		}
	}
	closed := s.config.Health != nil && s.config.Health.AllDown == "closed"
	out.picker = balance.NewPicker(targets, balance.Options{Method: s.config.Balance.Method, Bound: s.config.Balance.Bound, Closed: closed})
	return out
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
	if g.Port != usual {
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

// Stats is what is known of one target of one service.
type Stats struct {
	Service         string
	Target          string // its address
	Healthy         bool
	Change          balance.Change // of its health, the last; zero where there was none
	InFlight        int64
	Requests        uint64 // attempts to send one
	ConnectFailures uint64
	Open            int64 // connections, idle or not
	Idle            int
}

// stats calls f for each of the service's targets.
func (s *Service) stats(f func(Stats)) {
	now := s.current()
	for i, e := range now.endpoints {
		open, idle := e.Connections()
		f(Stats{
			Service: s.config.Name, Target: e.Address,
			Healthy: now.health[i].Usable(), Change: now.health[i].Last(),
			InFlight: e.Load.Load(), Requests: e.Requests.Load(), ConnectFailures: e.Failures.Load(),
			Open: int64(open), Idle: idle,
		})
	}
}
