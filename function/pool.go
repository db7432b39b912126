package function

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxWaiting is how many invokes of one function may wait for a process.
const maxWaiting = 1024

// pool are the processes of one version of a function. What waits is served in
// the order in which it came; of the processes that are free the one that was
// used last goes first, so that the others grow old.
type pool struct {
	keeper   *Keeper
	launcher Launcher
	version  *version
	log      *logFile

	mu        sync.Mutex
	idle      []*worker // the one used last at the end
	waiting   []*invocation
	instances map[*instance]struct{} // those that start among them
	starting  int
	running   int  // invokes that processes have
	returning int  // workers that have answered and not asked for more yet
	retired   bool // no configuration names it: nothing is kept warm
	closed    bool
	crashes   int       // starts in a row that failed
	notBefore time.Time // when the next one may be tried
	broken    string    // why the last one failed
}

// invoke has the function work on an event, and waits for what comes of it.
func (p *pool) invoke(i Invoke) Result {
	v := newInvocation(i)
	if refused := p.enter(v); refused != nil {
		return *refused
	}
	p.await(v)
	return v.result
}

// await waits until there is a result, or whoever asks stops waiting.
func (p *pool) await(v *invocation) {
	c := &p.version.config
	longest := c.Timeout.D() + c.Queue.D() + c.Init.D()
	if v.Until.IsZero() || v.Until.After(v.arrived.Add(longest)) {
		<-v.done
		return
	}
	timer := time.NewTimer(time.Until(v.Until))
	defer timer.Stop()
	select {
	case <-v.done:
		return
	case <-timer.C:
	}
	p.mu.Lock()
	p.unqueue(v)
	v.settle(Result{Outcome: Abandoned, Detail: "the route's time was over before the function's"})
	p.mu.Unlock()
	<-v.done
}

// enter gives v to a process that is free, or queues it; where neither can be it
// returns why.
func (p *pool) enter(v *invocation) *Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 && p.running < p.version.config.Concurrency && !p.closed {
		w := p.idle[n-1]
		p.idle[n-1], p.idle = nil, p.idle[:n-1]
		p.hand(w, v)
		w.wake <- v
		return nil
	}
	if refused := p.refuse(); refused != nil {
		return refused
	}
	patience := p.version.config.Queue.D()
	if p.hasRoom() {
		patience = max(patience, returning)
	}
	p.waiting = append(p.waiting, v)
	v.patience = time.AfterFunc(patience, func() { p.overdue(v) })
	return nil
}

// returning is how long a process that has answered may take to ask for more work.
const returning = time.Second

// turnaround is how long a process usually takes for that at most: one more is not
// started before.
const turnaround = 5 * time.Millisecond

// hasRoom reports whether fewer invokes are under way and waiting than may be at
// once: a process starts, or is about to ask for more.
func (p *pool) hasRoom() bool { return p.running+len(p.waiting) < p.version.config.Concurrency }

// refuse starts a process where one more is needed and may be, and says why an
// invoke cannot wait.
func (p *pool) refuse() *Result {
	c := &p.version.config
	switch {
	case p.closed:
		return &Result{Outcome: Closed, Detail: "the gateway is ending"}
	case c.Concurrency == 0:
		return &Result{Outcome: Throttled, Detail: "concurrency: 0 switches the function off"}
	case len(p.waiting) >= maxWaiting:
		return &Result{Outcome: Throttled, Detail: fmt.Sprintf("%d invokes wait already", maxWaiting)}
	}
	wait := time.Until(p.notBefore)
	if wait > 0 && len(p.instances) == 0 {
		return &Result{Outcome: NotStarted, Detail: fmt.Sprintf("the last %d starts failed (%s); the next one is in %v", p.crashes, p.broken, wait.Round(time.Millisecond))}
	}
	switch coming := p.starting * c.Requests; {
	case wait > 0 || coming > len(p.waiting) || len(p.instances) >= p.most():
	case coming+p.returning > len(p.waiting):
		time.AfterFunc(turnaround, p.feed) // should none of them come
	default:
		p.start()
	}
	if c.Queue == 0 && !p.hasRoom() {
		return &Result{Outcome: Throttled, Detail: fmt.Sprintf("all %d are busy", c.Concurrency)}
	}
	return nil
}

