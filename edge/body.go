package edge

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// guardBody makes a request's body end with a timeout (408) where it stalls or
// comes too slowly. Only the time that somebody waits for the body counts:
// while the gateway itself does not read, the client is not to blame.
func guardBody(c *conn, w http.ResponseWriter, r *http.Request) {
	stall := c.policy.settings.bodyTimeout
	if stall <= 0 || r.Body == nil || r.Body == http.NoBody {
		return
	}
	g := &guard{body: r.Body, conn: c, stall: stall, rate: c.policy.settings.bodyRate}
	if !c.h2 {
		g.deadline, _ = w.(readDeadliner)
		// What the handler leaves unread, the engine reads: that is to end too.
		g.arm(time.Now())
	}
	r.Body = g
}

// readDeadliner is what net/http's writers offer to http.ResponseController.
type readDeadliner interface{ SetReadDeadline(time.Time) error }

// guard is a request's body under time limits.
type guard struct {
	body     io.ReadCloser
	conn     *conn
	stall    time.Duration
	rate     int64         // bytes a second; 0 for any
	waited   time.Duration // in Read
	received int64

	deadline readDeadliner // HTTP/1: the connection's read deadline
	until    time.Time     // what it was set to; zero for none

	mu    sync.Mutex // HTTP/2: between Read and timer
	timer *time.Timer
	late  bool
	busy  bool
}

func (g *guard) Read(p []byte) (int, error) {
	start := time.Now()
	if g.conn.h2 {
		g.watch(g.patience())
	} else {
		g.arm(start)
	}
	n, err := g.body.Read(p)
	g.waited += time.Since(start)
	g.received += int64(n)
	if g.conn.h2 {
		err = g.unwatch(err)
	} else if err == io.EOF {
		g.disarm()
	}
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		g.conn.listener.counters.SlowBodies.Add(1)
	}
	return n, err
}

func (g *guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.body.Close()
}

// patience is how long the next bytes may take: the stall time, and no longer
// than the average rate leaves, which counts once the stall time is used up.
func (g *guard) patience() time.Duration {
	if g.rate <= 0 {
		return g.stall
	}
	due := time.Duration(float64(g.received) / float64(g.rate) * float64(time.Second))
	return min(g.stall, max(g.stall, due)-g.waited)
}

// arm sets the connection's read deadline, a quarter of the stall time late,
// so that a body that flows sets it seldom.
func (g *guard) arm(now time.Time) {
	if g.deadline == nil {
		return
	}
	slack := g.stall / 4
	due := now.Add(g.patience())
	if !g.until.Before(due) && g.until.Sub(due) <= slack {
		return
	}
	g.until = due.Add(slack)
	_ = g.deadline.SetReadDeadline(g.until)
}

// disarm lets the engine watch for the client's going away without a deadline.
func (g *guard) disarm() {
	if g.deadline != nil && !g.until.IsZero() {
		g.until = time.Time{}
		_ = g.deadline.SetReadDeadline(time.Time{})
	}
}

// watch starts the timer of one Read on HTTP/2, whose own read deadline
// would go on while nobody reads, and be final.
func (g *guard) watch(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = true
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.expire)
	} else {
		g.timer.Reset(d)
	}
}

func (g *guard) unwatch(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	g.timer.Stop()
	if g.late && err != nil {
		return os.ErrDeadlineExceeded
	}
	return err
}

// expire ends a Read that waits too long by closing the body.
func (g *guard) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.busy {
		return
	}
	g.late = true
	_ = g.body.Close()
}
