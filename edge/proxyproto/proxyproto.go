// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2,
// by which a load balancer names the client of a TCP connection.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a PROXY header says.
type Header struct {
	// Source is the client; never IPv4-mapped. The zero AddrPort where the
	// proxy speaks for itself (LOCAL) or does not know (UNKNOWN, UNSPEC).
	Source netip.AddrPort
	// Destination is the address that the client connected to.
	Destination netip.AddrPort
}

// The errors of Parse.
var (
	// ErrMore says that b is the beginning of a header, or might be.
	ErrMore = errors.New("proxyproto: more bytes are needed")
	// ErrNone says that b does not begin with a header.
	ErrNone = errors.New("proxyproto: no PROXY header")
	// ErrBroken says that b begins as a header does but is none.
	ErrBroken = errors.New("proxyproto: broken PROXY header")
)

// MaxLength is the longest header in bytes that Parse accepts. Version 2
// allows 64 KiB of extensions, of which the known ones need a fraction.
const MaxLength = 4 << 10

const (
	maxV1      = 107 // section 2.1
	prefixV1   = "PROXY "
	prefixV2   = "\r\n\r\n\x00\r\nQUIT\n"
	fixedV2    = 16
	addresses4 = 12
	addresses6 = 36
)

// Parse reads a header from the beginning of b and returns it with its length.
// The error is nil or one of the package's.
func Parse(b []byte) (Header, int, error) {
	switch {
	case begins(b, prefixV2):
		return parseV2(b)
	case begins(b, prefixV1):
		return parseV1(b)
	case len(b) < len(prefixV2) && (begins([]byte(prefixV2), string(b)) || begins([]byte(prefixV1), string(b))):
		return Header{}, 0, ErrMore
	}
	return Header{}, 0, ErrNone
}

func begins(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// parseV1 reads "PROXY TCP4 SRC DST SPORT DPORT\r\n".
func parseV1(b []byte) (Header, int, error) {
	end := bytes.Index(b[:min(len(b), maxV1)], []byte("\r\n"))
	if end < 0 {
		if len(b) >= maxV1 {
			return Header{}, 0, ErrBroken
		}
		return Header{}, 0, ErrMore
	}
	fields := strings.Split(string(b[len(prefixV1):end]), " ")
	n := end + len("\r\n")
	if fields[0] == "UNKNOWN" {
		return Header{}, n, nil // what follows is to be ignored
	}
	if len(fields) != 5 || fields[0] != "TCP4" && fields[0] != "TCP6" {
		return Header{}, 0, ErrBroken
	}
	src, ok1 := parseEnd(fields[0], fields[1], fields[3])
	dst, ok2 := parseEnd(fields[0], fields[2], fields[4])
	if !ok1 || !ok2 {
		return Header{}, 0, ErrBroken
	}
	return Header{src, dst}, n, nil
}

func parseEnd(family, address, port string) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Zone() != "" || addr.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// parseV2 reads the binary form (section 2.2).
func parseV2(b []byte) (Header, int, error) {
	if len(b) < fixedV2 {
		return Header{}, 0, ErrMore
	}
	version, command, family := b[12]>>4, b[12]&15, b[13]
	n := fixedV2 + int(binary.BigEndian.Uint16(b[14:]))
	if version != 2 || command > 1 || n > MaxLength {
		return Header{}, 0, ErrBroken
	}
	if len(b) < n {
		return Header{}, 0, ErrMore
	}
	if command == 0 {
		return Header{}, n, nil // LOCAL: the proxy's own, such as a health check
	}
	h, ok := addressesV2(family, b[fixedV2:n])
	if !ok {
		return Header{}, 0, ErrBroken
	}
	return h, n, nil
}

func addressesV2(family byte, b []byte) (Header, bool) {
	switch family {
	case 0x00, 0x31: // UNSPEC, and a stream over a Unix socket: no address to use
		return Header{}, true
	case 0x11:
		if len(b) < addresses4 {
			return Header{}, false
		}
		return endsV2(netip.AddrFrom4([4]byte(b[0:4])), netip.AddrFrom4([4]byte(b[4:8])), b[8:12]), true
	case 0x21:
		if len(b) < addresses6 {
			return Header{}, false
		}
		return endsV2(netip.AddrFrom16([16]byte(b[0:16])), netip.AddrFrom16([16]byte(b[16:32])), b[32:36]), true
	}
	return Header{}, false // datagrams do not come over TCP
}

func endsV2(src, dst netip.Addr, ports []byte) Header {
	return Header{
		Source:      netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(ports)),
		Destination: netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(ports[2:])),
	}
}
