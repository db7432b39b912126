package http1

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/http1/wire"
)

// body is a request's body. Reading it sends 100 Continue to a client that
// waits for that. It ends with os.ErrDeadlineExceeded where it stalls or comes
// too slowly: only the time in which somebody waits for it counts.
//
// One goroutine at a time reads it, which need not be the handler's.
type body struct {
	conn *Conn
	mu   sync.Mutex // held by who reads

	awaited atomic.Bool  // the client waits for 100 Continue
	closed  atomic.Bool  // the handler does not want the rest
	begun   atomic.Bool  // somebody reads it
	failed  atomic.Bool  // it could not be read to its end
	left    atomic.Int64 // bytes known to come; -1 where that is not known, 0 at the end

	waited   time.Duration // for bytes
	received int64
	cut      bool // it was not read to its end: what follows is no request
}

func (b *body) start(q *wire.Request) {
	b.awaited.Store(q.Continue)
	b.left.Store(q.Length)
	b.closed.Store(false)
	b.failed.Store(false)
	b.begun.Store(false)
	b.waited, b.received, b.cut = 0, 0, false
}

var errFailed = errors.New("http1: the body could not be read before")

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case b.left.Load() == 0:
		return 0, io.EOF
	case b.failed.Load():
		return 0, errFailed
	case b.awaited.Load():
		b.conn.answer.invite()
	}
	b.begun.Store(true)
	return b.read(p)
}

// Close implements io.Closer. What is left of the body is the engine's to read.
func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// read reads on. It is called with mu held.
func (b *body) read(p []byte) (int, error) {
	c := b.conn
	var began time.Time
	if c.in.Buffered() == 0 {
		began = b.arm()
	}
	n, err := c.in.ReadBody(p)
	b.received += int64(n)
	if !began.IsZero() {
		b.waited += time.Since(began)
	}
	switch err {
	case nil:
		b.left.Store(c.in.Left())
	case io.EOF:
		b.complete()
	default:
		b.failed.Store(true)
		if isTimeout(err) {
			c.owner.SlowBody()
		}
	}
	return n, err
}

// complete takes the trailer over and lets the watch for the client begin.
func (b *body) complete() {
	b.left.Store(0)
	r := b.conn.request
	switch t := b.conn.in.Trailer(); {
	case t == nil:
	case r.Trailer == nil:
		r.Trailer = t
	default:
		maps.Copy(r.Trailer, t) // so that who copied the request sees it too
	}
	b.conn.watch.mayBegin()
}

// arm sets the read deadline by the stall time, and no later than the average
// rate leaves, which counts once the stall time is used up. It returns the
// time.
func (b *body) arm() time.Time {
	s, now := &b.conn.server.Settings, time.Now()
	if s.BodyTimeout <= 0 {
		b.conn.deadline.at(time.Time{})
		return now
	}
	patience := s.BodyTimeout
	if s.BodyRate > 0 {
		due := time.Duration(float64(b.received) / float64(s.BodyRate) * float64(time.Second))
		patience = min(patience, max(patience, due)-b.waited)
	}
	b.conn.deadline.atLeast(now, patience)
	return now
}

// maxDrain is how much of a body that the handler left is read, so that the
// connection can be used again.
const maxDrain = 256 << 10

// rest reports whether another request can be expected behind the body: it was
// read, or somebody reads it, or finish will.
func (b *body) rest() bool {
	left := b.left.Load()
	switch {
	case left == 0:
		return true
	case b.failed.Load() || b.awaited.Load():
		return false
	}
	return left <= maxDrain || b.begun.Load()
}

// finish reads what the handler left, and reports whether the next request
// follows.
func (b *body) finish() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn.deadline.release()
	if b.left.Load() == 0 {
		return true
	}
	b.cut = true
	if b.failed.Load() || b.awaited.Load() || b.left.Load() > maxDrain {
		return false
	}
	buf := wire.Buffer(wire.SmallBuffer)
	defer wire.Recycle(buf)
	for total := 0; total <= maxDrain; {
		n, err := b.read(buf)
		total += n
		if err != nil {
			b.cut = err != io.EOF
			break
		}
	}
	return !b.cut
}
