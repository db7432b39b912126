package upstream

import (
	"gatehouse/balance"
	"gatehouse/upstream/target"
)

// Stats is what is known of one target of one service.
type Stats struct {
	Service         string
	Target          string // its address
	Healthy         bool
	Change          balance.Change // of its health, the last; zero where there was none
	Ejected         bool
	Ejections       uint64
	Share           float64 // of what its weight says; below 1 while it is new
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
		state := now.picker.Target(i).State
		f(Stats{
			Service: s.config.Name, Target: e.Address,
			Healthy: now.health[i].Usable(), Change: now.health[i].Last(),
			Ejected: s.ejected(state), Ejections: state.Ejections(), Share: now.picker.Growing(i),
			InFlight: e.Load.Load(), Requests: e.Requests.Load(), ConnectFailures: e.Failures.Load(),
			Open: int64(open), Idle: idle,
		})
	}
}

func (s *Service) ejected(state *balance.State) bool {
	if s.guard == nil {
		return false
	}
	out, _, _ := state.Ejected(s.guard.Clock)
	return out
}

// ServiceStats is what is known of one service.
type ServiceStats struct {
	Service string
	Healthy int // targets that get requests
	Sick    int // targets that their health keeps out
	Ejected int // targets that their answers keep out
	Spared  uint64
	Denied  uint64                // retries that the budget had nothing left for
	Breaker *balance.BreakerStats // nil without a breaker
	Gate    *balance.GateStats    // nil without limits
}

func (s *Service) serviceStats() ServiceStats {
	out := ServiceStats{Service: s.config.Name}
	s.stats(func(t Stats) {
		switch {
		case !t.Healthy:
			out.Sick++
		case t.Ejected:
			out.Ejected++
		default:
			out.Healthy++
		}
	})
	if s.budget != nil {
		out.Denied = s.budget.Denied()
	}
	if s.guard == nil {
		return out
	}
	_, out.Spared = s.guard.Outliers.Counts()
	if s.config.Breaker != nil {
		out.Breaker = new(s.guard.Breaker.Stats())
	}
	if s.config.Concurrency != nil {
		out.Gate = new(s.guard.Gate.Stats())
	}
	return out
}

// NameStats is what is known of a name that a service looks up.
type NameStats struct {
	Service string
	Name    string // as it is written: dns:NAME:PORT
	target.Resolution
}

func (s *Service) nameStats(f func(NameStats)) {
	for i, g := range s.groups {
		if r := g.Resolution(); r != nil {
			f(NameStats{Service: s.config.Name, Name: s.config.Targets[i].String(), Resolution: *r})
		}
	}
}
