package store

// reducer thins out the samples of one series, which come in the order of time. Of
// each interval that ends at a multiple of step it keeps samples as they were, at
// their own times:
//
//   - the last one;
//   - of a Counter, the one before each restart, so that what it has counted can be
//     told as exactly as before;
//   - of a Gauge, the lowest and the highest, where they are others than the last.
type reducer struct {
	step int64
	kind Kind
	emit func(t int64, v float64)

	interval int64
	held     []point
	last     int64 // time of the newest sample
}

type point struct {
	t int64
	v float64
}

func (r *reducer) add(t int64, v float64) {
	if t <= r.last {
		return // told by another block already
	}
	r.last = t
	if interval := (t + r.step - 1) / r.step; interval != r.interval {
		r.end()
		r.interval = interval
	}
	r.held = append(r.held, point{t, v})
}

// end ends the interval.
func (r *reducer) end() {
	if len(r.held) == 0 {
		return
	}
	keep := make([]bool, len(r.held))
	r.mark(keep)
	for i, k := range keep {
		if k {
			r.emit(r.held[i].t, r.held[i].v)
		}
	}
	r.held = r.held[:0]
}

func (r *reducer) mark(keep []bool) {
	last := len(r.held) - 1
	keep[last] = true
	if isStale(r.held[last].v) { // the series ends here: the last value counts too
		for last > 0 && isStale(r.held[last].v) {
			last--
		}
		keep[last] = true
	}
	if r.kind == Counter {
		r.markRestarts(keep)
		return
	}
	low, high := last, last
	for i, p := range r.held {
		switch {
		case isStale(p.v):
		case p.v < r.held[low].v:
			low = i
		case p.v > r.held[high].v:
			high = i
		}
	}
	keep[low], keep[high] = true, true
}

func (r *reducer) markRestarts(keep []bool) {
	before := -1
	for i, p := range r.held {
		if isStale(p.v) {
			continue
		}
		if before >= 0 && p.v < r.held[before].v {
			keep[before] = true
		}
		before = i
	}
}
