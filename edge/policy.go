package edge

import (
	"cmp"
	"crypto/tls"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/edge/certs"
	"gatehouse/exchange"
)

// Policies are the compiled listeners of one configuration, by key: the
// address as written, numbered where several listeners say the same address
// with port 0.
type Policies map[string]*Policy

// Policy is a Listener compiled. It is immutable and holds no resource.
type Policy struct {
	Key     string
	Address string // as written
	At      config.Pos

	// BodyLimit is the largest request body in bytes where the route says
	// nothing else; 0 for none.
	BodyLimit int64
	// TLS reports whether the listener speaks HTTPS.
	TLS bool
	// APIs and AWS report what is served there: the APIs, and AWS's own services.
	APIs, AWS bool

	settings  settings
	trusted   []netip.Prefix
	redirects *exchange.Rule // nil for a listener that serves
	redirect  redirectTo
	tls       *tls.Config // nil for plain HTTP
	holds     holdings    // the certificates behind it
	tlsKey    string      // what tls was made from
	hsts      []string    // Strict-Transport-Security; nil for none
	proto     []string    // X-Forwarded-Proto
	order     bool        // requests tell the order of their headers
}

// redirectTo is the port to redirect to, or the listener whose port it is.
type redirectTo struct {
	port int
	key  string
}

// settings are what connections cannot change while they live. They are
// comparable: where they differ, connections of the old ones are told to end.
type settings struct {
	header, connections, perAddress, streams int
	headerTimeout, idleTimeout, writeTimeout time.Duration
	bodyTimeout, handshakeTimeout            time.Duration
	bodyRate                                 int64
	proxyProtocol, clientAddress             string
	secure                                   bool
	minVersion                               uint16
	redirect                                 redirectTo
	redirecting                              bool
	trusted, serve, clients                  string
}

// Compilation is what Compile needs beside the listeners.
type Compilation struct {
	// Domains are the names that internal certificates are issued for:
	// exact, or with "*" for their first label.
	Domains []string
	// Authority issues internal certificates. Nil where nothing will be
	// served, as for a mere check of the configuration.
	Authority Authority
	// Managed has the certificates that are obtained by ACME. Nil where
	// nothing will be served.
	Managed certs.Managed
	// Challenge is asked at every TLS handshake for the configuration of a CA
	// that wants to see a challenge by ACME, nil for all others. May be nil.
	Challenge func(*tls.ClientHelloInfo) (*tls.Config, error)
	// Tickets are the keys of TLS sessions that several gateways share; nil where
	// each listener has keys of its own.
	Tickets *Tickets
	// Clients say on which domains clients are asked for certificates.
	Clients []Clients
	// Fingerprints says that somebody asks for those of TLS handshakes.
	Fingerprints bool
	// HeaderOrder says that somebody asks for the order of requests' headers.
	HeaderOrder bool
	// Last are the policies in force, whose TLS state (session tickets) is
	// kept where the certificates are the same. May be nil.
	Last Policies
	// Now is the time against which certificates are checked.
	Now time.Time
	// Warn is told of what works but should be looked at, such as a
	// certificate that has expired. May be nil.
	Warn func(at config.Pos, message string)
}

// Compile makes policies of all listeners of a configuration. What is wrong
// is added to report, and the policy concerned is left out.
func Compile(listeners []Listener, c Compilation, report *config.Report) Policies {
	checkAll(listeners, report)
	out := make(Policies, len(listeners))
	names := keys(listeners)
	for i := range listeners {
		target := redirectTo{port: listeners[i].Redirect.Port}
		if to := firstTLS(listeners); target.port == 0 && to >= 0 {
			target.key = names[to]
		}
		if p := compileOne(&listeners[i], names[i], target, c, report); p != nil {
			out[p.Key] = p
		}
	}
	return out
}

func compileOne(l *Listener, key string, target redirectTo, c Compilation, report *config.Report) *Policy {
	p := &Policy{Key: key, Address: l.Address, At: l.Pos, BodyLimit: int64(l.Limits.Body), TLS: l.TLS != nil, proto: protoOf(l.TLS != nil)}
	p.AWS = slices.Contains(l.Serve, "aws")
	p.APIs = !p.AWS || slices.Contains(l.Serve, "apis")
	for _, prefix := range l.TrustedProxies {
		p.trusted = append(p.trusted, prefix.Prefix)
		if prefix.Bits() == 0 {
			c.warn(l.Of("trusted-proxies"), "trusted-proxies: %s trusts every peer, so any client can name any address as its own, and limits by address mean nothing", prefix)
		}
	}
	slices.SortFunc(p.trusted, comparePrefix)
	p.settings = settingsOf(l, p.trusted)
	p.order = c.HeaderOrder
	if l.Redirect.HTTPS {
		p.redirects = &exchange.Rule{Filter: "edge", Name: "redirect https", At: l.Of("redirect")}
		p.redirect, p.settings.redirecting, p.settings.redirect = target, true, target
	}
	if l.TLS == nil {
		return p
	}
	p.hsts = hstsValue(l.TLS.HSTS.D())
	for i := range c.Clients {
		p.settings.clients += c.Clients[i].key() + "\n"
	}
	if !p.compileTLS(l.TLS, c, report) {
		return nil
	}
	return p
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func settingsOf(l *Listener, trusted []netip.Prefix) settings {
	s := settings{
		header:        int(l.Limits.Header),
		connections:   l.Limits.Connections,
		perAddress:    l.Limits.ConnectionsPerAddress,
		streams:       l.HTTP2.Streams,
		headerTimeout: l.Limits.HeaderTimeout.D(),
		idleTimeout:   l.Limits.IdleTimeout.D(),
		writeTimeout:  l.Limits.WriteTimeout.D(),
		bodyTimeout:   l.Limits.BodyTimeout.D(),
		bodyRate:      int64(l.Limits.BodyRate),
		proxyProtocol: l.ProxyProtocol,
		clientAddress: l.ClientAddress,
		secure:        l.TLS != nil,
	}
	s.serve = strings.Join(l.Serve, " ")
	if l.TLS != nil {
		s.handshakeTimeout = l.TLS.HandshakeTimeout.D()
		s.minVersion = tlsVersion(l.TLS.MinVersion)
	}
	var b strings.Builder
	for _, prefix := range trusted {
		b.WriteString(prefix.String())
		b.WriteByte(' ')
	}
	s.trusted = b.String()
	return s
}

// Trusts reports whether a peer may say on whose behalf it speaks.
func (p *Policy) Trusts(addr netip.Addr) bool {
	for i := range p.trusted {
		if p.trusted[i].Contains(addr) {
			return true
		}
	}
	return false
}

// hstsValue is strict-transport-security (RFC 6797); nil for none.
func hstsValue(age time.Duration) []string {
	if age <= 0 {
		return nil
	}
	return []string{"max-age=" + strconv.FormatInt(int64(age/time.Second), 10)}
}

// isLocal reports whether a browser that pinned host to HTTPS would pin other
// things on a developer's machine with it: localhost and bare addresses.
func isLocal(host string) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if last := host[len(host)-1]; last > '9' && last != ']' {
		return false // no address ends in a letter but IPv6, which is in brackets
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
