package dial

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// check applies the rules to one address, just before it is connected to.
func (d *Dialer) check(network, address string) error {
	if !strings.HasPrefix(network, "tcp") {
		return &refusal{address, "only TCP is dialled"}
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &refusal{address, "not an address"}
	}
	addr := plain(to.Addr())
	if d.own.holds(addr, to.Port()) {
		return &refusal{address, "the gateway's own control"}
	}
	if !d.public || d.lists(addr) {
		return nil
	}
	if what := notPublic(addr); what != "" {
		return &refusal{address, what}
	}
	return nil
}

func (d *Dialer) lists(a netip.Addr) bool {
	return slices.ContainsFunc(d.listed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// holds reports whether addr and port reach one of the gateway's own sockets.
func (o *own) holds(addr netip.Addr, port uint16) bool {
	addrs := o.addrs.Load()
	if addrs == nil {
		return false
	}
	for _, a := range *addrs {
		if a.Port() == port && o.reaches(addr, a.Addr()) {
			return true
		}
	}
	return false
}

// reaches reports whether connecting to addr can reach a socket bound to
// bound. To connect to an unspecified address is to connect to this machine.
func (o *own) reaches(addr, bound netip.Addr) bool {
	if addr == bound {
		return true
	}
	if !bound.IsUnspecified() {
		return addr.IsUnspecified()
	}
	if addr.IsUnspecified() || addr.IsLoopback() {
		return true
	}
	local, err := o.local()
	if err != nil {
		return true // rather a service unreachable than the control reachable
	}
	return slices.Contains(local, addr)
}

func interfaceAddrs() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, n := range nets {
		ip, ok := n.(*net.IPNet)
		if !ok {
			continue
		}
		if a, ok := netip.AddrFromSlice(ip.IP); ok {
			addrs = append(addrs, plain(a))
		}
	}
	return addrs, nil
}

// plain is the form in which addresses are compared: IPv4-mapped ones
// unmapped, without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// notPublic returns why a is no public unicast address; "" where it is one.
func notPublic(a netip.Addr) string {
	if in, ok := embedded(a); ok {
		if what := notPublic(in); what != "" {
			return what + ", inside an IPv6 address"
		}
	}
	for _, s := range special() {
		if s.prefix.Contains(a) {
			return s.what
		}
	}
	return ""
}

// embedded returns the IPv4 address that the well-known NAT64 prefix (RFC
// 6052) or 6to4 (RFC 3056) would take a to.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

type specialRange struct {
	prefix netip.Prefix
	what   string
}

// special are the ranges that are not public unicast: IANA's special-purpose
// registries for IPv4 and IPv6, and the addresses at which clouds serve
// credentials outside of them.
func special() []specialRange {
	var out []specialRange
	add := func(what string, prefixes ...string) {
		for _, p := range prefixes {
			out = append(out, specialRange{netip.MustParsePrefix(p), what})
		}
	}
	add("a metadata address", "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128")
	add("an unspecified address", "0.0.0.0/8", "::/128")
	add("a loopback address", "127.0.0.0/8", "::1/128")
	add("a link-local address", "169.254.0.0/16", "fe80::/10")
	add("a private address", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10", "64:ff9b:1::/48")
	add("a carrier's shared address", "100.64.0.0/10")
	add("a multicast address", "224.0.0.0/4", "ff00::/8")
	add("a reserved address", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16")
	return out
}
