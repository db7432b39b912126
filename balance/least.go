package balance

import "math/rand/v2"

// exactUpTo is how many targets least compares one by one. Of more, it
// compares two at random: nearly as even, and its cost does not grow.
const exactUpTo = 16

func (p *Picker) least(f filter) int {
	if len(f.ring.turns) == 0 {
		return p.leastOfAll(f)
	}
	a := p.random(f)
	b := p.random(f)
	if a == None || b == None {
		return p.leastOfAll(f)
	}
	if p.busier(a, b, p.options.Ramp.Window > 0, f.q) {
		return b
	}
	return a
}

// random returns a target that may be picked, by weight; None where a few tries
// found none.
func (p *Picker) random(f filter) int {
	for range 8 {
		i := f.ring.from + int(f.ring.turns[rand.IntN(len(f.ring.turns))])
		if f.allows(i) && p.admits(i, f) {
			return i
		}
	}
	return None
}

// leastOfAll compares all targets; of equals each is as likely as the others.
func (p *Picker) leastOfAll(f filter) int {
	grows := p.grows(f)
	best, equals, chance := None, uint64(1), rand.Uint64()
	for i := f.ring.from; i < f.ring.to; i++ {
		if !f.allows(i) || grows && !p.admits(i, f) {
			continue
		}
		switch {
		case best == None || p.busier(best, i, grows, f.q):
			best, equals = i, 1
		case !p.busier(i, best, grows, f.q):
			chance = mix(chance + uint64(i))
			if equals++; chance>>32*equals>>32 == 0 { // one in equals
				best = i
			}
		}
	}
	return best
}

// busier reports whether one more request makes a fuller than b, each measured
// by its weight. The requests of a target whose share grows count for more.
func (p *Picker) busier(a, b int, grows bool, q *Query) bool {
	x, y := &p.targets[a], &p.targets[b]
	if !grows {
		return (x.Load.Load()+1)*int64(y.Weight) > (y.Load.Load()+1)*int64(x.Weight)
	}
	return p.fullness(a, q)*int64(y.Weight) > p.fullness(b, q)*int64(x.Weight)
}

// fullness is what a target has to do with one more request, in thousandths.
func (p *Picker) fullness(i int, q *Query) int64 {
	return full + p.targets[i].Load.Load()*full*full/p.share(i, q)
}
