package rate

import "math"

// parts is in how many parts a window slides: by 10 s for a minute, as AWS WAF's
// do.
const parts = 6

// window is the counts of one key: of the part at which it was counted last, of
// the five before it that lie within the window as a whole, and of the one that
// lies within it in part.
type window struct {
	at     uint32 // the number of the last part, from the keeper's start
	counts [parts + 1]uint32
}

// moment is a time as a Counter's windows count it.
type moment struct {
	part uint32
	left float64 // what is left of the part, from 1 to 0
}

// add counts a request, and returns how many there were within the window, this
// one included. A moment that another goroutine read may lie a little behind.
func (w *window) add(m moment) uint64 {
	m = w.turn(m)
	if n := &w.counts[w.at%(parts+1)]; *n < math.MaxUint32 {
		*n++
	}
	return w.sum(m)
}

// turn brings the window to a moment, or the moment to the window.
func (w *window) turn(m moment) moment {
	if m.part < w.at {
		return moment{w.at, 1}
	}
	if m.part-w.at > parts {
		w.counts = [parts + 1]uint32{}
	} else {
		for i := w.at + 1; i <= m.part; i++ {
			w.counts[i%(parts+1)] = 0
		}
	}
	w.at = m.part
	return m
}

// sum is what counts at a moment of w.at. Of the oldest part counts what the window
// still covers, as if its requests had come evenly.
func (w *window) sum(m moment) uint64 {
	oldest := (w.at + 1) % (parts + 1)
	n := uint64(math.Ceil(float64(w.counts[oldest]) * m.left))
	for i, c := range w.counts {
		if uint32(i) != oldest {
			n += uint64(c)
		}
	}
	return n
}

// count returns what counts at a moment without counting.
func (w *window) count(m moment) uint64 {
	copied := *w
	return copied.sum(copied.turn(m))
}
