package balance

import "math"

// KeyOf hashes text to a key for Hash. It is the same in every process, so
// that every gateway finds the same target.
func KeyOf[T string | []byte](text T) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64: every bit of h changes half the result.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func seeds(targets []Target) []uint64 {
	out := make([]uint64, len(targets))
	for i, t := range targets {
		out[i] = KeyOf(t.Address)
	}
	return out
}

// hashed picks by weighted rendezvous hashing: every target draws a lot for
// the key, the highest wins. A target that comes or goes moves its own keys
// alone, there is nothing to rebuild, and the next in line is the next lot. As
// the share of a target grows, keys come to it, and none move between others.
func (p *Picker) hashed(f filter, key uint64) int {
	most := int64(math.MaxInt64)
	if p.options.Bound >= 1 {
		most = p.bound(f)
	}
	even := f.ring.even && !p.grows(f)
	best, highest := None, math.Inf(-1)
	for i := f.ring.from; i < f.ring.to; i++ {
		lot := p.evenLot(i, key)
		if !even {
			lot = p.weighted(lot, i, f.q)
		}
		if lot > highest && f.allows(i) && p.below(i, most) {
			best, highest = i, lot
		}
	}
	return best
}

// evenLot returns a number within 0 and 1, without both, that is target i's
// alone for key.
func (p *Picker) evenLot(i int, key uint64) float64 {
	return (float64(mix(key^p.seeds[i])>>11) + 0.5) / (1 << 53)
}

// weighted makes of target i's lot one that greater weights draw higher in
// proportion. Equal weights leave all lots in the same order.
func (p *Picker) weighted(lot float64, i int, q *Query) float64 {
	return -float64(p.targets[i].Weight) * float64(p.share(i, q)) / math.Log(lot)
}

// bound returns the load for one unit of weight, in thousandths, that no
// target may reach: one more than the average of those that may be picked,
// times the bound.
func (p *Picker) bound(f filter) int64 {
	load, weight := int64(1), int64(0)
	for i := f.ring.from; i < f.ring.to; i++ {
		if f.allows(i) {
			load += p.targets[i].Load.Load()
			weight += int64(p.targets[i].Weight)
		}
	}
	if weight == 0 {
		return 0
	}
	return int64(math.Ceil(p.options.Bound * float64(load) * 1000 / float64(weight)))
}

func (p *Picker) below(i int, most int64) bool {
	if most == math.MaxInt64 {
		return true
	}
	t := &p.targets[i]
	return t.Load.Load()*1000 < most*int64(t.Weight)
}
