package balance

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Method is how a Picker picks.
type Method uint8

// The methods.
const (
	RoundRobin    Method = iota // in turn, by weight
	LeastRequests               // the fewest requests in flight for its weight
	Hash                        // the same key, the same target
)

// Target is one of the things that a Picker picks from. What Health, Load and
// State point to is shared with everybody who uses the target.
type Target struct {
	Address  string        // what it hashes by
	Weight   int           // its share; below 1 counts as 1
	Priority int           // those of the lowest number are picked while one of them is usable
	Health   *Health       // nil where nothing watches it: always usable
	Load     *atomic.Int64 // its requests in flight; whoever uses a pick counts there
	State    *State        // nil where the service wants none of what it is for
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
	// Ramp is how the share of a target that is new, or back, grows.
	Ramp Ramp
	// Room is how many requests a target may have at once; 0 for any number.
	Room int64
	// Retry is for how long nobody else tries an ejected target while one
	// request does; 0 for five seconds.
	Retry time.Duration
	// Clock is that of the targets' States; it is needed where there are any.
	Clock Clock
}

// What Choose returns where nothing is picked.
const (
	None = -1 // there is nothing to pick
	Full = -2 // targets are usable, but none has room
)

// Picker picks from a list of targets that never changes. It is safe for
// concurrent use.
type Picker struct {
	options Options
	targets []Target
	seeds   []uint64 // of each target, for Hash
	rings   []ring   // one for each priority
	plain   bool     // picks are quick: turns alone, of one priority, without States
}

// ring is the targets of one priority.
type ring struct {
	from, to int
	even     bool     // all weights are equal
	turns    []uint16 // the order of RoundRobin; what LeastRequests draws from
	turn     atomic.Uint64
}

// NewPicker returns a Picker of targets, which are in the order of their
// priorities; it keeps the slice. At most 65,536 targets are picked from.
func NewPicker(targets []Target, o Options) *Picker {
	targets = targets[:min(len(targets), 1<<16)]
	if o.Retry <= 0 {
		o.Retry = 5 * time.Second
	}
	p := &Picker{options: o, targets: targets}
	levels := 0
	for i := range targets {
		targets[i].Weight = max(targets[i].Weight, 1)
		if i == 0 || targets[i].Priority != targets[i-1].Priority {
			levels++
		}
	}
	p.rings = make([]ring, levels)
	for i, from := 0, 0; from < len(targets); i++ {
		to := from + 1
		for to < len(targets) && targets[to].Priority == targets[from].Priority {
			to++
		}
		p.rings[i].fill(targets, from, to, o.Method)
		from = to
	}
	if o.Method == Hash {
		p.seeds = seeds(targets)
	}
	p.plain = o.Method == RoundRobin && levels == 1
	for i := range targets {
		p.plain = p.plain && targets[i].State == nil
	}
	return p
}

func (r *ring) fill(targets []Target, from, to int, m Method) {
	r.from, r.to, r.even = from, to, true
	weights := make([]int, to-from)
	for i := range weights {
		weights[i] = targets[from+i].Weight
		r.even = r.even && weights[i] == weights[0]
	}
	if m == RoundRobin || m == LeastRequests && to-from > exactUpTo {
		r.turns = schedule(weights)
		r.turn.Store(uint64(rand.IntN(1 << 16))) // gateways started together do not walk in step
	}
}

// Len returns the number of targets.
func (p *Picker) Len() int { return len(p.targets) }

// Targets returns the targets. They are not to be changed.
func (p *Picker) Targets() []Target { return p.targets }

// Target returns target i.
func (p *Picker) Target(i int) *Target { return &p.targets[i] }

// Pick returns the index of a target that is usable and not in skip, or None.
// Where every usable one is in skip, one of those is picked again. Key counts
// for Hash alone.
func (p *Picker) Pick(key uint64, skip []int) int {
	if p.plain && len(skip) == 0 {
		if i, ok := p.quick(); ok {
			return i
		}
	}
	q := Query{Key: key, Skip: skip}
	return max(p.Choose(&q), None)
}

// quick returns whose turn it is, where there is nothing more to ask than that
// one's health, and whether it is usable.
func (p *Picker) quick() (i int, ok bool) {
	r := &p.rings[0]
	i = int(r.turns[r.turn.Add(1)%uint64(len(r.turns))])
	return i, p.targets[i].Health.Usable()
}

// Choose is Pick for who wants to know more: it returns the index of a target,
// None, or Full, and notes in q what it found on the way.
func (p *Picker) Choose(q *Query) int {
	if p.plain && len(q.Skip) == 0 && q.Want == 0 {
		i, ok := p.quick()
		if ok {
			return i
		}
		q.pass(i, Sick)
	}
	for ; ; q.Want = 0 {
		i := p.choose(q)
		if i < 0 || p.take(i, q) {
			return i
		}
		q.now = 0 // somebody was faster: look again
	}
}

// take makes the pick that of the caller, where the target has been claimed by
// nobody in between.
func (p *Picker) take(i int, q *Query) bool {
	s := p.targets[i].State
	if s == nil {
		return true
	}
	if room := p.options.Room; room > 0 {
		if !s.enter(room) {
			return false
		}
		q.Entry = true
	}
	if q.mercy || s.until.Load() == 0 {
		return true
	}
	if q.Probe = s.claim(q.time(p), p.options.Retry); !q.Probe && q.Entry {
		q.Entry = false
		s.Leave()
	}
	return q.Probe
}

// choose looks for a target in ever less demanding ways.
func (p *Picker) choose(q *Query) int {
	q.busy, q.Last, q.mercy = false, false, false
	if i := q.Want - 1; i >= 0 && i < len(p.targets) && (filter{p: p, q: q, skip: q.Skip}).allows(i) {
		return i
	}
	if i := p.search(q, q.Skip, strict); i != None {
		return i
	}
	if len(q.Skip) > 0 {
		if i := p.search(q, nil, strict); i != None {
			return i
		}
	}
	q.mercy = true
	if i := p.search(q, nil, lenient); i != None {
		return i
	}
	if p.options.Closed {
		return None
	}
	q.Last = true
	if i := p.search(q, q.Skip, all); i != None || len(q.Skip) == 0 {
		return i
	}
	return p.search(q, nil, all)
}

// search looks through the priorities. One whose targets are usable and busy is
// not left for the next.
func (p *Picker) search(q *Query, skip []int, lax laxity) int {
	for r := range p.rings {
		i := p.pick(filter{p, q, &p.rings[r], skip, lax})
		if i != None {
			return i
		}
		if q.busy {
			return Full
		}
	}
	return None
}

func (p *Picker) pick(f filter) int {
	switch p.options.Method {
	case LeastRequests:
		return p.least(f)
	case Hash:
		return p.hashed(f, f.q.Key)
	}
	return p.next(f)
}

// next takes turns until one falls on a target that may be picked. Turns that
// are taken in vain are gone for everybody, so that what a sick target leaves
// is shared by all others, not by its neighbour.
func (p *Picker) next(f filter) int {
	r := f.ring
	n := uint64(len(r.turns))
	for range r.turns {
		i := r.from + int(r.turns[r.turn.Add(1)%n])
		if f.allows(i) && p.admits(i, f) {
			return i
		}
	}
	return p.any(f)
}

// any returns some target that may be picked, where turns taken by others in
// between made next miss it.
func (p *Picker) any(f filter) int {
	n := f.ring.to - f.ring.from
	start := rand.IntN(n)
	for k := range n {
		if i := f.ring.from + (start+k)%n; f.allows(i) {
			return i
		}
	}
	return None
}
