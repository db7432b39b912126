package edge

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// guardBody makes the body of a request by HTTP/2 end with a timeout (408)
// where it stalls or comes too slowly, as the HTTP/1 engine does for its own.
// Only the time that somebody waits for the body counts: while the gateway
// itself does not read, the client is not to blame.
func guardBody(c *conn, r *http.Request) {
	stall := c.policy.settings.bodyTimeout
	if stall <= 0 || r.Body == nil || r.Body == http.NoBody {
		return
	}
	r.Body = &guard{body: r.Body, conn: c, stall: stall, rate: c.policy.settings.bodyRate}
}

// guard is a request's body under time limits. The engine's own read deadline
// would go on while nobody reads, and be final.
type guard struct {
	body     io.ReadCloser
	conn     *conn
	stall    time.Duration
	rate     int64         // bytes a second; 0 for any
	waited   time.Duration // in Read
	received int64
	lifted   bool

	mu    sync.Mutex // between Read and timer
	timer *time.Timer
	late  bool
	busy  bool
}

func (g *guard) Read(p []byte) (int, error) {
	if g.lifted {
		return g.body.Read(p)
	}
	start := time.Now()
	g.watch(g.patience())
	n, err := g.body.Read(p)
	g.waited += time.Since(start)
	g.received += int64(n)
	err = g.unwatch(err)
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

// Patient lifts the limits. Nobody reads at the time.
func (g *guard) Patient() { g.lifted = true }

// patience is how long the next bytes may take: the stall time, and no longer
// than the average rate leaves, which counts once the stall time is used up.
func (g *guard) patience() time.Duration {
	if g.rate <= 0 {
		return g.stall
	}
	due := time.Duration(float64(g.received) / float64(g.rate) * float64(time.Second))
	return min(g.stall, max(g.stall, due)-g.waited)
}

// watch starts the timer of one Read.
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
