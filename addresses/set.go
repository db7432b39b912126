package addresses

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Set is a set of addresses: what its prefixes cover, as ranges that neither
// touch nor overlap, in order. A lookup halves them: it costs next to nothing
// more for ten thousand prefixes than for ten. It is immutable.
type Set struct {
	from4, to4 []uint32 // both ends are in
	from6, to6 []wide
}

// wide is an IPv6 address as a number.
type wide struct{ high, low uint64 }

func (a wide) less(b wide) bool { return a.high < b.high || a.high == b.high && a.low < b.low }

// next returns a+1; 0 after the last.
func (a wide) next() wide {
	a.low++
	if a.low == 0 {
		a.high++
	}
	return a
}

func wideOf(b [16]byte) wide {
	return wide{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// NewSet returns the set of what prefixes cover. An IPv4 prefix covers the same
// addresses written as IPv6 (::ffff:0:0/96); none of the prefixes is itself
// written so.
func NewSet(prefixes []netip.Prefix) *Set {
	prefixes = slices.Clone(prefixes)
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int { return a.Masked().Addr().Compare(b.Masked().Addr()) })
	s := &Set{}
	for _, p := range prefixes {
		if p.Addr().Is4() {
			s.add4(p)
		} else {
			s.add6(p)
		}
	}
	return s
}

// add4 adds a prefix that begins no earlier than those before it.
func (s *Set) add4(p netip.Prefix) {
	b := p.Masked().Addr().As4()
	from := binary.BigEndian.Uint32(b[:])
	to := from | uint32(1<<(32-p.Bits())-1)
	last := len(s.to4) - 1
	if last >= 0 && (from <= s.to4[last] || from == s.to4[last]+1) {
		s.to4[last] = max(s.to4[last], to)
		return
	}
	s.from4, s.to4 = append(s.from4, from), append(s.to4, to)
}

func (s *Set) add6(p netip.Prefix) {
	from := wideOf(p.Masked().Addr().As16())
	to := from
	if bits := p.Bits(); bits <= 64 {
		to = wide{from.high | ^uint64(0)>>bits, ^uint64(0)}
	} else {
		to.low |= 1<<(128-bits) - 1
	}
	last := len(s.to6) - 1
	if last >= 0 && (!s.to6[last].less(from) || s.to6[last].next() == from) {
		if s.to6[last].less(to) {
			s.to6[last] = to
		}
		return
	}
	s.from6, s.to6 = append(s.from6, from), append(s.to6, to)
}

// Contains reports whether a is in the set, as IPv4 where it is IPv4-mapped. A
// zone does not count; no set contains the zero Addr.
func (s *Set) Contains(a netip.Addr) bool {
	switch {
	case a.Is4() || a.Is4In6():
		b := a.As4()
		return s.contains4(binary.BigEndian.Uint32(b[:]))
	case a.Is6():
		return s.contains6(wideOf(a.As16()))
	}
	return false
}

// contains4 finds the last range that begins at a or before. What it compares is
// added without a branch, which nobody could predict.
func (s *Set) contains4(a uint32) bool {
	if len(s.from4) == 0 || a < s.from4[0] {
		return false
	}
	at := 0
	for n := len(s.from4); n > 1; {
		half := n / 2
		next := at
		if s.from4[at+half] <= a {
			next = at + half
		}
		at, n = next, n-half
	}
	return a <= s.to4[at]
}

func (s *Set) contains6(a wide) bool {
	if len(s.from6) == 0 || a.less(s.from6[0]) {
		return false
	}
	at := 0
	for n := len(s.from6); n > 1; {
		half := n / 2
		next := at
		if !a.less(s.from6[at+half]) {
			next = at + half
		}
		at, n = next, n-half
	}
	return !s.to6[at].less(a)
}

// Len returns the number of ranges.
func (s *Set) Len() int { return len(s.from4) + len(s.from6) }
