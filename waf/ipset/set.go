package ipset

import (
	"encoding/binary"
	"net/netip"
	"unsafe"
)

// Set is a set of IP addresses. It is immutable, and safe for concurrent use. The
// zero Set is empty.
type Set struct {
	v4     table[uint32]
	blocks table[uint64] // IPv6, by whole /64: the first 64 bits
	parts  []part        // IPv6 ranges within one /64, sorted, apart from each other
	top    []part        // every stride-th of parts
}

// table is sorted ranges that neither touch nor overlap: from[i] to to[i], both
// in it.
type table[K uint32 | uint64] struct {
	from, to []K
	top      []K // every stride-th of from
}

// part is a range of addresses of one /64, by their last 64 bits.
type part struct{ block, from, to uint64 }

// stride is how many ranges lie below one entry of a top: what is searched first
// stays in the processor's caches, and the rest is a few of their lines.
const stride = 64

// Contains reports whether a is in the set. An IPv4-mapped address is that IPv4
// address, and zones do not count. No address at all is in no set.
func (s *Set) Contains(a netip.Addr) bool {
	a = a.Unmap()
	switch {
	case a.Is4():
		b := a.As4()
		return s.v4.contains(binary.BigEndian.Uint32(b[:]))
	case a.Is6():
		b := a.As16()
		return s.contains6(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]))
	}
	return false
}

func (s *Set) contains6(block, last uint64) bool {
	if s.blocks.contains(block) {
		return true
	}
	if len(s.parts) == 0 {
		return false
	}
	low := (upperPart(s.top, block, last) - 1) * stride
	if low < 0 {
		return false
	}
	high := min(low+stride, len(s.parts))
	p := &s.parts[low+upperPart(s.parts[low:high], block, last)-1]
	return p.block == block && last <= p.to
}

func (t *table[K]) contains(k K) bool {
	low := (upper(t.top, k) - 1) * stride
	if low < 0 {
		return false
	}
	high := min(low+stride, len(t.from))
	return k <= t.to[low+upper(t.from[low:high], k)-1]
}

// upper returns how many of sorted keys are not above k.
func upper[K uint32 | uint64](keys []K, k K) int {
	low, high := 0, len(keys)
	for low < high {
		if m := int(uint(low+high) >> 1); keys[m] > k {
			high = m
		} else {
			low = m + 1
		}
	}
	return low
}

// upperPart returns how many of sorted parts do not begin above an address.
func upperPart(parts []part, block, last uint64) int {
	low, high := 0, len(parts)
	for low < high {
		m := int(uint(low+high) >> 1)
		if p := &parts[m]; p.block > block || p.block == block && p.from > last {
			high = m
		} else {
			low = m + 1
		}
	}
	return low
}

// Len returns how many ranges the set holds. An IPv6 range that neither begins nor
// ends with a whole /64 counts as two or three.
func (s *Set) Len() int { return len(s.v4.from) + len(s.blocks.from) + len(s.parts) }

// Bytes returns the memory that the set takes.
func (s *Set) Bytes() int {
	return int(unsafe.Sizeof(*s)) + 4*(2*len(s.v4.from)+len(s.v4.top)) + 8*(2*len(s.blocks.from)+len(s.blocks.top)) + int(unsafe.Sizeof(part{}))*(len(s.parts)+len(s.top))
}

// every returns every stride-th of sorted entries.
func every[T any](sorted []T) []T {
	top := make([]T, 0, (len(sorted)+stride-1)/stride)
	for i := 0; i < len(sorted); i += stride {
		top = append(top, sorted[i])
	}
	return top
}
