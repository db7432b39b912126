package takeover

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// What a socket is for. The same address as written means the same socket only
// within one kind.
const (
	Listen = "listen" // clients
	Admin  = "admin"  // health, metrics and queries
)

// Socket is a listening TCP socket that another process opened.
type Socket struct {
	Kind string // Listen or Admin; "" where the service manager opened it
	Key  string // the listener's key in the configuration that opened it, or the service manager's name
	// Lasting sockets are the service manager's, which holds them open for good:
	// they are passed on and never given up, whether a configuration names them
	// or not.
	Lasting  bool
	Listener *net.TCPListener
}

// Named begins the address of a listener whose socket the service manager
// passes under a name.
const Named = "systemd:"

// Sockets are listening sockets that wait to be used. A nil *Sockets has none.
// It is safe for concurrent use.
type Sockets struct {
	mu   sync.Mutex
	left []Socket
}

// NewSockets returns Sockets that own what is in the list.
func NewSockets(list []Socket) *Sockets { return &Sockets{left: list} }

// Add puts further sockets in.
func (s *Sockets) Add(list []Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, list...)
}

// Take returns the socket for an address as a configuration writes it, HOST:PORT
// or systemd:NAME: the one that had the same key, or else one that is bound
// there. It is the caller's from then on. Nil where there is none; the error is
// the operating system's.
func (s *Sockets) Take(kind, key, address string) (*net.TCPListener, error) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.left, func(o Socket) bool { return o.Kind == kind && o.Key == key })
	if i < 0 {
		i = slices.IndexFunc(s.left, func(o Socket) bool { return o.serves(address) })
	}
	if i < 0 {
		return nil, nil
	}
	found := s.left[i]
	if found.Lasting {
		return duplicate(found.Listener)
	}
	s.left = slices.Delete(s.left, i, i+1)
	return found.Listener, nil
}

// serves reports whether the socket is the one for an address as written.
func (o Socket) serves(address string) bool {
	if name, ok := strings.CutPrefix(address, Named); ok && o.Kind == "" && o.Key == name {
		return true
	}
	bound, ok := o.Listener.Addr().(*net.TCPAddr)
	if !ok {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	wanted, err := net.ResolveTCPAddr("tcp", address)
	if err != nil || wanted.Port == 0 || wanted.Port != bound.Port {
		return false
	}
	at, to := addrOf(bound.IP), addrOf(wanted.IP)
	if host == "" || to.IsUnspecified() {
		return at.IsUnspecified() // of either family: there can be no other one beside it
	}
	return to == at && wanted.Zone == bound.Zone
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// Unused returns the names of the service manager's sockets that no address
// among these is for.
func (s *Sockets) Unused(addresses []string) []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, o := range s.left {
		if o.Lasting && !slices.ContainsFunc(addresses, o.serves) {
			out = append(out, fmt.Sprintf("%s (%s)", o.Key, o.Listener.Addr()))
		}
	}
	return out
}

// Names returns what the service manager's sockets are called, for messages.
func (s *Sockets) Names() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, o := range s.left {
		if o.Lasting {
			out = append(out, o.Key)
		}
	}
	return out
}

// Lasting returns the service manager's sockets, which stay here.
func (s *Sockets) Lasting() []Socket {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.left), func(o Socket) bool { return !o.Lasting })
}

// Settle closes what nobody took, but for the service manager's.
func (s *Sockets) Settle() { s.close(func(o Socket) bool { return !o.Lasting }) }

// Close closes every socket that is left.
func (s *Sockets) Close() { s.close(func(Socket) bool { return true }) }

func (s *Sockets) close(which func(Socket) bool) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = slices.DeleteFunc(s.left, func(o Socket) bool {
		if which(o) {
			_ = o.Listener.Close()
			return true
		}
		return false
	})
}

// duplicate returns another descriptor of the same socket.
func duplicate(l *net.TCPListener) (*net.TCPListener, error) {
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	return fromFile(f)
}

// fromFile makes a listener of a descriptor, which is closed in any case.
func fromFile(f *os.File) (*net.TCPListener, error) {
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		_ = l.Close()
		return nil, fmt.Errorf("it is a socket of %s, not of TCP", l.Addr().Network())
	}
	if err := listens(tcp); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return tcp, nil
}

// listens returns an error for a socket that is bound and does not listen, which
// net.FileListener cannot tell.
func listens(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var accepting int
	var failed error
	err = raw.Control(func(fd uintptr) {
		accepting, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	})
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	case accepting == 0:
		return fmt.Errorf("it does not listen")
	}
	return nil
}
