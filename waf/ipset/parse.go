package ipset

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Range is the addresses from From to To, both included: of one family, neither
// IPv4-mapped nor with a zone.
type Range struct{ From, To netip.Addr }

// Parse reads an address, a prefix whose host bits are zero, or a range as
// FIRST-LAST. What is IPv4-mapped is IPv4.
func Parse(text string) (Range, error) {
	if first, last, is := strings.Cut(text, "-"); is {
		return parseRange(strings.TrimSpace(first), strings.TrimSpace(last))
	}
	if !strings.Contains(text, "/") {
		a, err := parseAddr(text)
		return Range{a, a}, err
	}
	return parsePrefix(text)
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is no address, prefix or range: write 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-192.0.2.9", shorten(text))
	}
	return a.Unmap(), nil
}

func parsePrefix(text string) (Range, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return Range{}, fmt.Errorf("%q is no prefix such as 192.0.2.0/24 or 2001:db8::/32", shorten(text))
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return Range{}, fmt.Errorf("%q mixes IPv4 and IPv6", shorten(text))
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if whole := p.Masked(); whole != p {
		return Range{}, fmt.Errorf("%q has bits beyond its length: did you mean %s?", shorten(text), whole)
	}
	return Range{p.Addr(), lastOf(p)}, nil
}

// Of returns the range of a prefix that is not IPv4-mapped, whatever its host bits.
func Of(p netip.Prefix) Range {
	p = p.Masked()
	return Range{p.Addr(), lastOf(p)}
}

// lastOf returns the last address of a prefix whose host bits are zero.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func parseRange(first, last string) (Range, error) {
	from, err := parseAddr(first)
	if err != nil {
		return Range{}, err
	}
	to, err := parseAddr(last)
	if err != nil {
		return Range{}, err
	}
	switch {
	case from.Is4() != to.Is4():
		return Range{}, errors.New("a range is of one family: " + first + "-" + last + " mixes IPv4 and IPv6")
	case to.Less(from):
		return Range{}, fmt.Errorf("the range %s-%s ends before it begins", from, to)
	}
	return Range{from, to}, nil
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
