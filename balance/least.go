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
	var load, weight int64 // of the best
	for i := f.ring.from; i < f.ring.to; i++ {
		if !f.allows(i) || grows && !p.admits(i, f) {
			continue
		}
		l, w := p.load(i, grows, f.q), int64(p.targets[i].Weight)
		switch mine, its := l*weight, load*w; {
		case best == None || mine < its:
			best, equals, load, weight = i, 1, l, w
		case mine == its:
			chance = mix(chance + uint64(i))
			if equals++; chance>>32*equals>>32 == 0 { // one in equals
				best, load, weight = i, l, w
			}
		}
	}
	return best
}

// busier reports whether one more request makes a fuller than b, each measured
// by its weight.
func (p *Picker) busier(a, b int, grows bool, q *Query) bool {
	return p.load(a, grows, q)*int64(p.targets[b].Weight) > p.load(b, grows, q)*int64(p.targets[a].Weight)
}

// load is what a target has to do with one more request; where the shares of
// some grow, in thousandths, and what such a one has counts for more.
func (p *Picker) load(i int, grows bool, q *Query) int64 {
	n := p.targets[i].Load.Load()
	if !grows {
		return n + 1
	}
	return full + n*full*full/p.share(i, q)
}
