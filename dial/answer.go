package dial

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// Misleads returns why no name of a service should lead to an address: it is
// that of a cloud's metadata, of this link alone, of several machines or of
// none. It returns "" where one may. Who means such an address writes it down.
func Misleads(a netip.Addr) string {
	a = plain(a)
	switch {
	case slices.Contains(metadata(), a):
		return "a metadata address"
	case a.IsUnspecified(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "no machine's address"
	case a.IsMulticast():
		return "a multicast address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	}
	if in, ok := embedded(a); ok {
		return Misleads(in)
	}
	return ""
}

// metadata are the addresses at which clouds serve credentials.
func metadata() []netip.Addr {
	var out []netip.Addr
	for _, text := range []string{"169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"} {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// Routable reports whether this machine has a way to an address at all: one
// without IPv6 has none to IPv6 addresses. Nothing is sent.
func Routable(a netip.Addr) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return !isAny(err, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT)
	}
	_ = c.Close()
	return true
}
