package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/exchange"
	"gatehouse/http1"
)

// listener is one socket with its accept loop and its connections. It is the
// Entry of the keeper, kept as long as configurations name its address.
type listener struct {
	key      string
	socket   *net.TCPListener
	handler  http.Handler
	policyOf func(key string) *Policy
	refused  func(conn *exchange.Conn, status int, reason, detail string) *exchange.Exchange
	log      *slog.Logger
	owner    *Listeners
	counters Counters

	ctx      context.Context // of every request; ends when the listener is killed or done
	cancel   context.CancelFunc
	addrs    perAddress
	welcomes sync.WaitGroup // connections between accept and hand-over
	engines  sync.WaitGroup // goroutines of engines
	started  bool
	ending   atomic.Bool   // nobody is accepted any more
	loop     chan struct{} // closed when the accept loop has ended
	done     chan struct{} // closed when nothing of the listener is left

	saidError, saidFull time.Time // when the log was last told; the accept loop's alone

	mu     sync.Mutex
	policy *Policy // the last one seen
	engine *engine
	conns  map[*conn]struct{}
	empty  chan struct{} // closed when retired and without connections; nil before
}

func (l *listener) start() {
	if l.started {
		l.refresh()
		return
	}
	l.started = true
	l.refresh()
	go l.accept()
}

// refresh makes new connections come under the present policy.
func (l *listener) refresh() {
	p := l.current()
	if p == nil {
		return
	}
	l.mu.Lock()
	old := l.engine
	if old != nil && old.settings == p.settings {
		l.mu.Unlock()
		return
	}
	l.engine = newEngine(l, p.settings)
	l.mu.Unlock()
	if old != nil {
		old.retire()
	}
}

