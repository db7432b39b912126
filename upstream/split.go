package upstream

import (
	"math/rand/v2"
	"net/http"

	"gatehouse/balance"
	"gatehouse/exchange"
)

// Share is one part of a Split.
type Share struct {
	Handler http.Handler
	Weight  int
}

// Split returns a handler that shares requests among handlers by weight,
// exactly. A client whose session one of them has (see Claims) goes there. Where
// the one whose turn it is has no healthy target, one of the others answers in
// its place, in proportion to their weights. At least one weight is above zero;
// a handler of weight zero gets nothing.
func Split(shares []Share) http.Handler {
	s := &split{}
	weights := make([]int, 0, len(shares))
	for _, share := range shares {
		if share.Weight > 0 {
			weights = append(weights, share.Weight)
			s.shares = append(s.shares, share)
			h := handlerOf(share.Handler)
			s.services = append(s.services, h)
			s.sticky = s.sticky || h != nil && h.Service.sticky != nil
		}
	}
	s.turns = balance.NewSplit(weights)
	return s
}

// handlerOf returns the handler of a service, whatever it speaks; nil for what is
// something else.
func handlerOf(h http.Handler) *handler {
	switch h := h.(type) {
	case *handler:
		return h
	case *handler2:
		return &h.handler
	case *opener:
		return &h.handler
	}
	return nil
}

type split struct {
	shares   []Share
	services []*handler // of each share; nil where it is something else
	sticky   bool       // some service has sessions
	turns    *balance.Split
}

// ServeHTTP implements http.Handler.
func (s *split) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := s.claiming(r)
	if i < 0 {
		i = s.turns.Next()
		if !s.available(i) {
			i = s.instead(i)
		}
	}
	s.shares[i].Handler.ServeHTTP(w, r)
}

// Claims reports whether one of the shares has the client's session.
func (s *split) Claims(x *exchange.Exchange, r *http.Request) bool {
	for _, h := range s.services {
		if h != nil && h.Claims(x, r) {
			return true
		}
	}
	return false
}

// claiming returns the share that has the client's session; -1 for none.
func (s *split) claiming(r *http.Request) int {
	if !s.sticky {
		return -1
	}
	x := exchange.From(r)
	for i, h := range s.services {
		if h != nil && h.Claims(x, r) {
			return i
		}
	}
	return -1
}

func (s *split) available(i int) bool {
	return s.services[i] == nil || s.services[i].Service.Available()
}

// instead returns a share in place of one that is not available: another one by
// lot, or the same where none is.
func (s *split) instead(i int) int {
	total := 0
	for j := range s.shares {
		if s.available(j) {
			total += s.shares[j].Weight
		}
	}
	if total == 0 {
		return i
	}
	lot := rand.IntN(total)
	for j := range s.shares {
		if !s.available(j) {
			continue
		}
		if lot -= s.shares[j].Weight; lot < 0 {
			return j
		}
	}
	return i // its health changed in between
}

// Available reports whether the service is not left alone, and some target of it
// is usable, or none is known yet.
func (s *Service) Available() bool {
	if s.guard != nil && s.config.Breaker != nil && s.guard.Breaker.Refuses() {
		return false
	}
	now := s.current()
	for i := range now.health {
		if s.usable(now, i) {
			return true
		}
	}
	return len(now.health) == 0
}
