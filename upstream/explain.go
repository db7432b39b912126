package upstream

import (
	"strconv"
	"time"

	"gatehouse/balance"
	"gatehouse/exchange"
)

// note is why a target was passed over, in words. It is made once, and used for
// every request until that changes.
type note struct {
	why  balance.Why
	at   time.Time // when that began
	text string
}

// explain notes on the trail which targets were passed over, and why. Where
// none was there is nothing to say.
func (c *call) explain() {
	for _, p := range c.query.Passed() {
		c.x.Trail.Add(c.Service.rule, exchange.Passed, c.set.why(p, c.Service))
	}
	if c.query.Last {
		c.x.Trail.Add(c.Service.rule, exchange.Passed, "no target is healthy: they are used all the same")
	}
}

// why returns why a target was passed over.
func (s *set) why(p balance.Passed, service *Service) string {
	i := int(p.Index)
	t := s.picker.Target(i)
	at := time.Time{}
	switch p.Why {
	case balance.Sick:
		at = t.Health.Last().At
	case balance.Ejected:
		at = t.State.Last().At
	}
	known := s.notes[i].Load()
	if known != nil && known.why == p.Why && known.at.Equal(at) {
		return known.text
	}
	n := &note{why: p.Why, at: at, text: t.Address + " was passed over: "}
	const clock = "15:04:05Z"
	switch p.Why {
	case balance.Sick:
		n.text += "unhealthy since " + at.UTC().Format(clock) + ", " + t.Health.Last().Why
	case balance.Ejected:
		e := t.State.Last()
		n.text += "ejected at " + at.UTC().Format(clock) + " for " + e.For.String() + ", " + e.Why
	case balance.Busy:
		n.text += "it has the " + strconv.Itoa(service.config.Concurrency.PerTarget) + " requests that it may have"
	}
	s.notes[i].Store(n)
	return n.text
}
