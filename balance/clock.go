package balance

import "time"

// Clock tells time as nanoseconds since it was made, which a change of the
// machine's time does not move. The zero Clock is none.
type Clock struct{ start time.Time }

// NewClock returns a Clock that begins now.
func NewClock() Clock { return Clock{time.Now()} }

// Now returns the time; it is above zero.
func (c Clock) Now() int64 { return c.Of(time.Now()) }

// Of returns what the Clock said at t, at least 1: zero stands for never.
func (c Clock) Of(t time.Time) int64 { return max(int64(t.Sub(c.start)), 0) + 1 }
