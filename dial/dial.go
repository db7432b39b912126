package dial

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// The defaults of Options.
const (
	DefaultTimeout   = 5 * time.Second
	DefaultKeepAlive = 30 * time.Second
)

// Options say how a Dialer connects. The zero value is the default.
type Options struct {
	Timeout   time.Duration // resolving and connecting together, where the context has no deadline; 0 for 5 s
	KeepAlive time.Duration // between TCP keep-alive probes; 0 for 30 s
	Resolver  *net.Resolver // nil for the system's configuration, read by Go
}

// Dialer opens connections. It is safe for concurrent use.
type Dialer struct {
	net     net.Dialer
	timeout time.Duration
	own     *own
	public  bool
	listed  []netip.Prefix
}

// own are the addresses of the gateway's own control, shared by all Dialers of
// a gateway.
type own struct {
	addrs atomic.Pointer[[]netip.AddrPort]
	local func() ([]netip.Addr, error)
}

// New returns a Dialer that the operator's own addresses are dialled with.
func New(o Options) *Dialer {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = DefaultKeepAlive
	}
	if o.Resolver == nil {
		o.Resolver = &net.Resolver{PreferGo: true}
	}
	d := &Dialer{timeout: o.Timeout, own: &own{local: interfaceAddrs}}
	d.net = net.Dialer{KeepAlive: o.KeepAlive, Resolver: o.Resolver}
	return d.bind()
}

// bind makes the rules of d those of its net.Dialer: they are checked on every
// address just before connecting to it, whatever resolved it.
func (d *Dialer) bind() *Dialer {
	d.net.ControlContext = func(_ context.Context, network, address string, _ syscall.RawConn) error {
		return d.check(network, address)
	}
	return d
}

// SetOwn sets the addresses that nothing may dial, for d and every Dialer made
// from it. An unspecified address stands for every address of this machine.
func (d *Dialer) SetOwn(addrs []netip.AddrPort) {
	kept := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		kept[i] = netip.AddrPortFrom(plain(a.Addr()), a.Port())
	}
	d.own.addrs.Store(&kept)
}

// Public returns a Dialer for addresses that come from elsewhere than the
// operator. It refuses whatever is not a public unicast address, unless listed
// holds it. What SetOwn forbids stays forbidden.
func (d *Dialer) Public(listed ...netip.Prefix) *Dialer {
	p := &Dialer{net: d.net, timeout: d.timeout, own: d.own, public: true, listed: listed}
	return p.bind()
}

// Dial connects to HOST:PORT over TCP. A name is resolved, and its addresses
// are tried in turn, IPv6 and IPv4 side by side (RFC 8305), until one answers.
// The error is always an *Error.
func (d *Dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	conn, err := d.net.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, &Error{Kind: kindOf(ctx, err), Address: address, Err: err}
	}
	return conn, nil
}

// bounded gives ctx the Dialer's own timeout where it has no deadline.
func (d *Dialer) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.timeout)
}

func (d *Dialer) dialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return d.Dial(ctx, address)
}
