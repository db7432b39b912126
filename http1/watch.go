package http1

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// watch is a connection's context. It ends with the connection, and is told so
// from when somebody first asks in the course of a request: from then on to the
// request's end a goroutine watches whether the client goes away, once the
// request's body has been read.
type watch struct {
	conn *Conn
	gone atomic.Bool
	over chan struct{} // closed when gone

	mu      sync.Mutex
	serving bool // a request is
	clear   bool // its body was read: what comes next is its client's end, or another request
	asked   bool // somebody wants to know
	stopped bool // the goroutine is to end
	ended   chan struct{}
	after   map[int]func()
	next    int

	one  [1]byte
	read int // bytes in one
}

var _ context.Context = (*watch)(nil)

func (w *watch) begin(c *Conn) {
	w.conn, w.over = c, make(chan struct{})
}

// Deadline implements context.Context: a connection has none.
func (w *watch) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (w *watch) Value(any) any { return nil }

// Err implements context.Context.
func (w *watch) Err() error {
	if w.gone.Load() {
		return context.Canceled
	}
	return nil
}

// Done implements context.Context.
func (w *watch) Done() <-chan struct{} {
	w.ask()
	return w.over
}

// AfterFunc calls f on a goroutine of its own when the connection has ended,
// unless stop is called before; package context uses it for children.
func (w *watch) AfterFunc(f func()) (stop func() bool) {
	w.mu.Lock()
	if w.gone.Load() {
		w.mu.Unlock()
		go f()
		return func() bool { return false }
	}
	if w.after == nil {
		w.after = make(map[int]func())
	}
	id := w.next
	w.next++
	w.after[id] = f
	w.mu.Unlock()
	w.ask()
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, waits := w.after[id]
		delete(w.after, id)
		return waits
	}
}

// ask makes somebody watch, as soon as that is possible.
func (w *watch) ask() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = true
	w.start()
}

// serve says that a request is served, and whether its body was read.
func (w *watch) serve(clear bool) {
	w.mu.Lock()
	w.serving, w.clear, w.asked = true, clear, false
	w.mu.Unlock()
}

// mayBegin says that the request's body was read.
func (w *watch) mayBegin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clear = true
	w.start()
}

// start starts the goroutine where it is wanted and possible. Bytes of the next
// request that have been read already say that the client is there. It is
// called with mu held.
func (w *watch) start() {
	if !w.asked || !w.serving || !w.clear || w.ended != nil || w.gone.Load() || w.conn.in.Buffered() > 0 {
		return
	}
	w.stopped, w.ended, w.read = false, make(chan struct{}), 0
	go w.run(w.ended)
}

// run waits until the client sends something, goes away, or stop is called.
func (w *watch) run(ended chan struct{}) {
	defer close(ended)
	for {
		err := w.look()
		if err == nil {
			return
		}
		if !isTimeout(err) {
			w.end()
			return
		}
		w.mu.Lock()
		// The deadline may be that of something before. One that a handler set
		// ends the watch.
		goesOn := !w.stopped && w.conn.deadline.at(time.Time{})
		w.mu.Unlock()
		if !goesOn {
			return
		}
	}
}

// look waits for a byte. Below TLS only reading tells an end from data.
func (w *watch) look() error {
	c := w.conn
	if c.raw == nil {
		n, err := c.net.Read(w.one[:])
		w.read = n
		if n > 0 {
			return nil
		}
		return err
	}
	var found error
	err := c.raw.Read(func(fd uintptr) (there bool) {
		there, found = peek(fd, w.one[:])
		return there
	})
	if err != nil {
		return err
	}
	return found
}

// stop ends the watch with its request.
func (w *watch) stop() {
	w.mu.Lock()
	w.serving, w.asked = false, false
	ended := w.ended
	w.ended, w.stopped = nil, true
	w.mu.Unlock()
	if ended == nil {
		return
	}
	c := w.conn
	c.deadline.past()
	<-ended
	c.deadline.release()
	if w.read > 0 {
		c.in.Preload(w.one[:w.read])
	}
}

// end says that the connection has ended.
func (w *watch) end() {
	w.mu.Lock()
	if w.gone.Swap(true) {
		w.mu.Unlock()
		return
	}
	close(w.over)
	after := w.after
	w.after = nil
	w.mu.Unlock()
	for _, f := range after {
		go f()
	}
}