// most is how many processes the function may have.
func (p *pool) most() int {
	c := &p.version.config
	return (c.Concurrency + c.Requests - 1) / c.Requests
}

// overdue ends the wait of an invocation that no process has taken in time. While
// one starts it is waited for.
func (p *pool) overdue(v *invocation) {
	const look = 100 * time.Millisecond
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.waiting, v); at >= 0 && at < p.starting*p.version.config.Requests {
		v.patience.Reset(look)
		return
	}
	if p.unqueue(v) {
		v.settle(Result{Outcome: Throttled, Detail: fmt.Sprintf("all processes were busy for %v", p.version.config.Queue)})
	}
}

// unqueue takes v out of the queue, and reports whether it was there.
func (p *pool) unqueue(v *invocation) bool {
	at := slices.Index(p.waiting, v)
	if at < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, at, at+1)
	v.patience.Stop()
	return true
}

// ready says that a process has room for one more invoke, and returns who does it
// and what it is; nil where it has to wait for that. It reports false where nothing
// will come any more.
func (p *pool) ready(in *instance) (*worker, *invocation, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started(in)
	if in.returning > 0 {
		in.returning--
		p.returning--
	}
	if in.draining || in.dead || p.closed || p.retired && len(p.waiting) == 0 {
		in.draining = true
		return nil, nil, false
	}
	w := in.worker()
	for len(p.waiting) > 0 && p.running < p.version.config.Concurrency {
		v := p.waiting[0]
		p.waiting[0], p.waiting = nil, p.waiting[1:]
		v.patience.Stop()
		if v.settled.Load() {
			continue
		}
		p.hand(w, v)
		return w, v, true
	}
	p.idle = append(p.idle, w)
	return w, nil, true
}

// hand makes v the work of w.
func (p *pool) hand(w *worker, v *invocation) {
	in := w.instance
	v.begun = time.Now()
	v.expires = v.begun.Add(p.version.config.Timeout.D())
	v.cold = !in.used && v.arrived.Before(in.readyAt)
	in.used, in.lastUsed = true, v.begun
	v.worker = w
	in.active[v.ID] = v
	p.running++
	w.begin(v)
}

// again puts v at the head of the queue: its process never got it.
func (p *pool) again(v *invocation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in := v.worker.instance; in.active[v.ID] != v || v.claimed {
		return
	}
	p.drop(v)
	if v.settled.Load() {
		return
	}
	v.worker = nil
	if v.patience == nil {
		v.patience = time.AfterFunc(p.version.config.Queue.D(), func() { p.overdue(v) })
	}
	p.waiting = slices.Insert(p.waiting, 0, v)
	if len(p.instances) < p.most() {
		p.start()
	}
}

// drop takes v from who has it.
func (p *pool) drop(v *invocation) {
	in := v.worker.instance
	if in.active[v.ID] != v {
		return
	}
	delete(in.active, v.ID)
	p.running--
	in.lastUsed = time.Now()
	v.worker.end()
}

// finish is drop with what follows from it.
func (p *pool) finish(v *invocation) {
	p.mu.Lock()
	in := v.worker.instance
	if in.active[v.ID] == v {
		p.drop(v)
		in.returning++
		p.returning++
	}
	ends := (in.draining || p.retired) && len(in.active) == 0
	in.draining = in.draining || ends
	p.mu.Unlock()
	if ends {
		in.stop()
	}
}

// find returns the invocation of an instance that has an id, and claims it for
// one answer. Nobody else gets it then.
func (p *pool) find(in *instance, id string) (v *invocation, claimed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v = in.active[id]
	if v == nil || v.claimed {
		return v, false
	}
	v.claimed = true
	return v, true
}
