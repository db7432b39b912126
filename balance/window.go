package balance

import (
	"sync/atomic"
	"time"
)

// parts is into how many parts a Window is cut: it looks back between nine
// tenths of its length and the whole of it.
const parts = 10

// Window counts good and bad over the last while. It is safe for concurrent
// use; a count that meets the turn of a part may be lost.
type Window struct {
	part [parts]struct {
		turn      atomic.Int64 // which part of time it is about
		good, bad atomic.Uint32
	}
}

// add counts one, at a time of the Clock.
func (w *Window) add(now int64, length time.Duration, good bool) {
	turn := now / max(int64(length)/parts, 1)
	p := &w.part[turn%parts]
	if old := p.turn.Load(); old != turn && p.turn.CompareAndSwap(old, turn) {
		p.good.Store(0)
		p.bad.Store(0)
	}
	if good {
		p.good.Add(1)
		return
	}
	p.bad.Add(1)
}

// sum returns what was counted within length before now.
func (w *Window) sum(now int64, length time.Duration) (good, bad int) {
	turn := now / max(int64(length)/parts, 1)
	for i := range w.part {
		p := &w.part[i]
		if t := p.turn.Load(); t > turn-parts && t <= turn {
			good += int(p.good.Load())
			bad += int(p.bad.Load())
		}
	}
	return good, bad
}

// reset forgets all.
func (w *Window) reset() {
	for i := range w.part {
		w.part[i].good.Store(0)
		w.part[i].bad.Store(0)
	}
}
