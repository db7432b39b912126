package ipset

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
)

// MaxRanges is how many ranges a set is made of, at most.
const MaxRanges = 1 << 23

// Builder gathers ranges for a Set. The zero Builder is empty. It is not safe for
// concurrent use.
type Builder struct {
	v4 []span4
	v6 []span6
}

type span4 struct{ from, to uint32 }

type span6 struct{ from, to wide }

// wide is an IPv6 address as two numbers.
type wide struct{ block, last uint64 }

func (a wide) compare(b wide) int {
	return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(a.last, b.last))
}

// next is the address after a, which is not the last of all.
func (a wide) next() wide {
	if a.last == math.MaxUint64 {
		return wide{a.block + 1, 0}
	}
	return wide{a.block, a.last + 1}
}

// Add adds a range, its ends included. Both are of one family, from is not above
// to, and neither is IPv4-mapped: Parse returns such.
func (b *Builder) Add(r Range) {
	if r.From.Is4() {
		from, to := r.From.As4(), r.To.As4()
		b.v4 = append(b.v4, span4{binary.BigEndian.Uint32(from[:]), binary.BigEndian.Uint32(to[:])})
		return
	}
	b.v6 = append(b.v6, span6{wideOf(r.From), wideOf(r.To)})
}

func wideOf(a netip.Addr) wide {
	b := a.As16()
	return wide{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Len returns how many ranges were added.
func (b *Builder) Len() int { return len(b.v4) + len(b.v6) }

// Build returns the set of what was added. The Builder is empty afterwards.
func (b *Builder) Build() *Set {
	s := &Set{}
	s.build4(b.v4)
	s.build6(b.v6)
	*b = Builder{}
	s.v4.top, s.blocks.top, s.top = every(s.v4.from), every(s.blocks.from), every(s.parts)
	return s
}

func (s *Set) build4(spans []span4) {
	slices.SortFunc(spans, func(a, b span4) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, r := range spans {
		if n > 0 && (spans[n-1].to == math.MaxUint32 || r.from <= spans[n-1].to+1) {
			spans[n-1].to = max(spans[n-1].to, r.to)
			continue
		}
		spans[n] = r
		n++
	}
	s.v4 = table[uint32]{from: make([]uint32, n), to: make([]uint32, n)}
	for i, r := range spans[:n] {
		s.v4.from[i], s.v4.to[i] = r.from, r.to
	}
}

func (s *Set) build6(spans []span6) {
	spans = merge6(spans)
	blocks, parts := 0, 0
	for _, r := range spans {
		r.split(func(uint64, uint64) { blocks++ }, func(part) { parts++ })
	}
	s.blocks = table[uint64]{from: make([]uint64, 0, blocks), to: make([]uint64, 0, blocks)}
	s.parts = make([]part, 0, parts)
	for _, r := range spans {
		r.split(func(from, to uint64) {
			s.blocks.from, s.blocks.to = append(s.blocks.from, from), append(s.blocks.to, to)
		}, func(p part) { s.parts = append(s.parts, p) })
	}
}

func merge6(spans []span6) []span6 {
	slices.SortFunc(spans, func(a, b span6) int { return a.from.compare(b.from) })
	n := 0
	for _, r := range spans {
		if n > 0 {
			last := &spans[n-1].to
			if *last == (wide{math.MaxUint64, math.MaxUint64}) || r.from.compare(last.next()) <= 0 {
				if last.compare(r.to) < 0 {
					*last = r.to
				}
				continue
			}
		}
		spans[n] = r
		n++
	}
	return spans[:n]
}

// split parts a range into the part of its first /64, its whole /64s, and the part
// of its last one; in this order, so that what comes of sorted ranges is sorted.
func (r span6) split(blocks func(from, to uint64), parts func(part)) {
	from, to := r.from, r.to
	if from.block == to.block && (from.last != 0 || to.last != math.MaxUint64) {
		parts(part{from.block, from.last, to.last})
		return
	}
	if from.last != 0 {
		parts(part{from.block, from.last, math.MaxUint64})
		from = wide{from.block + 1, 0}
	}
	tail := to.last != math.MaxUint64
	end := to.block
	if tail {
		end--
	}
	if from.block <= end && (!tail || to.block > 0) {
		blocks(from.block, end)
	}
	if tail {
		parts(part{to.block, 0, to.last})
	}
}
