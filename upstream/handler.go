package upstream

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/balance"
	"gatehouse/exchange"
	"gatehouse/http1/wire"
	"gatehouse/upstream/target"
)

// Route is how one route uses a service.
type Route struct {
	Service *Service
	// Retries is how many further targets are tried after one that provably
	// did not process the request.
	Retries int
	// Rewrite appends the path to send, percent-encoded and beginning with
	// "/"; the query follows by itself. Nil sends the canonical path.
	Rewrite func(x *exchange.Exchange, b []byte) []byte
}

// New returns the handler that passes requests on to a route's service. It
// ends the chain: it writes the service's answer or a refusal, or panics with
// http.ErrAbortHandler, x.Aborted set, where the answer has begun and cannot
// be completed.
func New(r Route) http.Handler {
	if r.Service.config.protocol() == target.HTTP1 {
		return &handler{Route: r}
	}
	return newHandler2(r)
}

type handler struct {
	Route
	bulky atomic.Bool // the last answer did not fit into a large buffer
}

// smallBody is up to what length a body is read before a connection is taken,
// and sent with the head by one write.
const smallBody = 16 << 10

// call is one request on its way. Calls are used again: what is large in them
// is their buffers.
type call struct {
	*handler
	x   *exchange.Exchange
	w   http.ResponseWriter
	r   *http.Request
	key uint64

	body    []byte   // a small body, whole
	stream  bool     // the body is not small: it is sent while the answer is awaited
	expects bool     // the client sends its body only when asked to: so does the service get it
	trailer []string // the fields that follow a body of unknown length
	tried   []int    // targets that were tried

	set      *set
	query    balance.Query
	picked   int // of set
	session  session
	held     held
	endpoint *target.Endpoint
	conn     *target.Conn
	keep     bool // the connection may be used again
	asking   bool // the service has not said yet whether it wants the body
	upload   *upload
	cut      bool   // an upload was stopped: the client's connection cannot be read any more
	out      []byte // the request's head, and a small body
	in       *wire.Reader
	clock    clock
	gone     func() bool // stops watching for the client; nil while nobody does

	eager     bool // pass on what there is before waiting for more
	unflushed bool

	one [1]int // the room of tried
}

var calls = sync.Pool{New: func() any { return &call{in: wire.NewReader(), out: make([]byte, 0, 4<<10)} }}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := calls.Get().(*call)
	c.handler, c.w, c.r = h, w, r
	c.x = exchange.From(r)
	defer c.release()
	c.x.Upstream.Service = h.Service.Name()
	if f := c.serve(); f != nil {
		c.fail(f)
	}
}

// release gives up all that the call holds, also after a panic.
func (c *call) release() {
	c.letGo(false)
	in, out, body := c.in, c.out[:0], c.body[:0]
	in.Reset(nil)
	if cap(out) > 64<<10 {
		out = nil
	}
	*c = call{in: in, out: out, body: body}
	calls.Put(c)
}

// serve tries targets until one has answered, or failed in a way that forbids
// to try another.
func (c *call) serve() *failure {
	if f := c.gather(); f != nil {
		return f
	}
	c.key = c.Service.key(c.x, c.r, c.out)
	c.tried = c.one[:0]
	var before *failure
	for left := c.Retries; ; {
		f := c.try(false)
		if f != nil && f.stale && c.replay() {
			f = c.try(true)
		}
		if f != nil && f.crowded && before != nil {
			return before // there is no room for another attempt
		}
		if !c.again(f, left) {
			return f
		}
		left--
		c.letGo(false)
		c.tried = append(c.tried, c.picked)
		before = f
	}
}

// late reports whether there is no time left for another attempt.
func (c *call) late() bool {
	d, ok := c.x.Deadline()
	return ok && !time.Now().Before(d)
}

// gather reads a small body whole, before any connection is held for it.
func (c *call) gather() *failure {
	body := &c.x.Body
	if err := body.Check(); err != nil {
		return c.bodyFailure(err)
	}
	switch n := body.Declared(); {
	case n == 0:
	case n < 0:
		c.stream, c.trailer = true, c.announced()
	case n > smallBody:
		c.stream = true
	default:
		if err := c.readSmall(int(n)); err != nil {
			return c.bodyFailure(err)
		}
	}
	c.expects = c.stream && !body.Begun() && expectsContinue(c.r)
	return nil
}

// try sends the request to one target and passes the answer on. Again says
// that it goes to the same target as before, on a new connection.
func (c *call) try(again bool) *failure {
	if !again {
		if f := c.pick(); f != nil {
			return f
		}
	}
	c.endpoint.Requests.Add(1)
	c.x.Upstream.Attempts++
	if f := c.connect(again); f != nil {
		return f
	}
	if f := c.send(); f != nil {
		return f
	}
	head, f := c.await()
	if f != nil {
		return f
	}
	c.deliver(head)
	return nil
}

// pick chooses a target and counts the request there.
func (c *call) pick() *failure {
	if c.set == nil || c.Service.dynamic {
		c.retarget()
	}
	if c.set == nil {
		if f := c.firstLookup(); f != nil {
			return f
		}
	}
	if f := c.claim(); f != nil {
		return f
	}
	c.endpoint = c.set.endpoints[c.picked]
	c.endpoint.Load.Add(1)
	c.x.Upstream.Target = c.endpoint.Address
	return nil
}

// connect takes an idle connection or opens one.
func (c *call) connect(fresh bool) *failure {
	if !fresh {
		if c.conn = c.endpoint.Idle(); c.conn != nil {
			c.x.Upstream.Reused, c.keep = true, true
			return nil
		}
	}
	c.x.Upstream.Reused = false
	began := time.Now()
	ctx, cancel := c.connectContext(began)
	defer cancel()
	conn, err := c.endpoint.Dial(ctx, c.Service.config.Pool.Max)
	c.x.Upstream.Connect += time.Since(began)
	if err != nil {
		return c.connectFailure(err)
	}
	c.conn, c.keep = conn, true
	return nil
}

// replay makes the request ready to be sent once more to the same target, and
// reports whether it can be.
func (c *call) replay() bool {
	c.drop(false)
	return !c.late() && !c.cut && (!c.stream || c.x.Body.Rewind())
}

// letGo ends the attempt at a target.
func (c *call) letGo(reusable bool) {
	c.drop(reusable)
	if c.endpoint != nil {
		c.endpoint.Load.Add(-1)
		c.endpoint = nil
	}
	if c.Service.guard != nil {
		c.leave()
	}
}

// drop gives the connection back to its pool, where it may be used again, or
// closes it. Nothing else of the call uses it afterwards.
func (c *call) drop(reusable bool) {
	if c.conn == nil {
		return
	}
	reusable = reusable && c.keep
	c.asking = false
	if c.upload != nil {
		complete, cut := c.upload.end(c.w)
		reusable = reusable && complete
		c.cut = c.cut || cut
		c.upload = nil
	}
	if c.gone != nil {
		reusable = c.gone() && reusable
		c.gone = nil
	}
	if reusable {
		p := c.Service.config.Pool
		c.endpoint.Keep(c.conn, c.x.Now(), p.Idle, p.IdleTimeout.D())
	} else {
		c.conn.Discard()
	}
	c.conn = nil
}
