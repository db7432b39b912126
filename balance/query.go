package balance

// Why is why a target was passed over.
type Why uint8

// The reasons.
const (
	Sick    Why = iota // its health says so
	Ejected            // its answers were bad
	Busy               // it has as many requests as it may have
)

// Passed is a target that a pick passed over.
type Passed struct {
	Index int32
	Why   Why
}

// Query is what a target is picked for, and what the pick was like. It may be
// used again once Reset.
type Query struct {
	Key  uint64 // for Hash
	Skip []int  // targets not to be picked while there are others
	Want int    // one more than the target to be picked if it is usable, such as a session's; 0 for any

	Probe bool // the pick is the trial of an ejected target
	Entry bool // the pick took a place of the target's room: its State must be told to Leave
	Last  bool // no target was usable, so that one was picked that is not

	mercy  bool // and what is ejected was not passed over
	busy   bool // some target was passed over for want of room alone
	now    int64
	passed [4]Passed
	n      int
}

// Reset makes the Query ready for a pick with the same key.
func (q *Query) Reset(skip []int) {
	q.Skip, q.Probe, q.Entry, q.Last = skip, false, false, false
	q.now, q.n = 0, 0
}

// Passed returns targets that were passed over, a few at most.
func (q *Query) Passed() []Passed { return q.passed[:q.n] }

func (q *Query) pass(i int, why Why) {
	if why == Busy {
		q.busy = true
	}
	for _, p := range q.passed[:q.n] {
		if p.Index == int32(i) {
			return
		}
	}
	if q.n < len(q.passed) {
		q.passed[q.n] = Passed{int32(i), why}
		q.n++
	}
}

// time returns the time of the pick; it is looked at once.
func (q *Query) time(p *Picker) int64 {
	if q.now == 0 {
		q.now = p.options.Clock.Now()
	}
	return q.now
}

// filter says which targets may be picked now.
type filter struct {
	p    *Picker
	q    *Query
	ring *ring
	skip []int
	lax  laxity
}

// laxity is how much is overlooked.
type laxity uint8

const (
	strict  laxity = iota
	lenient        // targets that are ejected are picked too
	all            // and unhealthy ones
)

func (f filter) allows(i int) bool {
	t := &f.p.targets[i]
	return len(f.skip) == 0 && t.State == nil && t.Health.Usable() || f.considers(i, t)
}

func (f filter) considers(i int, t *Target) bool {
	for _, s := range f.skip {
		if s == i {
			return false
		}
	}
	if !t.Health.Usable() && f.lax != all {
		f.q.pass(i, Sick)
		return false
	}
	return t.State == nil || f.admitted(i, t.State)
}

func (f filter) admitted(i int, s *State) bool {
	if until := s.until.Load(); until != 0 && f.lax == strict && until > f.q.time(f.p) {
		f.q.pass(i, Ejected)
		return false
	}
	if room := f.p.options.Room; room > 0 && s.used.Load() >= room {
		f.q.pass(i, Busy)
		return false
	}
	return true
}
