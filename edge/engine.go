package edge

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/http1"
)

// engine serves the connections of one listener under one set of settings:
// HTTP/1 by our own engine, HTTP/2 by the standard library's. A change of
// settings makes a new engine; the old one serves its connections to their end.
type engine struct {
	listener *listener
	settings settings
	h1       *http1.Server
	h2       *http.Server
	conns2   *handOver
	retired  atomic.Bool
}

// handOver is the net.Listener through which the HTTP/2 server gets its
// connections.
type handOver struct {
	conns chan net.Conn
	addr  net.Addr
	once  sync.Once
	done  chan struct{}
}

func newHandOver(addr net.Addr) *handOver {
	return &handOver{conns: make(chan net.Conn), addr: addr, done: make(chan struct{})}
}

// give hands a connection over, and reports whether the server took it.
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

// maxFields is how many fields a request by HTTP/1 may have.
const maxFields = 256

// frameSize is the largest HTTP/2 frame that is taken, the least that a server
// must (RFC 9113 section 4.2): the engine reserves a frame's whole length as soon
// as its first nine bytes are there, for every connection of every stranger.
const frameSize = 16 << 10

func newEngine(l *listener, s settings) *engine {
	e := &engine{listener: l, settings: s, conns2: newHandOver(l.socket.Addr())}
	e.h1 = &http1.Server{
		Handler: l.handler,
		Settings: http1.Settings{
			Head: s.header, Fields: maxFields,
			HeaderTimeout: s.headerTimeout, IdleTimeout: s.idleTimeout,
			BodyTimeout: s.bodyTimeout, BodyRate: s.bodyRate,
		},
	}
	e.h2 = &http.Server{
		Handler:                      e,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like any other
		ReadHeaderTimeout:            s.headerTimeout,
		IdleTimeout:                  s.idleTimeout,
		// Check refuses what is over the limit, which the engine would answer
		// without telling anybody; it only has to stop what is far over.
		MaxHeaderBytes: 2 * s.header,
		Protocols:      new(http.Protocols),
		ErrorLog:       log.New(engineLog{l}, "", 0),
		BaseContext:    func(net.Listener) context.Context { return l.ctx },
		ConnContext:    func(ctx context.Context, c net.Conn) context.Context { return h2Context{ctx, connOf(c)} },
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: s.streams,
			MaxReadFrameSize:     frameSize,
			CountError:           func(string) { l.counters.HTTP2Errors.Add(1) },
		},
	}
	e.h2.Protocols.SetHTTP2(true)
	l.engines.Go(func() { _ = e.h2.Serve(e.conns2) })
	return e
}

// serve takes a connection in: c, or the TLS connection on it. It reports
// false where the engine takes none any more.
func (e *engine) serve(c *conn, served net.Conn) bool {
	c.engine.Store(e)
	if c.h2 {
		return e.conns2.give(served)
	}
	first := c.pending
	if served == net.Conn(c) {
		c.pending = nil // below TLS they are read by it
	} else {
		first = nil
	}
	h1 := e.h1.NewConn(served, owner{c})
	if c.policy.order {
		h1.KeepOrder()
		c.info.Order = h1.HeaderOrder
	}
	c.served.Store(h1)
	e.listener.engines.Go(func() { h1.Serve(first) })
	return true
}

// ServeHTTP passes a request by HTTP/2 on to the root.
func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := fromContext(r.Context())
	if patience := c.policy.settings.writeTimeout; patience > 0 {
		s := &streamWriter{ResponseWriter: w, patience: patience}
		defer s.end()
		w = s
	}
	w = extendedConnect(w, r)
	guardBody(c, r)
	e.listener.handler.ServeHTTP(w, r)
}

// sweepEvery is the time between two looks at the connections that are to end.
// A connection that waits for its next request may go on waiting for sweeps of
// them: a client that uses it in that time gets its answer, and with it the
// word that the connection ends; one that does not is hardly about to send a
// request in the moment of closing.
const (
	sweepEvery = 100 * time.Millisecond
	sweeps     = 5
)

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

// endWaiting ends HTTP/1 connections that wait, until none is left.
func (e *engine) endWaiting() {
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
		s := c.served.Load()
		if c.engine.Load() != e || s == nil || c.hijacked.Load() {
			return
		}
		left++
		s.EndIfWaiting(sweeps)
	})
	return left
}

// engineLog takes what net/http reports as text.
type engineLog struct{ listener *listener }

func (l engineLog) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	if strings.HasPrefix(text, "http: panic") || strings.HasPrefix(text, "http2: panic") {
		l.listener.panicked(text)
		return len(p), nil
	}
	l.listener.counters.EngineErrors.Add(1)
	if strings.HasSuffix(text, "COMPRESSION_ERROR") {
		l.listener.counters.HTTP2Errors.Add(1) // headers far over the limit, of which CountError is not told
	}
	l.listener.log.Debug("http engine", "error", text)
	return len(p), nil
}

// panicked notes a panic that came as far as the engine.
func (l *listener) panicked(cause any) {
	l.counters.EngineErrors.Add(1)
	l.log.Error("a handler panicked", "panic", fmt.Sprint(cause))
}
