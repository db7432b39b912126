package balance

import (
	"math/rand/v2"
	"time"
)

// Ramp says how the share of a target that is new, or back, grows to the full
// one. The zero Ramp gives it at once.
type Ramp struct {
	Window time.Duration // from the first request to the full share
	From   float64       // the share to begin with, above 0 and up to 1
}

// full is a share in thousandths.
const full = 1000

// share returns target i's share of what its weight says, in thousandths.
func (p *Picker) share(i int, q *Query) int64 {
	t := &p.targets[i]
	if p.options.Ramp.Window == 0 || t.State == nil || t.settled() {
		return full
	}
	return p.grown(t, q)
}

// settled reports whether the target has had its full share since it came, and
// nothing has happened to it.
func (t *Target) settled() bool {
	return t.Health.change() == nil && t.State.since.Load() == t.State.grown.Load()
}

// grown returns what share a target has come to since it came, or came back.
func (p *Picker) grown(t *Target, q *Query) int64 {
	since := t.State.since.Load()
	if c := t.Health.change(); c != nil && c.Healthy {
		since = max(since, p.options.Clock.Of(c.At))
	}
	if since == t.State.grown.Load() {
		return full
	}
	passed, window := q.time(p)-since, int64(p.options.Ramp.Window)
	if passed >= window {
		t.State.grown.Store(since)
		return full
	}
	return min(max(passed*full/window, int64(p.options.Ramp.From*full), 1), full)
}

// greatest returns the greatest share among the targets that f allows.
func (p *Picker) greatest(f filter) int64 {
	most := int64(1)
	for i := f.ring.from; i < f.ring.to && most < full; i++ {
		if f.allows(i) {
			most = max(most, p.share(i, f.q))
		}
	}
	return most
}

// admits draws lots for a target whose share is not full yet: it takes part as
// often as its share says, against the greatest of all.
func (p *Picker) admits(i int, f filter) bool {
	if p.options.Ramp.Window == 0 {
		return true
	}
	share := p.share(i, f.q)
	if share == full {
		return true
	}
	return rand.Int64N(p.greatest(f)) < share
}

// grows reports whether some target that f allows has not its full share.
func (p *Picker) grows(f filter) bool {
	if p.options.Ramp.Window == 0 {
		return false
	}
	for i := f.ring.from; i < f.ring.to; i++ {
		if p.share(i, f.q) != full && f.allows(i) {
			return true
		}
	}
	return false
}

// Growing returns how far target i has come to its full share: 1 where it has
// it.
func (p *Picker) Growing(i int) float64 {
	var q Query
	return float64(p.share(i, &q)) / full
}
