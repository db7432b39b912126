package balance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// OutlierOptions say which targets are taken out for their answers.
type OutlierOptions struct {
	Consecutive int           // failures in a row; 0 for none
	Ratio       float64       // share of failures within Window, above 0 and up to 1; 0 for none
	Window      time.Duration // what Ratio looks back on
	Minimum     int           // answers within Window below which Ratio says nothing
	Ejection    time.Duration // for how long the first time, and how much more each further time
	Longest     time.Duration // for how long at most
	Share       float64       // of the targets that may be out at once; one always may, all never
}

// Outliers takes targets of one service out whose answers are bad, by what
// requests report. A target that was out long enough is tried with one request:
// if that goes well it is back, else it stays out for longer. It is safe for
// concurrent use.
type Outliers struct {
	clock   Clock
	options atomic.Pointer[OutlierOptions]
	notify  func(Ejection)

	mu      sync.Mutex
	targets []Target
	spared  atomic.Uint64
}

// NewOutliers returns Outliers that take nothing out before Set. Notify is
// called with every change, one at a time; it must not block.
func NewOutliers(c Clock, notify func(Ejection)) *Outliers {
	return &Outliers{clock: c, notify: notify}
}

// Set makes o the options; nil takes nothing out any more, and brings all back.
func (l *Outliers) Set(o *OutlierOptions) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.options.Store(o)
	l.settle()
}

// Watch says which targets there are now.
func (l *Outliers) Watch(targets []Target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets = targets
	l.settle()
}

// settle brings back what is out beyond what the options allow, those first
// that would be tried first. It is called with mu held.
func (l *Outliers) settle() {
	most := 0
	if o := l.options.Load(); o != nil {
		most = o.most(len(l.targets))
	}
	for {
		first, out := None, 0
		for i := range l.targets {
			until := l.targets[i].until()
			if until == 0 {
				continue
			}
			out++
			if first == None || until < l.targets[first].until() {
				first = i
			}
		}
		if first == None || out <= most {
			return
		}
		l.restore(&l.targets[first], time.Now())
	}
}

func (t *Target) until() int64 {
	if t.State == nil {
		return 0
	}
	return t.State.until.Load()
}

// most returns how many of n targets may be out.
func (o *OutlierOptions) most(n int) int {
	return max(min(max(int(o.Share*float64(n)), 1), n-1), 0)
}

// Report says how a request to a target went. Probe says that the pick was a
// trial of it; why, what was bad.
func (l *Outliers) Report(t *Target, probe, good bool, why string, at time.Time) {
	o := l.options.Load()
	s := t.State
	if o == nil || !probe && s.until.Load() != 0 {
		return // what was sent before it was taken out says nothing new
	}
	if good {
		if s.streak.Load() != 0 {
			s.streak.Store(0)
		}
		if o.Ratio > 0 {
			s.window.add(l.clock.Of(at), o.Window, true)
		}
		if probe {
			l.mu.Lock()
			l.restore(t, at)
			l.mu.Unlock()
		}
		return
	}
	streak := int(s.streak.Add(1))
	switch {
	case probe:
		l.eject(t, o, "tried again: "+why, at, true)
	case o.Consecutive > 0 && streak >= o.Consecutive:
		l.eject(t, o, fmt.Sprintf("%d failures in a row, the last: %s", streak, why), at, false)
	case o.Ratio > 0:
		l.weigh(t, o, why, at)
	}
}

// weigh ejects a target that fails too large a share of its requests.
func (l *Outliers) weigh(t *Target, o *OutlierOptions, why string, at time.Time) {
	now := l.clock.Of(at)
	t.State.window.add(now, o.Window, false)
	good, bad := t.State.window.sum(now, o.Window)
	if all := good + bad; all >= o.Minimum && float64(bad) >= o.Ratio*float64(all) {
		l.eject(t, o, fmt.Sprintf("%d of %d requests failed within %s, the last: %s", bad, all, o.Window, why), at, false)
	}
}

// eject takes a target out, where enough others are left. Again says that it
// is out, and was tried.
func (l *Outliers) eject(t *Target, o *OutlierOptions, why string, at time.Time, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := t.State
	s.streak.Store(0)
	s.window.reset()
	if again != (s.until.Load() != 0) {
		return // somebody was faster
	}
	if !again && !l.spares(t, o) {
		l.spared.Add(1)
		return
	}
	now := l.clock.Of(at)
	if !again { // the time that it stayed in is forgiven
		s.times = max(s.times-int((now-s.back)/int64(o.Ejection)), 0)
	}
	s.times++
	d := min(o.Ejection*time.Duration(s.times), o.Longest)
	e := Ejection{Address: t.Address, Out: true, Why: why, For: d, Times: s.times, At: at}
	s.reason.Store(&e)
	s.count.Add(1)
	s.until.Store(now + int64(d))
	l.notify(e)
}

// spares reports whether the others can do without t: it is among the targets,
// one of the others is usable, and not too many are out. It is called with mu
// held.
func (l *Outliers) spares(t *Target, o *OutlierOptions) bool {
	member, usable, out := false, 0, 0
	for i := range l.targets {
		other := &l.targets[i]
		switch {
		case other.State == t.State:
			member = true
		case other.until() != 0:
			out++
		case other.Health.Usable():
			usable++
		}
	}
	return member && usable > 0 && out+1 <= o.most(len(l.targets))
}

// restore brings a target back, its share growing anew. It is called with mu
// held.
func (l *Outliers) restore(t *Target, at time.Time) {
	s := t.State
	if s.until.Load() == 0 {
		return
	}
	now := l.clock.Of(at)
	s.back = now
	s.streak.Store(0)
	s.window.reset()
	s.since.Store(now)
	s.until.Store(0)
	l.notify(Ejection{Address: t.Address, Times: s.times, At: at})
}

// Counts returns how many targets are out now, and how often one was left in
// because too few others would have been left.
func (l *Outliers) Counts() (out int, spared uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.targets {
		if l.targets[i].until() != 0 {
			out++
		}
	}
	return out, l.spared.Load()
}
