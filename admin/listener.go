package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Listener is the admin listener. It outlives reloads that keep its address:
// it is a keeper's entry, keyed by that.
type Listener struct {
	socket  *net.TCPListener
	server  *http.Server
	guard   atomic.Pointer[guard]
	inner   http.Handler
	gateway Gateway
	once    sync.Once     // of serving, or of ending before it
	done    chan struct{} // closed when the server has ended
}

// Settings are what a configuration says of the listener beside its address.
type Settings struct{ guard *guard }

// Settings compiles a checked configuration.
func (c Config) Settings() (Settings, error) {
	g, err := newGuard(c)
	if err != nil {
		return Settings{}, fmt.Errorf("%s: the admin listener's certificate: %w", c.TLS.Pos, err)
	}
	return Settings{g}, nil
}

// Listens returns the address to listen on, the key of the listener among its
// keeper's entries; false where there is to be none.
func (c Config) Listens() (address string, ok bool) { return c.address(), !c.off() }

// Inherit returns the socket for an address that another process opened; nil
// where there is none. A nil Inherit has none.
type Inherit func(address string) (*net.TCPListener, error)

// Listen binds the address, or takes the socket that there is. Who connects
// waits until Serve.
func Listen(address string, inherit Inherit, s Settings, g Gateway, pages Pages, log *slog.Logger) (*Listener, error) {
	socket, err := open(address, inherit)
	if err != nil {
		return nil, bindError(address, err)
	}
	h := &handlers{gateway: g, pages: pages}
	l := &Listener{socket: socket, inner: h.queries(), gateway: g, done: make(chan struct{})}
	l.server = newServer(l, log)
	if !s.guard.fitFor(l.Addr().Addr()) {
		_ = socket.Close()
		return nil, fmt.Errorf("the admin listener: %s leads to %s, which other machines can reach: give it tls and token, or the address 127.0.0.1", address, l.Addr())
	}
	return l, nil
}

func open(address string, inherit Inherit) (*net.TCPListener, error) {
	if inherit != nil {
		if socket, err := inherit(address); socket != nil || err != nil {
			return socket, err
		}
	}
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return socket.(*net.TCPListener), nil
}

// bindError says what to do about an address that cannot be listened on.
func bindError(address string, err error) error {
	cause := err
	var op *net.OpError
	if errors.As(err, &op) {
		cause = op.Err
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the admin listener cannot listen on %s: %w (another program, or another gateway, listens there: write another admin.address, or off)", address, cause)
	}
	return fmt.Errorf("the admin listener cannot listen on %s: %w", address, cause)
}

// Serve makes the settings hold from now on, and begins to answer where nothing
// did yet.
func (l *Listener) Serve(s Settings) {
	l.guard.Store(s.guard)
	l.once.Do(func() { go l.serve() })
}

// newServer returns a server for few, small and quick questions.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           contained{h, log},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// contained logs what panics, where net/http would log it at the level of what
// strangers do wrong, and hangs up.
type contained struct {
	inner http.Handler
	log   *slog.Logger
}

func (c contained) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if cause := recover(); cause != nil {
			c.log.Error("a question to the gateway panicked", slog.String("path", r.URL.Path), slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
			panic(http.ErrAbortHandler)
		}
	}()
	c.inner.ServeHTTP(w, r)
}

// Socket is what is listened on, for the process that takes over.
func (l *Listener) Socket() *net.TCPListener { return l.socket }

// Addr returns the address that is listened on, for the dialer to deny.
func (l *Listener) Addr() netip.AddrPort {
	return l.socket.Addr().(*net.TCPAddr).AddrPort()
}

// Retire implements keeper.Entry: nothing is accepted any more, and answers
// under way are completed.
func (l *Listener) Retire() {
	l.endUnserved()
	_ = l.socket.Close()
	go func() { _ = l.server.Shutdown(context.Background()) }()
}

// endUnserved makes sure that Close does not wait for what never began.
func (l *Listener) endUnserved() { l.once.Do(func() { close(l.done) }) }

// Close retires the listener and waits for answers under way until ctx ends.
func (l *Listener) Close(ctx context.Context) error {
	l.endUnserved()
	_ = l.socket.Close()
	err := l.server.Shutdown(ctx)
	switch {
	case errors.Is(err, net.ErrClosed): // the socket, by the line above
		err = nil
	case err != nil:
		_ = l.server.Close()
	}
	<-l.done
	return err
}

func (l *Listener) serve() {
	defer close(l.done)
	_ = l.server.Serve(limited{l.socket, make(chan struct{}, maxConnections), l})
}

// ServeHTTP implements http.Handler.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	status, reason := l.guard.Load().refuse(r)
	switch {
	case status == 0 && isSigned(r):
		l.gateway.ServeAWS(w, r)
		return
	case status == 0:
		l.inner.ServeHTTP(w, r)
		return
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="gatehouse admin"`)
	}
	if status == http.StatusMethodNotAllowed {
		h.Set("Allow", "GET, HEAD")
	}
	h.Set("Connection", "close")
	write(w, status, &Error{Message: reason})
}

// maxConnections is how many connections the admin listener serves at once.
const maxConnections = 128

// limited accepts at most so many connections at once, and speaks TLS where
// the settings of the moment say so.
type limited struct {
	net.Listener
	slots    chan struct{}
	listener *Listener
}

// Accept implements net.Listener.
func (l limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		counted := &countedConn{Conn: conn, slots: l.slots}
		if g := l.listener.guard.Load(); g.certificate != nil {
			return tls.Server(counted, &tls.Config{Certificates: []tls.Certificate{*g.certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}), nil
		}
		return counted, nil
	}
}

// countedConn gives its slot back once, when it is closed.
type countedConn struct {
	net.Conn
	slots  chan struct{}
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		<-c.slots
	}
	return c.Conn.Close()
}
