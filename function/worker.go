package function

import (
	"sync/atomic"
	"time"
)

// worker is one invoke that a process can do at a time.
type worker struct {
	instance *instance
	wake     chan *invocation // what it is to do; nil where nothing will come
	current  atomic.Pointer[invocation]
	timer    *time.Timer // of the function's timeout
	values   [6]string   // of the head that hands an invocation over
}

// worker returns a worker of the instance that has nothing to do. The pool's lock
// is held.
func (in *instance) worker() *worker {
	if n := len(in.workers); n > 0 {
		w := in.workers[n-1]
		in.workers = in.workers[:n-1]
		return w
	}
	return &worker{instance: in, wake: make(chan *invocation, 1)}
}

// begin sets the time of v running.
func (w *worker) begin(v *invocation) {
	w.current.Store(v)
	patience := w.instance.pool.version.config.Timeout.D()
	if w.timer == nil {
		w.timer = time.AfterFunc(patience, w.expire)
		return
	}
	w.timer.Reset(patience)
}

// end stops it: the worker has nothing to do. The pool's lock is held.
func (w *worker) end() {
	w.current.Store(nil)
	w.timer.Stop()
	w.instance.workers = append(w.instance.workers, w)
}

// expire ends an invocation whose time is over. One that began meanwhile has a
// time of its own.
func (w *worker) expire() {
	v := w.current.Load()
	if v == nil || time.Now().Before(v.expires) {
		return
	}
	p := w.instance.pool
	v.settle(Result{Outcome: TimedOut, Detail: "the function took longer than its timeout of " + p.version.config.Timeout.String()})
	p.log.timedOut(v, w.instance)
	w.instance.expire()
}
