package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"gatehouse/edge/acme"
	"gatehouse/edge/certs"
	"gatehouse/edge/proxyproto"
)

// The modes of `proxy-protocol`.
const (
	proxyOff     = "off"
	proxyRequire = "require"
)

// welcome does what comes before HTTP on one connection: the PROXY header and
// the TLS handshake, each in its time. It hands the connection over or closes
// it. It runs on a goroutine of the connection's own.
func (l *listener) welcome(c *conn) {
	if c.policy.settings.proxyProtocol != proxyOff && !l.readProxy(c) {
		_ = c.Close()
		return
	}
	if c.policy.tls == nil {
		l.handOver(c, c, false)
		return
	}
	l.handshake(c)
}

// lastWelcome is how long the PROXY header and the handshake may each still take
// when the listener ends, so that a client that stalls does not hold up a stop.
const lastWelcome = time.Second

// allow bounds one step of a welcome.
func (l *listener) allow(c *conn, d time.Duration) {
	_ = c.Conn.SetDeadline(time.Now().Add(d))
	if l.ending.Load() { // perhaps since hurryWelcomes went by
		_ = c.Conn.SetReadDeadline(time.Now().Add(min(d, lastWelcome)))
	}
}

// hurryWelcomes leaves connections that are being welcomed little time. To one
// that is handed over meanwhile it does nothing: the engine sets a read deadline
// of its own.
func (l *listener) hurryWelcomes() {
	l.ending.Store(true)
	at := time.Now().Add(lastWelcome)
	l.each(func(c *conn) {
		if c.engine.Load() == nil {
			_ = c.Conn.SetReadDeadline(at)
		}
	})
}

// The reasons why a PROXY header is not taken.
var (
	errProxyStranger = errors.New("a PROXY header from a peer that is not among trusted-proxies")
	errProxyMissing  = errors.New("no PROXY header, which this listener requires")
)

// readProxy reads the PROXY header, and reports whether the connection may go
// on.
func (l *listener) readProxy(c *conn) bool {
	heard, err := l.proxyHeader(c)
	_ = c.Conn.SetDeadline(time.Time{})
	if err == nil {
		return true
	}
	// Health checks connect and leave; browsers connect before they need to.
	if heard && !errors.Is(err, errTooMany) {
		l.counters.ProxyErrors.Add(1)
		l.log.Debug("PROXY header refused", "listener", l.key, "peer", c.info.Peer, "error", err)
	}
	return false
}

var errTooMany = errors.New("too many connections of this address")

// proxyHeader reads and applies the header. Heard says whether anything came.
func (l *listener) proxyHeader(c *conn) (heard bool, err error) {
	required := c.policy.settings.proxyProtocol == proxyRequire
	if required && !c.info.Trusted {
		return true, errProxyStranger
	}
	l.allow(c, c.policy.settings.headerTimeout)
	buf := make([]byte, 0, 256)
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(len(buf), proxyproto.MaxLength))
		}
		n, err := c.Conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err != nil {
			return len(buf) > 0, err
		}
		header, length, err := proxyproto.Parse(buf)
		switch {
		case err == proxyproto.ErrMore:
			continue
		case err == proxyproto.ErrNone && !required:
			c.pending = buf
			return true, nil
		case err == proxyproto.ErrNone:
			return true, errProxyMissing
		case !c.info.Trusted:
			return true, errProxyStranger
		case err != nil:
			return true, err
		}
		c.pending = buf[length:]
		return true, l.speaksFor(c, header.Source, header.Destination)
	}
}

// speaksFor makes the client that a trusted proxy named the connection's
// source. Whether forwarding headers count is then for that client to earn.
func (l *listener) speaksFor(c *conn, source, to netip.AddrPort) error {
	if !source.IsValid() {
		return nil
	}
	c.info.Source = source
	if to.IsValid() {
		c.via = to.Port()
	}
	c.info.Trusted = c.policy.Trusts(source.Addr())
	if !c.info.Trusted && !l.count(c, source.Addr()) {
		return errTooMany
	}
	return nil
}

// count counts the connection for addr, and reports whether there is room.
func (l *listener) count(c *conn, addr netip.Addr) bool {
	if !l.addrs.take(addr, c.policy.settings.perAddress) {
		l.counters.RefusedAddress.Add(1)
		return false
	}
	c.counted = addr
	return true
}

func (l *listener) uncount(c *conn) {
	if c.counted.IsValid() {
		l.addrs.give(c.counted)
		c.counted = netip.Addr{}
	}
}

// handshake does the TLS handshake and hands the connection over.
func (l *listener) handshake(c *conn) {
	secure := tls.Server(c, c.policy.tls)
	l.allow(c, c.policy.settings.handshakeTimeout)
	if err := secure.Handshake(); err != nil {
		l.handshakeFailed(c, err)
		_ = c.Close()
		return
	}
	_ = c.Conn.SetDeadline(time.Time{})
	state := secure.ConnectionState()
	if state.NegotiatedProtocol == acme.Protocol {
		_ = secure.Close() // the CA has seen what it came for
		return
	}
	c.info.SNI = certs.Normal(state.ServerName)
	if shown := state.PeerCertificates; len(shown) > 0 {
		c.info.Certificates, c.info.Fingerprint = shown, sha256.Sum256(shown[0].Raw)
	}
	if state.NegotiatedProtocol == "h2" {
		l.handOver(c, secure, true)
		return
	}
	l.handOver(c, secure, false)
}

func (l *listener) handshakeFailed(c *conn, err error) {
	if errors.Is(err, io.EOF) {
		return // a health check or a client that changed its mind
	}
	l.counters.HandshakeErrors.Add(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.counters.HandshakeSlow.Add(1)
	}
	l.log.Debug("TLS handshake failed", "listener", l.key, "client", c.info.Source, "error", err)
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
		l.counters.HTTPOverTLS.Add(1)
		_, _ = io.WriteString(c.Conn, httpOverTLS)
		_ = c.CloseWrite()
	}
}

const httpOverTLS = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 61\r\n\r\n" +
	`{"message": "This is an HTTPS port: use https:// in the URL"}`

// looksLikeHTTP reports whether the first bytes of a connection are those of
// an HTTP/1 request.
func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH", "CONNE", "TRACE":
		return true
	}
	return false
}

// addrPort returns a socket's address, IPv4 never as IPv6; zero where it is
// no IP address.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := tcp.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
