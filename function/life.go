package function

import (
	"slices"
	"time"
)

// The wait after starts that failed doubles from one to the other.
const (
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = time.Minute
)

// start starts one more process, and reports whether there was room for it among
// those that the gateway may have.
func (p *pool) start() bool {
	if !p.keeper.reserve(p) {
		return false
	}
	in := newInstance(p)
	p.instances[in] = struct{}{}
	p.starting++
	p.keeper.work.Go(in.run)
	return true
}

// provision starts what is to be there before anybody asks.
func (p *pool) provision() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired || p.closed || time.Now().Before(p.notBefore) {
		return
	}
	for len(p.instances) < min(p.version.config.Provisioned, p.most()) {
		if !p.start() {
			return
		}
	}
}

// started notes that a process has asked for work for the first time.
func (p *pool) started(in *instance) {
	if in.isReady() {
		return
	}
	in.readyAt = time.Now()
	in.initTook, in.lastUsed = in.readyAt.Sub(in.began), in.readyAt
	close(in.ready)
	p.starting--
	p.crashes, p.broken, p.notBefore = 0, "", time.Time{}
}

// gone takes an instance out whose process has ended, or never began. Why says
// how its start failed, where it did.
func (p *pool) gone(in *instance, why string) {
	p.mu.Lock()
	if _, there := p.instances[in]; !there {
		p.mu.Unlock()
		return
	}
	delete(p.instances, in)
	in.dead = true
	p.returning -= in.returning
	p.idle = slices.DeleteFunc(p.idle, func(w *worker) bool {
		if w.instance == in {
			w.wake <- nil
			return true
		}
		return false
	})
	lost := make([]*invocation, 0, len(in.active))
	for _, v := range in.active {
		lost = append(lost, v)
	}
	for _, v := range lost {
		p.drop(v)
	}
	failed := !in.isReady()
	if failed {
		p.starting--
	}
	given := p.afterStart(failed && !in.stopped.Load(), why)
	p.mu.Unlock()
	p.keeper.giveBack()

	for _, v := range lost {
		v.settle(Result{Outcome: Crashed, Detail: "the process ended: " + in.exit()})
		p.log.report(v, in)
	}
	for _, v := range given {
		v.settle(Result{Outcome: NotStarted, Detail: why})
	}
}

// afterStart holds back further starts where one has failed, and returns the
// invocations that there is nobody for. Else it starts what the queue needs.
func (p *pool) afterStart(failed bool, why string) (given []*invocation) {
	if failed {
		p.crashes++
		p.broken = why
		p.notBefore = time.Now().Add(min(firstBackoff<<min(p.crashes-1, 10), lastBackoff))
	}
	switch {
	case len(p.waiting) == 0:
	case len(p.instances) > 0:
	case failed || p.closed:
		given, p.waiting = p.waiting, nil
		for _, v := range given {
			v.patience.Stop()
		}
	default:
		p.start()
	}
	return given
}

// Retire implements keeper.Entry: what is free ends, what works may finish.
func (p *pool) Retire() {
	p.mu.Lock()
	p.retired = true
	ends := p.free(func(*instance) bool { return true })
	p.mu.Unlock()
	for _, in := range ends {
		in.stop()
	}
}

// free takes those instances from the idle ones that which says, and that have
// nothing to do.
func (p *pool) free(which func(*instance) bool) (ends []*instance) {
	for in := range p.instances {
		if in.isReady() && len(in.active) == 0 && !in.draining && which(in) {
			in.draining = true
			ends = append(ends, in)
		}
	}
	p.idle = slices.DeleteFunc(p.idle, func(w *worker) bool {
		if slices.Contains(ends, w.instance) {
			w.wake <- nil
			return true
		}
		return false
	})
	return ends
}

// feed starts a process for those who wait.
func (p *pool) feed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > p.starting*p.version.config.Requests && !p.closed && len(p.instances) < p.most() {
		p.start()
	}
}

// sweep ends what has been idle for too long, and keeps what is provisioned. It
// reports whether nothing is left that anybody could ask for by a configuration.
func (p *pool) sweep(now time.Time) (over bool) {
	c := &p.version.config
	p.mu.Lock()
	spare := len(p.instances) - c.Provisioned
	ends := p.free(func(in *instance) bool {
		if spare <= 0 || now.Sub(in.lastUsed) < c.Idle.D() {
			return false
		}
		spare--
		return true
	})
	over = p.retired && len(p.instances) == 0 && len(p.waiting) == 0
	p.mu.Unlock()
	for _, in := range ends {
		in.stop()
	}
	p.provision()
	return over
}

// oldest returns when the process was used that has been free the longest; zero
// where none is.
func (p *pool) oldest() (at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for in := range p.instances {
		if in.isReady() && len(in.active) == 0 && !in.draining && (at.IsZero() || in.lastUsed.Before(at)) {
			at = in.lastUsed
		}
	}
	return at
}

// evict ends the process that has been free since at.
func (p *pool) evict(at time.Time) bool {
	p.mu.Lock()
	ends := p.free(func(in *instance) bool { return in.lastUsed.Equal(at) })
	p.mu.Unlock()
	for _, in := range ends {
		in.stop()
	}
	return len(ends) > 0
}

// close ends everything: the gateway does.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	waiting := p.waiting
	p.waiting = nil
	var all []*instance
	for in := range p.instances {
		all = append(all, in)
	}
	p.mu.Unlock()
	for _, v := range waiting {
		v.patience.Stop()
		v.settle(Result{Outcome: Closed, Detail: "the gateway is ending"})
	}
	for _, in := range all {
		in.stop()
	}
}
