package http1

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/http1/socket"
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
	serving bool          // a request is
	clear   bool          // its body was read: what comes next is its client's end, or another request
	asked   bool          // somebody wants to know
	stopped bool          // the goroutine is to end
	ended   chan struct{} // closed when it has
	enough  chan struct{} // closed when it is to
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
	w.stopped, w.ended, w.enough, w.read = false, make(chan struct{}), make(chan struct{}), 0
	go w.run(w.ended)
}

// run waits until the client sends something, goes away, or stop is called.
func (w *watch) run(ended chan struct{}) {
	defer close(ended)
	if w.conn.raw != nil {
		w.patrol()
		return
	}
	for {
		n, err := w.conn.net.Read(w.one[:])
		if w.read = n; n > 0 {
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

// How often a patrol looks: ever more seldom, since a request that has taken
// its time will take more.
const (
	patrolFirst = 5 * time.Millisecond
	patrolLast  = 500 * time.Millisecond
)

// patrol looks now and then. Reading is not its own to do: a request may be
// served within a turn.
func (w *watch) patrol() {
	pause := patrolFirst
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.enough:
			return
		}
		there, err := w.peek()
		if err != nil {
			w.end()
		}
		if there || err != nil {
			return
		}
		pause = min(2*pause, patrolLast)
		timer.Reset(pause)
	}
}

// peek looks whether the client has sent something, or its end.
func (w *watch) peek() (there bool, err error) {
	failed := w.conn.raw.Control(func(fd uintptr) { err = socket.Peek(fd) })
	switch {
	case failed != nil:
		return false, failed
	case err == syscall.EAGAIN:
		return false, nil
	}
	return err == nil, err
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
	close(w.enough)
	c := w.conn
	if c.raw == nil {
		c.deadline.past()
	}
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
