package balance

import (
	"math/rand/v2"
	"sync/atomic"
)

// Whole is what a Portion is a part of.
const Whole = 1_000_000

// Portion picks a fixed share of what comes, exactly: among any so many in a
// row, neither one more nor one less than the share says, evenly spread. It is
// safe for concurrent use.
type Portion struct {
	parts uint64
	turn  atomic.Uint64
}

// NewPortion returns a Portion of parts, from 0 to Whole.
func NewPortion(parts int) *Portion {
	p := &Portion{parts: uint64(min(max(parts, 0), Whole))}
	p.turn.Store(uint64(rand.IntN(Whole))) // gateways started together do not walk in step
	return p
}

// Next reports whether the next one is picked.
func (p *Portion) Next() bool {
	n := p.turn.Add(1) % Whole
	return (n+1)*p.parts/Whole > n*p.parts/Whole
}

// Holds reports whether a key is of the share: the same key always, and still
// when the share has grown.
func (p *Portion) Holds(key uint64) bool { return key%Whole < p.parts }

// Percent returns a share in percent as parts of Whole.
func Percent(percent float64) int { return int(percent*(Whole/100) + 0.5) }
