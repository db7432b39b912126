package target

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Protocol is what is spoken to an endpoint.
type Protocol uint8

// The protocols.
const (
	HTTP1 Protocol = iota
	HTTP2          // over TLS, or by prior knowledge without
	Auto           // over TLS, what the two sides agree on
)

// ErrNoHTTP2 says that an endpoint that is to speak HTTP/2 did not agree to.
var ErrNoHTTP2 = errors.New("the service does not agree to HTTP/2 (ALPN)")

// HTTP2Options bound the connections by HTTP/2 to an endpoint.
type HTTP2Options struct {
	Spread int           // connections that requests are spread over, since each works on one core
	Most   int           // connections in all; 0 for no limit
	Idle   time.Duration // after which one without a request is closed
}

// busy is how many requests a connection has when another one is worth it.
const busy = 8

// mux is an endpoint's connections by HTTP/2. The zero mux has none.
//
// No connection's own method is called with mu held but InFlight, Available and
// Err: the others may call changed.
type mux struct {
	retired atomic.Bool
	http1   atomic.Bool // the endpoint has chosen HTTP/1.1

	mu      sync.Mutex
	conns   []muxed       // that are open, those too that take no more
	dialing chan struct{} // closed when the dial under way has ended; nil for none
}

// muxed is one of them, with its place in the endpoint's books.
type muxed struct {
	*http.ClientConn
	book *Conn
}

// SpeaksHTTP1 reports whether an endpoint that may choose has chosen HTTP/1.1.
func (e *Endpoint) SpeaksHTTP1() bool { return e.mux.http1.Load() }