// current returns the policy in force, or the last one where the address is
// in no configuration any more but connections still arrive.
func (l *listener) current() *Policy {
	p := l.policyOf(l.key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if p == nil {
		return l.policy
	}
	l.policy = p
	return p
}

// lastCall is how long a closing listener goes on accepting what the kernel
// has already queued, which closing the socket would reset.
const lastCall = 20 * time.Millisecond

// accept is the listener's loop. It ends when the socket's deadline, which
// retiring sets, passes.
func (l *listener) accept() {
	defer close(l.loop)
	var pause time.Duration
	for {
		tcp, err := l.socket.AcceptTCP()
		if err == nil {
			pause = 0
			l.arrived(tcp)
			continue
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, net.ErrClosed) {
			return
		}
		l.counters.AcceptErrors.Add(1)
		if rarely(&l.saidError) {
			l.log.Warn("cannot accept connections; trying again", "listener", l.key, "error", err, "times", l.counters.AcceptErrors.Load())
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
			return
		}
	}
}

// arrived takes in one connection, or closes it where it is one too many.
func (l *listener) arrived(tcp *net.TCPConn) {
	l.counters.Accepted.Add(1)
	p := l.current()
	if p == nil {
		drop(tcp)
		return
	}
	c := l.newConn(tcp, p)
	if c == nil {
		drop(tcp)
		l.warnFull()
		return
	}
	l.welcomes.Add(1)
	if p.tls == nil && p.settings.proxyProtocol == proxyOff {
		defer l.welcomes.Done()
		l.handOver(c, c, false)
		return
	}
	go func() {
		defer l.welcomes.Done()
		l.welcome(c)
	}()
}

// warnEvery is how often what strangers can bring about at will is worth a line
// in the log.
const warnEvery = time.Minute

// rarely reports whether warnEvery has passed since it last said so.
func rarely(last *time.Time) bool {
	now := time.Now()
	if now.Sub(*last) < warnEvery {
		return false
	}
	*last = now
	return true
}

func (l *listener) warnFull() {
	if rarely(&l.saidFull) {
		l.log.Warn("connections are refused for being too many", "listener", l.key,
			"open", l.counters.Active.Load(), "refused-in-all", l.counters.RefusedLimit.Load(), "refused-per-address", l.counters.RefusedAddress.Load())
	}
}

// drop closes a connection without the courtesies, which would keep memory in
// the kernel for a stranger.
func drop(tcp *net.TCPConn) {
	_ = tcp.SetLinger(0)
	_ = tcp.Close()
}

// newConn enters a connection in the books; nil where there is no room.
func (l *listener) newConn(tcp *net.TCPConn, p *Policy) *conn {
	peer := addrPort(tcp.RemoteAddr())
	c := &conn{Conn: tcp, tcp: tcp, listener: l, policy: p}
	c.info = exchange.Conn{Listener: p.Address, Peer: peer, Source: peer, Trusted: p.Trusts(peer.Addr()), TLS: p.TLS}
	// A trusted proxy speaks for many clients: its own address is not counted.
	if !c.info.Trusted && !l.count(c, peer.Addr()) {
		return nil
	}
	l.mu.Lock()
	if len(l.conns) >= p.settings.connections {
		l.mu.Unlock()
		l.counters.RefusedLimit.Add(1)
		l.uncount(c)
		return nil
	}
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	l.counters.Active.Add(1)
	setWriteTimeout(tcp, p.settings.writeTimeout)
	return c
}

// forget takes a closed connection out of the books.
func (l *listener) forget(c *conn) {
	l.uncount(c)
	l.counters.Active.Add(-1)
	if c.hijacked.Load() {
		l.counters.Hijacked.Add(-1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	if l.empty != nil && len(l.conns) == 0 {
		close(l.empty)
		l.empty = nil
	}
}

// each calls f for every connection; f must not close it.
func (l *listener) each(f func(*conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
}

// handOver gives a connection to the engine: c, or the TLS connection on it.
func (l *listener) handOver(c *conn, served net.Conn, h2 bool) {
	c.h2 = h2
	c.describe()
	var tried *engine
	for {
		l.mu.Lock()
		e := l.engine
		l.mu.Unlock()
		if e == tried {
			_ = served.Close()
			return
		}
		if e.serve(c, served) {
			return
		}
		tried = e
	}
}

// Retire stops accepting, and lets connections end as engine.retire says.
func (l *listener) Retire() {
	if !l.started {
		_ = l.socket.Close()
		l.cancel()
		close(l.done)
		return
	}
	l.owner.closing.Add(1)
	_ = l.socket.SetDeadline(time.Now().Add(lastCall))
	l.mu.Lock()
	if l.engine != nil {
		l.engine.announce()
	}
	l.mu.Unlock()
	go l.end()
}

func (l *listener) end() {
	<-l.loop
	_ = l.socket.Close()
	l.owner.closing.Done()
	l.hurryWelcomes()
	l.welcomes.Wait()
	l.mu.Lock()
	last := l.engine
	empty := make(chan struct{})
	if len(l.conns) == 0 {
		close(empty)
	} else {
		l.empty = empty
	}
	l.mu.Unlock()
	if last != nil {
		last.retire()
	}
	<-empty
	l.engines.Wait()
	l.cancel()
	close(l.done)
}

// kill closes every connection at once, and only then ends their requests, so
// that none of them has half an answer for a whole one.
func (l *listener) kill() {
	defer l.cancel()
	l.mu.Lock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.kill()
	}
}

// engineRefused counts a request that the HTTP/1 engine refused by itself, and
// returns what the client is told.
func (l *listener) engineRefused(c *conn, f http1.Fault) (http.Header, []byte) {
	switch f.Status {
	case http.StatusRequestHeaderFieldsTooLarge, http.StatusRequestURITooLong:
		l.counters.LargeHeaders.Add(1)
	case http.StatusRequestTimeout:
		l.counters.SlowHeaders.Add(1)
	default:
		l.counters.BadRequests.Add(1)
	}
	return l.tell(c, f).Answer()
}

// tell tells of a request that never reached the handler, and returns its
// record.
func (l *listener) tell(c *conn, f http1.Fault) *exchange.Exchange {
	l.log.Debug("refused by the http engine", "listener", l.key, "client", c.info.Source, "status", f.Status, "reason", f.Reason, "detail", f.Detail)
	return l.refused(&c.info, f.Status, f.Reason, f.Detail)
}
