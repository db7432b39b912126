package acme

import (
	"context"
	"sync"
)

// work counts goroutines. Unlike a sync.WaitGroup it can be waited for within a
// time, and take new ones though somebody waits.
type work struct {
	mu    sync.Mutex
	n     int
	ended chan struct{} // closed when none runs any more; nil where nobody waits
}

// Go runs f on a goroutine of its own.
func (w *work) Go(f func()) {
	w.mu.Lock()
	w.n++
	w.mu.Unlock()
	go func() {
		defer w.done()
		f()
	}()
}

func (w *work) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n--
	if w.n == 0 && w.ended != nil {
		close(w.ended)
		w.ended = nil
	}
}

// wait returns once none runs, or ctx ends, and reports which.
func (w *work) wait(ctx context.Context) bool {
	w.mu.Lock()
	if w.n == 0 {
		w.mu.Unlock()
		return true
	}
	if w.ended == nil {
		w.ended = make(chan struct{})
	}
	ended := w.ended
	w.mu.Unlock()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		return false
	}
}
