package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/keeper"
)

// Options are what Listeners need. All but Inherit are required.
type Options struct {
	// Handler serves every request. Its requests answer to ConnOf and
	// PolicyOf.
	Handler http.Handler
	// Policy returns the policy of a key in the snapshot in force; nil for
	// none. It is called once for each connection, from any goroutine.
	Policy func(key string) *Policy
	// Refused is told of every request by HTTP/1 that ended before Handler saw it:
	// status 400 (also where the client broke off), 408, 414, 417, 431 or 505, the
	// reason in one word for metrics, and what is wrong. It returns the record of
	// that, which says what the client is told.
	Refused func(conn *exchange.Conn, status int, reason, detail string) *exchange.Exchange
	// Inherit returns the socket for a listener's key and address that another
	// process opened; nil where there is none. A nil Inherit has none.
	Inherit func(key, address string) (*net.TCPListener, error)
	Log     *slog.Logger
}

// Listeners keep the sockets. They are safe for concurrent use; leases are
// taken one at a time.
type Listeners struct {
	options Options
	set     *keeper.Set[string, *listener]
	closing sync.WaitGroup // retired sockets that are not closed yet

	mu    sync.Mutex
	alive map[*listener]struct{}
}

// NewListeners returns Listeners without any socket.
func NewListeners(o Options) *Listeners {
	return &Listeners{options: o, set: keeper.NewSet[string, *listener](), alive: make(map[*listener]struct{})}
}

// Lease is the part of a reload that concerns sockets: Bind, and then either
// Commit, after the snapshot was swapped, or Abort.
type Lease struct {
	owner *Listeners
	inner *keeper.Lease[string, *listener]
	named []*listener
}

// Begin starts a lease.
func (s *Listeners) Begin() *Lease {
	return &Lease{owner: s, inner: s.set.Begin()}
}

// BindError is an address that cannot be listened on.
type BindError struct {
	Address string
	At      config.Pos
	Err     error
	Hint    string // the cure, where it is known
}

func (e *BindError) Error() string {
	text := fmt.Sprintf("cannot listen on %s: %v", e.Address, e.Err)
	if e.At.IsValid() {
		text = e.At.String() + ": " + text
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

func (e *BindError) Unwrap() error { return e.Err }

// Bind opens a socket for every policy whose key has none yet. Connections
// wait in the kernel until Commit. Every address that fails is in the error,
// each as a *BindError, joined; the lease is then to be aborted.
func (l *Lease) Bind(policies Policies) error {
	var all []error
	for key, p := range policies {
		entry, err := l.inner.Get(key, func() (*listener, error) { return l.owner.open(p) })
		if err != nil {
			all = append(all, err)
			continue
		}
		l.named = append(l.named, entry)
	}
	return errors.Join(all...)
}

// Commit starts accepting on new sockets, makes changed policies count for new
// connections, and retires sockets that were not bound again.
func (l *Lease) Commit() {
	for _, entry := range l.named {
		entry.start()
	}
	l.inner.Commit()
}

// Abort closes the sockets that Bind opened. What was there stays as it was.
func (l *Lease) Abort() { l.inner.Abort() }

func (s *Listeners) open(p *Policy) (*listener, error) {
	s.closing.Wait() // a socket just retired may have this very address
	socket, err := s.socket(p)
	if err != nil {
		return nil, s.bindError(p, err)
	}
	l := &listener{
		key: p.Key, socket: socket, handler: s.options.Handler, policyOf: s.options.Policy,
		refused: s.options.Refused, log: s.options.Log, owner: s,
		loop: make(chan struct{}), done: make(chan struct{}), conns: make(map[*conn]struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	s.alive[l] = struct{}{}
	s.mu.Unlock()
	go s.awaitEnd(l)
	return l, nil
}

// errNotPassed is that the service manager has passed no socket of a name.
var errNotPassed = errors.New("the service manager has passed no such socket")

// socket returns the socket that another process opened, or a new one.
func (s *Listeners) socket(p *Policy) (*net.TCPListener, error) {
	if s.options.Inherit != nil {
		if socket, err := s.options.Inherit(p.Key, p.Address); socket != nil || err != nil {
			return socket, err
		}
	}
	if passed(p.Address) {
		return nil, errNotPassed
	}
	return listen(p.Address)
}

func listen(address string) (*net.TCPListener, error) {
	config := net.ListenConfig{}
	socket, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return socket.(*net.TCPListener), nil
}

func (s *Listeners) awaitEnd(l *listener) {
	<-l.done
	s.mu.Lock()
	delete(s.alive, l)
	s.mu.Unlock()
}

func (s *Listeners) bindError(p *Policy, err error) error {
	e := &BindError{Address: p.Address, At: p.At, Err: err}
	var op *net.OpError
	if errors.As(err, &op) {
		e.Err = op.Err
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Hint = "another program listens there"
		if own := s.overlapping(p.Address); own != "" {
			e.Hint = "this gateway itself listens on " + own + ", and the one includes the other: remove it in one reload and add this one in the next"
		}
	case errors.Is(err, errNotPassed):
		e.Hint = "its .socket unit says FileDescriptorName=" + strings.TrimPrefix(p.Address, byName) + ", and the service Sockets="
	case errors.Is(err, syscall.EACCES):
		e.Hint = "ports below 1024 need the capability CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		e.Hint = "this machine has no such address"
	}
	return e
}

// overlapping returns the address of an own socket with the same port that takes
// what address would take: one of the two is for every address of the machine,
// or they are the same by another name.
func (s *Listeners) overlapping(address string) string {
	host, port, err := splitAddress(address)
	if err != nil || port == 0 {
		return ""
	}
	ip := net.ParseIP(host)
	wide := ip == nil || ip.IsUnspecified() // a name, too: it may be one for that socket's address
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.alive {
		if tcp, ok := l.socket.Addr().(*net.TCPAddr); ok && tcp.Port == port && (wide || tcp.IP.IsUnspecified()) {
			return tcp.String()
		}
	}
	return ""
}

// Addr returns the address that a key's socket is bound to; nil for none.
func (s *Listeners) Addr(key string) net.Addr {
	var addr net.Addr
	s.set.Each(func(k string, l *listener) {
		if k == key {
			addr = l.socket.Addr()
		}
	})
	return addr
}

// Each calls f for every listener in force.
func (s *Listeners) Each(f func(key string, bound net.Addr, counters *Counters)) {
	s.set.Each(func(key string, l *listener) { f(key, l.socket.Addr(), &l.counters) })
}

// Sockets calls f for the socket of every listener in force, which stays open
// here. For a process that takes over.
func (s *Listeners) Sockets(f func(key string, socket *net.TCPListener)) {
	s.set.Each(func(key string, l *listener) { f(key, l.socket) })
}

// Retire stops accepting everywhere and closes the sockets. Connections live on:
// Shutdown waits for them.
func (s *Listeners) Retire() {
	s.set.Close()
	s.closing.Wait()
}

// Shutdown stops accepting everywhere, lets requests finish and connections
// end, those taken over too, and returns nil when none is left. When ctx ends
// first it closes what is left and returns ctx's error.
func (s *Listeners) Shutdown(ctx context.Context) error {
	s.set.Close()
	s.mu.Lock()
	left := make([]*listener, 0, len(s.alive))
	for l := range s.alive {
		left = append(left, l)
	}
	s.mu.Unlock()
	for _, l := range left {
		select {
		case <-l.done:
			continue
		case <-ctx.Done():
		}
		for _, l := range left {
			l.kill()
		}
		return ctx.Err()
	}
	return nil
}
