package upstream

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatehouse/balance"
	"gatehouse/exchange"
)

// held is what a request holds of a guarded service.
type held struct {
	place  bool           // one of the service's
	room   *balance.State // one of the target's; nil for none
	probe  bool           // it tries an ejected target
	trial  bool           // it tries a service whose breaker is open
	judged bool           // it has been said how the attempt went
}

// claim picks a target.
func (c *call) claim() *failure {
	if c.Service.guard != nil {
		return c.enter()
	}
	return c.choose()
}

// choose picks a target, and notes who was passed over.
func (c *call) choose() *failure {
	c.query.Key = c.key
	c.query.Reset(c.tried)
	c.query.Want = c.wanted()
	c.picked = c.set.picker.Choose(&c.query)
	c.explain()
	if c.picked < 0 {
		return noTarget(errNoTarget)
	}
	return nil
}

// enter picks a target of a guarded service, once the service lets the request
// through. A first attempt may wait for room; a further one is not made without.
func (c *call) enter() *failure {
	s, first := c.Service, len(c.tried) == 0
	if s.config.Breaker != nil && first {
		p := s.guard.Breaker.Allow()
		if p.Refused {
			return &failure{status: http.StatusServiceUnavailable, reason: "circuit-open", detail: "the service is left alone: " + p.Why, retry: max(p.Wait, time.Second)}
		}
		c.held.trial = p.Trial
	}
	if f := c.admit(first); f != nil {
		return f
	}
	c.held.probe, c.held.judged = c.query.Probe, false
	c.explain()
	return nil
}

// admit claims a place of the service, and room of a target.
func (c *call) admit(first bool) *failure {
	if c.Service.config.Concurrency == nil {
		if c.Claim() != balance.Claimed {
			c.explain()
			return noTarget(errNoTarget)
		}
		return nil
	}
	until, _ := c.x.Deadline()
	waited, err := c.Service.guard.Gate.Enter(c.x.Parent(), until, c, first)
	if waited > 0 {
		c.x.Upstream.Queued += waited
	}
	if err != nil {
		return c.crowded(err)
	}
	c.held.place = true
	if waited > 0 {
		c.x.Trail.Add(c.Service.rule, exchange.Passed, "waited "+waited.Round(10*time.Microsecond).String()+" for room")
	}
	return nil
}

// crowded is why a request was not let through.
func (c *call) crowded(err error) *failure {
	c.explain()
	q := c.Service.config.Concurrency
	f := &failure{status: http.StatusServiceUnavailable, retry: time.Second, crowded: true}
	switch {
	case errors.Is(err, balance.ErrNoTarget):
		return noTarget(errNoTarget)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return c.goneFailure()
	case errors.Is(err, balance.ErrPatience) && c.late():
		return &failure{status: http.StatusGatewayTimeout, reason: "deadline", detail: "the request's time was over while it waited for room"}
	case errors.Is(err, balance.ErrPatience):
		f.reason, f.detail = "queue-timeout", "no room became free in time"
	case q.Queue == 0:
		f.reason, f.detail = "concurrency", "as many requests are under way as may be"
	default:
		f.reason, f.detail = "queue-full", "as many requests are under way and wait as may be"
	}
	return f
}

// Claim implements balance.Claimer. It may be called by another request, which
// has made room.
func (c *call) Claim() balance.Outcome {
	c.retarget()
	c.query.Key = c.key
	c.query.Reset(c.tried)
	c.query.Want = c.wanted()
	switch c.picked = c.set.picker.Choose(&c.query); c.picked {
	case balance.None:
		return balance.NoTarget
	case balance.Full:
		return balance.NoRoom
	}
	if c.query.Entry {
		c.held.room = c.set.picker.Target(c.picked).State
	}
	return balance.Claimed
}

// retarget makes the targets that there are now the call's. Those that it has
// tried it knows again.
func (c *call) retarget() {
	now := c.Service.current()
	if now == c.set || len(now.endpoints) == 0 {
		return
	}
	before := c.set
	c.set = now
	tried := c.tried
	c.tried = c.tried[:0]
	if before == nil {
		return
	}
	for _, i := range tried {
		for k, e := range now.endpoints {
			if e == before.endpoints[i] {
				c.tried = append(c.tried, k)
				break
			}
		}
	}
}

// leave gives back what the attempt held: the target's room first, since who is
// let in needs both.
func (c *call) leave() {
	if c.held.room != nil {
		c.held.room.Leave()
		c.held.room = nil
	}
	if c.held.place {
		c.held.place = false
		c.Service.guard.Gate.Leave()
	}
}

// again reports whether another target is to be tried after an attempt; f is nil
// where it brought an answer. Whoever watches over the service hears how it went.
func (c *call) again(f *failure, left int) bool {
	again := f != nil && f.unprocessed && left > 0 && !c.late() && c.spend()
	switch {
	case c.Service.guard == nil:
	case f == nil:
		c.judgeStatus(c.x.Upstream.Status)
	default:
		c.judgeFailure(f, !again)
	}
	return again
}

// spend takes a further attempt out of the budget, where there is one.
func (c *call) spend() bool {
	s := c.Service
	if s.budget == nil || s.budget.Take(s.attempts()) {
		return true
	}
	c.x.Trail.Add(s.rule, exchange.Passed, "not tried again: the retry budget is spent")
	return false
}

// judge says, once for each attempt, how it went: to what takes targets out,
// and, where it was the last, to the breaker.
func (c *call) judge(good, last bool, why string, at time.Time) {
	if c.held.judged || c.picked < 0 {
		return
	}
	c.held.judged = true
	s := c.Service
	if s.config.Outliers != nil {
		s.guard.Outliers.Report(c.set.picker.Target(c.picked), c.held.probe, good, why, at)
	}
	if last && s.config.Breaker != nil {
		s.guard.Breaker.Report(c.held.trial, good, at)
	}
}

// judgeStatus judges an attempt by the answer's status.
func (c *call) judgeStatus(status int) {
	at := c.clock.sent.Add(c.x.Upstream.Latency)
	s := c.Service
	if c.held.judged {
		return
	}
	c.held.judged = true
	if o := s.config.Outliers; o != nil {
		why := ""
		bad := o.Status.Has(status)
		if bad {
			why = "status " + strconv.Itoa(status)
		}
		s.guard.Outliers.Report(c.set.picker.Target(c.picked), c.held.probe, !bad, why, at)
	}
	if b := s.config.Breaker; b != nil {
		s.guard.Breaker.Report(c.held.trial, !b.Status.Has(status), at)
	}
}

// judgeFailure judges an attempt that brought no whole answer. What is not the
// target's fault says nothing of it.
func (c *call) judgeFailure(f *failure, last bool) {
	if c.endpoint != nil && f.blames() {
		c.judge(false, last, f.detail, time.Now())
	}
}

// blames reports whether the failure is the target's.
func (f *failure) blames() bool {
	switch f.reason {
	case "connect-refused", "connect", "connect-timeout", "tls", "reset", "bad-answer", "answer-timeout", "idle-timeout":
		return true
	case "deadline":
		return f.sent
	}
	return false
}
