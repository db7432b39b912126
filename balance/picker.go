package balance

import (
	"math/rand/v2"
	"sync/atomic"
)

// Method is how a Picker picks.
type Method uint8

// The methods.
const (
	RoundRobin    Method = iota // in turn, by weight
	LeastRequests               // the fewest requests in flight for its weight
	Hash                        // the same key, the same target
)

// Target is one of the things that a Picker picks from. What Health and Load
// point to is shared with everybody who uses the target.
type Target struct {
	Address string        // what it hashes by
	Weight  int           // its share; below 1 counts as 1
	Health  *Health       // nil where nothing watches it: always usable
	Load    *atomic.Int64 // its requests in flight; whoever uses a pick counts there
}

// Options say how a Picker picks.
type Options struct {
	Method Method
	// Closed makes Pick return nothing while no target is healthy. Without it
	// all targets are used then, as if all were healthy.
	Closed bool
	// Bound, for Hash, is how far a target's load may be above the average
	// before its keys go to the next one: 1.25 stands for a quarter. Zero, or
	// anything below 1, is no bound.
	Bound float64
}

// None is what Pick returns where there is nothing to pick.
const None = -1

// Picker picks from a list of targets that never changes. It is safe for
// concurrent use.
type Picker struct {
	options Options
	targets []Target
	seeds   []uint64 // of each target, for Hash
	even    bool     // all weights are equal
	turns   []uint16 // the order of RoundRobin
	turn    atomic.Uint64
}

// NewPicker returns a Picker of targets; it keeps the slice. At most 65,536
// targets are picked from.
func NewPicker(targets []Target, o Options) *Picker {
	targets = targets[:min(len(targets), 1<<16)]
	p := &Picker{options: o, targets: targets, even: true}
	weights := make([]int, len(targets))
	for i := range targets {
		t := &targets[i]
		t.Weight = max(t.Weight, 1)
		weights[i] = t.Weight
		p.even = p.even && t.Weight == targets[0].Weight
	}
	switch o.Method {
	case RoundRobin:
		p.turns = schedule(weights)
		p.turn.Store(uint64(rand.IntN(1 << 16))) // gateways started together do not walk in step
	case Hash:
		p.seeds = seeds(targets)
	}
	return p
}

// Len returns the number of targets.
func (p *Picker) Len() int { return len(p.targets) }

// Pick returns the index of a target that is usable and not in skip, or None.
// Where every usable one is in skip, one of those is picked again. Key counts
// for Hash alone.
func (p *Picker) Pick(key uint64, skip []int) int {
	if len(p.targets) == 1 {
		return p.only()
	}
	if i := p.pick(filter{p, skip, false}, key); i != None {
		return i
	}
	if len(skip) > 0 {
		if i := p.pick(filter{p, nil, false}, key); i != None {
			return i
		}
	}
	if p.options.Closed {
		return None
	}
	if i := p.pick(filter{p, skip, true}, key); i != None {
		return i
	}
	return p.pick(filter{p, nil, true}, key)
}

func (p *Picker) only() int {
	if p.options.Closed && !p.targets[0].Health.Usable() {
		return None
	}
	return 0
}

func (p *Picker) pick(f filter, key uint64) int {
	switch p.options.Method {
	case LeastRequests:
		return p.least(f)
	case Hash:
		return p.hashed(f, key)
	}
	return p.next(f)
}

// filter says which targets may be picked now.
type filter struct {
	p    *Picker
	skip []int
	sick bool // healthy or not
}

func (f filter) allows(i int) bool {
	if !f.sick && !f.p.targets[i].Health.Usable() {
		return false
	}
	for _, s := range f.skip {
		if s == i {
			return false
		}
	}
	return true
}

// next takes turns until one falls on a target that may be picked. Turns that
// are taken in vain are gone for everybody, so that what a sick target leaves
// is shared by all others, not by its neighbour.
func (p *Picker) next(f filter) int {
	n := uint64(len(p.turns))
	for range p.turns {
		i := int(p.turns[p.turn.Add(1)%n])
		if f.allows(i) {
			return i
		}
	}
	return p.any(f)
}

// any returns some target that may be picked, where turns taken by others in
// between made next miss it.
func (p *Picker) any(f filter) int {
	for i := range p.targets {
		if f.allows(i) {
			return i
		}
	}
	return None
}

// exactUpTo is how many targets least compares one by one. Of more, it
// compares two at random: nearly as even, and its cost does not grow.
const exactUpTo = 16

func (p *Picker) least(f filter) int {
	n := len(p.targets)
	if n <= exactUpTo {
		return p.leastOfAll(f)
	}
	a := p.random(f)
	b := p.random(f)
	if a == None || b == None {
		return p.leastOfAll(f)
	}
	if p.busier(a, b) {
		return b
	}
	return a
}

// random returns a target that may be picked; None where a few tries found
// none.
func (p *Picker) random(f filter) int {
	for range 8 {
		if i := rand.IntN(len(p.targets)); f.allows(i) {
			return i
		}
	}
	return None
}

// leastOfAll compares all targets; of equals each is as likely as the others.
func (p *Picker) leastOfAll(f filter) int {
	best, equals := None, uint32(1)
	for i := range p.targets {
		if !f.allows(i) {
			continue
		}
		switch {
		case best == None || p.busier(best, i):
			best, equals = i, 1
		case !p.busier(i, best):
			if equals++; rand.Uint32N(equals) == 0 {
				best = i
			}
		}
	}
	return best
}

// busier reports whether one more request makes a fuller than b, each
// measured by its weight.
func (p *Picker) busier(a, b int) bool {
	x, y := &p.targets[a], &p.targets[b]
	return (x.Load.Load()+1)*int64(y.Weight) > (y.Load.Load()+1)*int64(x.Weight)
}
