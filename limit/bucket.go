package limit

import (
	"math"
	"time"
)

// one token. Buckets count in parts of 2^-32, so that what a rate adds between
// two requests is never lost by rounding.
const one = 1 << 32

// MaxBurst is the largest burst of a Limit.
const MaxBurst = 1 << 30

// brim is the level of a bucket that nobody has used: full, whatever the burst.
const brim = math.MaxUint64

// refill is how the buckets of a scope fill: the rate and burst of its Limit, and
// those that held before. Buckets know neither, so that a reload that changes them
// finds the tokens as they were.
type refill struct {
	perNano float64 // parts added in a nanosecond
	burst   uint64  // parts of a full bucket
	since   int64   // when it came into force; 0 where nothing held before
	before  *refill // what held until then; nil where it held from the beginning
}

// maxRefills is how many refills of one scope are known: what a bucket gained
// before counts at the oldest of them.
const maxRefills = 4

func newRefill(rate Rate, burst int) refill {
	return refill{perNano: rate.PerSecond() * one / 1e9, burst: uint64(burst) * one}
}

// sameAs reports whether buckets fill alike by f and o from now on.
func (f *refill) sameAs(o *refill) bool { return f.perNano == o.perNano && f.burst == o.burst }

// newest returns f with the newest of those before it: n in all. The oldest then
// stands for whatever was before it.
func (f *refill) newest(n int) *refill {
	kept := *f
	if n == 1 || f.before == nil {
		kept.since, kept.before = 0, nil
		return &kept
	}
	kept.before = f.before.newest(n - 1)
	return &kept
}

// bucket holds level parts at the time last, in nanoseconds since the keeper's
// start.
type bucket struct {
	level uint64
	last  int64
}

// at returns the bucket's level at now. A clock read by another goroutine may
// lie a little behind last: then nothing has been added yet.
func (b *bucket) at(now int64, f *refill) uint64 {
	if b.last < f.since && b.level != brim {
		return b.settle(f).at(now, f)
	}
	if b.level >= f.burst {
		return f.burst
	}
	if now <= b.last {
		return b.level
	}
	added := math.Round(float64(now-b.last) * f.perNano)
	if added >= float64(f.burst-b.level) {
		return f.burst
	}
	return b.level + uint64(added)
}

// settle returns b as it was when f came into force.
func (b *bucket) settle(f *refill) *bucket {
	return &bucket{level: b.at(f.since, f.before), last: f.since}
}

// take takes one token. Refused, it changes nothing: who keeps asking waits no
// longer for it.
func (b *bucket) take(now int64, f *refill) Result {
	level := b.at(now, f)
	if level < one {
		return Result{Reset: f.wait(f.burst - level), Retry: f.wait(one - level)}
	}
	b.level, b.last = level-one, max(b.last, now)
	return Result{OK: true, Remaining: int(b.level / one), Reset: f.wait(f.burst - b.level)}
}

// give puts one token back.
func (b *bucket) give(now int64, f *refill) {
	b.level, b.last = min(b.at(now, f)+one, f.burst), max(b.last, now)
}

// wait returns how long it takes to add parts, rounded up.
func (f *refill) wait(parts uint64) time.Duration {
	nanos := math.Ceil(float64(parts) / f.perNano)
	if nanos >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanos)
}

// Result is what became of one request for a token.
type Result struct {
	OK        bool          // a token was taken
	Remaining int           // whole tokens left
	Reset     time.Duration // until the bucket is full
	Retry     time.Duration // until there is a token; 0 where one was taken
	Shared    bool          // it came from the bucket that newcomers to a full table share
}
