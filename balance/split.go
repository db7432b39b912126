package balance

import (
	"math/rand/v2"
	"sort"
	"sync/atomic"
)

// Split shares requests among parts by weight, whatever becomes of them: among
// so many in a row as all weights together, divided by what they have in common,
// each part gets its weight exactly. It is safe for concurrent use.
type Split struct {
	ends   []uint64 // of each part, on a line as long as all weights
	length uint64
	stride uint64
	turn   atomic.Uint64
}

// NewSplit returns a Split with these weights, of which at least one is above
// zero: a part of weight 0 gets nothing.
func NewSplit(weights []int) *Split {
	divisor := 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
	}
	s := &Split{}
	for _, w := range weights {
		s.length += uint64(w / divisor)
		s.ends = append(s.ends, s.length)
	}
	s.stride = stride(s.length)
	s.turn.Store(uint64(rand.IntN(1 << 16))) // gateways started together do not walk in step
	return s
}

// stride returns a step by which one goes round a circle of n places and comes to
// each once, always far from where one has just been: near the golden section of
// it.
func stride(n uint64) uint64 {
	const golden = 0.6180339887498949
	step := uint64(float64(n)*golden + 0.5)
	for step = max(step, 1); gcd(int(step), int(n)) != 1; {
		step++
	}
	return step
}

// Next returns the index of the part whose turn it is.
func (s *Split) Next() int {
	at := s.turn.Add(1) % s.length * s.stride % s.length
	return sort.Search(len(s.ends), func(i int) bool { return at < s.ends[i] })
}
