package edge

import (
	"context"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// engine serves the connections of one listener under one set of settings:
// one server for HTTP/1 and one for HTTP/2, since they end in different ways.
// A change of settings makes a new engine; the old one serves its connections
// to their end.
type engine struct {
	listener *listener
	settings settings
	h1, h2   *http.Server
	conns1   *handOver
	conns2   *handOver
	retired  atomic.Bool
}

// handOver is the net.Listener through which a server gets its connections.
type handOver struct {
	conns chan net.Conn
	addr  net.Addr
	once  sync.Once
	done  chan struct{}
}

func newHandOver(addr net.Addr) *handOver {
	return &handOver{conns: make(chan net.Conn), addr: addr, done: make(chan struct{})}
}

// give hands a connection over, and reports whether a server took it.
func (h *handOver) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

func (h *handOver) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handOver) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handOver) Addr() net.Addr { return h.addr }

// engineSlop is what net/http adds to MaxHeaderBytes when it reads HTTP/1.
const engineSlop = 4096

// frameSize is the largest HTTP/2 frame that is taken, the least that a server
// must (RFC 9113 section 4.2): the engine reserves a frame's whole length as soon
// as its first nine bytes are there, for every connection of every stranger.
const frameSize = 16 << 10

func newEngine(l *listener, s settings) *engine {
	e := &engine{
		listener: l, settings: s,
		conns1: newHandOver(l.socket.Addr()), conns2: newHandOver(l.socket.Addr()),
	}
	e.h1, e.h2 = e.server(), e.server()
	e.h1.Protocols.SetHTTP1(true)
	e.h1.ConnState = func(c net.Conn, state http.ConnState) { connOf(c).changed(state) }
	e.h2.Protocols.SetHTTP2(true)
	// Check refuses what is over the limit, which the engine would answer
	// without telling anybody; it only has to stop what is far over.
	e.h2.MaxHeaderBytes = 2 * s.header
	e.h2.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: s.streams,
		MaxReadFrameSize:     frameSize,
		CountError:           func(string) { l.counters.HTTP2Errors.Add(1) },
	}
	l.engines.Go(func() { _ = e.h1.Serve(e.conns1) })
	l.engines.Go(func() { _ = e.h2.Serve(e.conns2) })
	return e
}

func (e *engine) server() *http.Server {
	return &http.Server{
		Handler:                      e,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like any other
		ReadHeaderTimeout:            e.settings.headerTimeout,
		IdleTimeout:                  e.settings.idleTimeout,
		MaxHeaderBytes:               max(e.settings.header-engineSlop, 1),
		Protocols:                    new(http.Protocols),
		ErrorLog:                     log.New(engineLog{e.listener}, "", 0),
		BaseContext:                  func(net.Listener) context.Context { return e.listener.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return connContext{ctx, connOf(c)}
		},
	}
}

// ServeHTTP passes a request on to the root.
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := fromContext(r.Context())
	c.serving.Store(true)
	guardBody(c, w, r)
	if patience := c.policy.settings.writeTimeout; c.h2 && patience > 0 {
		s := &streamWriter{ResponseWriter: w, patience: patience}
		defer s.end()
		w = s
	}
	e.listener.handler.ServeHTTP(w, r)
}

// sweepEvery is the time between two looks at the connections that are to end.
// A connection that waits for its next request may go on waiting for a few of
// them: a client that uses it in that time gets its answer, and with it the
// word that the connection ends; one that does not is hardly about to send a
// request in the moment of closing.
const sweepEvery = 100 * time.Millisecond

// announce makes every answer from now on say that its connection ends.
func (e *engine) announce() { e.retired.Store(true) }

// retire makes the engine's connections end: with their next answer, or soon
// where they wait. It does not block.
func (e *engine) retire() {
	e.announce()
	// HTTP/2 says GOAWAY, which loses nothing.
	e.listener.engines.Go(func() { _ = e.h2.Shutdown(e.listener.ctx) })
	e.listener.engines.Go(e.endWaiting)
}

// endWaiting ends HTTP/1 connections that wait. http.Server.Shutdown would drop
// requests that it has read but not begun, so the server is closed when it
// serves nothing any more.
func (e *engine) endWaiting() {
	defer func() { _ = e.h1.Close() }()
	every := sweepEvery
	timer := time.NewTimer(every)
	defer timer.Stop()
	for n := 0; e.sweep() > 0; n++ {
		select {
		case <-timer.C:
		case <-e.listener.ctx.Done():
			return
		}
		if n == 10*sweeps {
			every = time.Second // what is left takes its time
		}
		timer.Reset(every)
	}
}

// sweep looks at every HTTP/1 connection, and returns how many there are.
func (e *engine) sweep() int {
	left := 0
	e.listener.each(func(c *conn) {
		if c.engine.Load() != e || c.h2 || c.hijacked.Load() {
			return
		}
		left++
		c.endIfWaiting()
	})
	return left
}

// engineLog takes what net/http reports as text.
type engineLog struct{ listener *listener }

func (l engineLog) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	l.listener.counters.EngineErrors.Add(1)
	if strings.HasSuffix(text, "COMPRESSION_ERROR") {
		l.listener.counters.HTTP2Errors.Add(1) // headers far over the limit, of which CountError is not told
	}
	if strings.HasPrefix(text, "http: panic") || strings.HasPrefix(text, "http2: panic") {
		l.listener.log.Error("a handler panicked", "panic", text)
	} else {
		l.listener.log.Debug("http engine", "error", text)
	}
	return len(p), nil
}