// Reserve returns a connection by HTTP/2 on which one request may be sent: an
// open one, or a new one. Reused says which. Nil without an error says that the
// endpoint has chosen HTTP/1.1: a connection by it is among those that Idle
// returns.
func (e *Endpoint) Reserve(ctx context.Context, o HTTP2Options) (c *http.ClientConn, reused bool, err error) {
	for {
		c, wait := e.mux.take(o)
		switch {
		case c != nil && c.Reserve() == nil:
			return c, true, nil
		case c != nil:
			continue // it was used up, or has ended, in this moment
		case wait == nil:
			c, err := e.dialHTTP2(ctx, o)
			return c, false, err
		}
		select { // somebody dials: the connection may do for both
		case <-wait:
			if e.SpeaksHTTP1() {
				return nil, false, nil
			}
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// take returns the connection with the fewest requests. Where it returns none,
// the caller is to wait, or to dial where there is nothing to wait for.
func (m *mux) take(o HTTP2Options) (*http.ClientConn, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best *http.ClientConn
	least := 0
	for _, c := range m.conns {
		if n := c.InFlight(); c.Available() > 0 && (best == nil || n < least) {
			best, least = c.ClientConn, n
		}
	}
	spread := max(o.Spread, 1)
	if o.Most > 0 {
		spread = min(spread, o.Most)
	}
	worth := least >= busy && len(m.conns) < spread
	switch {
	case best != nil && (!worth || m.dialing != nil):
		return best, nil
	case m.dialing != nil:
		return nil, m.dialing
	}
	m.dialing = make(chan struct{})
	return nil, nil
}

// dialHTTP2 opens a connection and reserves a place on it, where take has told
// the caller to.
func (e *Endpoint) dialHTTP2(ctx context.Context, o HTTP2Options) (*http.ClientConn, error) {
	c, err := e.openHTTP2(ctx, o)
	if c.ClientConn != nil {
		if err = c.Reserve(); err != nil {
			_ = c.Close()
			c.book.Discard()
			c = muxed{}
		}
	}
	m := &e.mux
	m.http1.Store(c.ClientConn == nil && err == nil)
	m.mu.Lock()
	if c.ClientConn != nil {
		m.conns = append(m.conns, c)
	}
	close(m.dialing)
	m.dialing = nil
	m.mu.Unlock()
	if c.ClientConn != nil {
		c.SetStateHook(e.changed)
	}
	return c.ClientConn, err
}

// openHTTP2 connects; none without an error where HTTP/1.1 was chosen.
func (e *Endpoint) openHTTP2(ctx context.Context, o HTTP2Options) (muxed, error) {
	if n := e.open.Add(1); o.Most > 0 && n > int64(o.Most) {
		e.open.Add(-1)
		return muxed{}, ErrLimit
	}
	conn, socket, err := e.connect(ctx)
	if err != nil {
		e.open.Add(-1)
		return muxed{}, err
	}
	book := newConn(conn, socket, e)
	scheme := "http"
	if secure, ok := conn.(*tls.Conn); ok {
		scheme = "https"
		switch agreed := secure.ConnectionState().NegotiatedProtocol; {
		case agreed == "h2":
		case e.protocol == Auto:
			e.Keep(book, time.Now(), keptHTTP1, o.Idle)
			return muxed{}, nil
		default:
			book.Discard()
			return muxed{}, ErrNoHTTP2
		}
	}
	c, err := transport(conn, o).NewClientConn(ctx, scheme, e.Address)
	if err != nil {
		book.Discard()
		return muxed{}, err
	}
	return muxed{c, book}, nil
}

// keptHTTP1 is more than the connections that one finds out by that an endpoint
// speaks HTTP/1.1.
const keptHTTP1 = 1 << 16

// The bounds of what one connection may take. A stream's window bounds what a
// slow client makes the gateway hold; the connection's own stays wide, so that
// slow clients do not stop the others.
const (
	streamWindow  = 256 << 10
	maxAnswerHead = 64 << 10
	pingAfter     = 30 * time.Second // without a frame
	pingWait      = 15 * time.Second
	writeStall    = 30 * time.Second
	continueWait  = time.Second // for a word on whether a body is wanted
)

// transport returns what makes an HTTP/2 connection of one that is open.
func transport(conn net.Conn, o HTTP2Options) *http.Transport {
	open := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	t := &http.Transport{
		Protocols:              new(http.Protocols),
		DisableCompression:     true,
		IdleConnTimeout:        o.Idle,
		ExpectContinueTimeout:  continueWait,
		MaxResponseHeaderBytes: maxAnswerHead,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamWindow,
			SendPingTimeout:           pingAfter, PingTimeout: pingWait, WriteByteTimeout: writeStall,
		},
		DialContext: open, DialTLSContext: open,
	}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// changed takes a connection that has ended out of the books, and closes one
// that nobody will use any more. It is called whenever a request on it ends.
func (e *Endpoint) changed(c *http.ClientConn) {
	switch {
	case c.Err() != nil:
		if book := e.mux.forget(c); book != nil {
			e.disown(book)
		}
	case e.mux.retired.Load() && c.InFlight() == 0:
		_ = c.Close()
	}
}

// forget returns the connection's place in the books; nil where it has none any
// more.
func (m *mux) forget(c *http.ClientConn) *Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, k := range m.conns {
		if k.ClientConn == c {
			m.conns = slices.Delete(m.conns, i, i+1)
			return k.book
		}
	}
	return nil
}

// retire closes connections without a request; the others close with the end of
// theirs.
func (m *mux) retire() {
	m.retired.Store(true)
	m.mu.Lock()
	conns := slices.Clone(m.conns)
	m.mu.Unlock()
	for _, c := range conns {
		if c.InFlight() == 0 {
			_ = c.Close()
		}
	}
}

// idle returns how many connections wait for a request.
func (m *mux) idle() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, c := range m.conns {
		if c.InFlight() == 0 {
			n++
		}
	}
	return n
}

// onlyHTTP1 returns what agrees on HTTP/1.1 where c could agree on another
// protocol.
func onlyHTTP1(c *tls.Config, p Protocol) *tls.Config {
	if c == nil || p != Auto {
		return c
	}
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	return c
}
