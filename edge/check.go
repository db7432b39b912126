package edge

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
)

// Check adds what is wrong with one listener by itself.
func (l *Listener) Check(r *config.Report) {
	if _, _, err := splitAddress(l.Address); err != nil && !passed(l.Address) {
		r.Errorf(l.Of("address"), "the address %q is not HOST:PORT: %v", l.Address, err)
	}
	if l.TLS != nil && l.Redirect.HTTPS {
		r.Errorf(l.Of("redirect"), "a listener with tls cannot redirect to https: remove one of them")
	}
	if l.ProxyProtocol != "off" && l.ProxyProtocol != "" && len(l.TrustedProxies) == 0 {
		r.Errorf(l.Of("proxy-protocol"), "proxy-protocol: %s needs trusted-proxies: a PROXY header is believed from them alone", l.ProxyProtocol)
	}
	if slices.Contains(l.Serve, "aws") && l.TLS == nil && len(l.TrustedProxies) == 0 && !l.isLocal() {
		r.Errorf(l.Of("serve"), "answers of STS are credentials: give the listener tls, or a loopback address")
	}
	l.Limits.check(r)
	if l.TLS != nil {
		l.TLS.check(r)
	}
}

// isLocal reports a listener that this machine alone can reach.
func (l *Listener) isLocal() bool {
	host, _, _ := splitAddress(l.Address)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func (l *Limits) check(r *config.Report) {
	// The kernel counts milliseconds, and 0 means its own default to it.
	if l.WriteTimeout != 0 && l.WriteTimeout.D() < time.Second {
		r.Errorf(l.Of("write-timeout"), "limits.write-timeout is 0 or at least 1s")
	}
	if l.BodyRate != 0 && l.BodyTimeout == 0 {
		if l.Has("body-rate") {
			r.Errorf(l.Of("body-rate"), "limits.body-rate needs a body-timeout, after which it is measured")
		}
	}
}

func (t *TLS) check(r *config.Report) {
	if t.HSTS != 0 && t.HSTS.D() < time.Second {
		r.Errorf(t.Of("hsts"), "tls.hsts counts whole seconds")
	}
}

// byName begins the address of a listener whose socket the service manager
// passes under a name.
const byName = "systemd:"

// passed reports whether an address is such a name, in place of HOST:PORT.
func passed(address string) bool {
	name, ok := strings.CutPrefix(address, byName)
	_, number := strconv.ParseUint(name, 10, 16)
	return ok && number != nil && name != "" && !strings.ContainsAny(name, ": \t\r\n")
}

// splitAddress splits HOST:PORT. A host is empty, an IP address or a name.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		if addrErr, ok := err.(*net.AddrError); ok {
			return "", 0, errorString(addrErr.Err)
		}
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, errorString("the port is a number between 0 and 65535")
	}
	return host, int(n), nil
}

type errorString string

func (e errorString) Error() string { return string(e) }

// checkAll adds what is wrong with the listeners taken together.
func checkAll(listeners []Listener, r *config.Report) {
	seen := make(map[string]config.Pos, len(listeners))
	for i := range listeners {
		l := &listeners[i]
		if first, ok := seen[l.Address]; ok && !anyPort(l.Address) {
			r.Errorf(l.Of("address"), "the address %s is already listened on at %s", l.Address, first)
			continue
		}
		seen[l.Address] = l.Of("address")
		if l.Redirect.HTTPS && l.Redirect.Port == 0 && firstTLS(listeners) < 0 {
			r.Errorf(l.Of("redirect"), "redirect: https, but no listener has tls: give one tls, or write https:PORT")
		}
	}
}

// anyPort reports whether the system chooses the port, so that several
// listeners may say the same.
func anyPort(address string) bool {
	_, port, err := splitAddress(address)
	return err == nil && port == 0
}

// firstTLS returns the index of the first listener with TLS; -1 for none.
func firstTLS(listeners []Listener) int {
	return slices.IndexFunc(listeners, func(l Listener) bool { return l.TLS != nil })
}

// keys returns a key for each listener: its address, numbered where several
// listeners let the system choose their port.
func keys(listeners []Listener) []string {
	seen := make(map[string]int, len(listeners))
	out := make([]string, len(listeners))
	for i := range listeners {
		address := listeners[i].Address
		seen[address]++
		out[i] = address
		if n := seen[address]; n > 1 {
			out[i] = address + "#" + strconv.Itoa(n)
		}
	}
	return out
}
