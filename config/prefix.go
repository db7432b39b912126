package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Prefix is a set of addresses: 10.0.0.0/8, or one address. IPv4 is never
// written as IPv6 in it.
type Prefix struct{ netip.Prefix }

// UnmarshalText reads an address or a prefix whose host bits are zero.
func (p *Prefix) UnmarshalText(text []byte) error {
	s := string(text)
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return fmt.Errorf("%q is no IP address or prefix such as 10.0.0.0/8", s)
		}
		addr = addr.Unmap()
		p.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("%q is no IP address or prefix such as 10.0.0.0/8", s)
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return fmt.Errorf("the prefix %s mixes IPv4 and IPv6", s)
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if whole := prefix.Masked(); whole != prefix {
		return fmt.Errorf("the prefix %s has bits beyond its length: did you mean %s?", s, whole)
	}
	p.Prefix = prefix
	return nil
}

// ConfigSchema describes the forms of UnmarshalText.
func (Prefix) ConfigSchema() *Schema {
	return &Schema{Type: "string", Pattern: `^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$`, Examples: []any{"10.0.0.0/8", "2001:db8::1"}}
}
