package metrics

import (
	"sync/atomic"
	"time"
)

// buckets is how many buckets a histogram has, the one without a bound
// included.
const buckets = 16

// bounds are the upper bounds of a histogram's buckets.
func bounds() [buckets - 1]time.Duration {
	return [...]time.Duration{
		500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
		25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	}
}

// histogram counts durations. Its buckets are not cumulative, and their sum is
// its count.
type histogram struct {
	buckets [buckets]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	h.buckets[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
}

// bucketOf finds the bucket by halving: the bounds stand in the code, not in
// memory.
func bucketOf(d time.Duration) int {
	if d <= 10*time.Millisecond {
		return lowBucket(d)
	}
	switch {
	case d <= 25*time.Millisecond:
		return 5
	case d <= 50*time.Millisecond:
		return 6
	case d <= 100*time.Millisecond:
		return 7
	case d <= 250*time.Millisecond:
		return 8
	case d <= 500*time.Millisecond:
		return 9
	case d <= time.Second:
		return 10
	case d <= 2500*time.Millisecond:
		return 11
	case d <= 5*time.Second:
		return 12
	case d <= 10*time.Second:
		return 13
	case d <= 30*time.Second:
		return 14
	}
	return 15
}

func lowBucket(d time.Duration) int {
	switch {
	case d <= 500*time.Microsecond:
		return 0
	case d <= time.Millisecond:
		return 1
	case d <= 2500*time.Microsecond:
		return 2
	case d <= 5*time.Millisecond:
		return 3
	}
	return 4
}

// code counts the requests of one method and status. Its key is set once.
type code struct {
	key atomic.Uint32
	n   atomic.Uint64
}

// codes is a growing list of counters. Routes see few pairs of method and
// status, so that the first slots are nearly always the ones sought.
type codes struct {
	slots [8]code
	next  atomic.Pointer[codes]
}

// maxBlocks bounds what an upstream with ever new statuses can make a route
// cost; further pairs are counted together.
const maxBlocks = 16

const keySet = 1 << 31

func codeKey(method uint8, status int) uint32 {
	return keySet | uint32(method)<<16 | uint32(status)&0xffff
}

// add counts one request; false where there is no place left.
func (c *codes) add(method uint8, status int) bool {
	key := codeKey(method, status)
	for range maxBlocks {
		if c.addHere(key) {
			return true
		}
		if c.next.Load() == nil {
			c.next.CompareAndSwap(nil, new(codes))
		}
		c = c.next.Load()
	}
	return false
}

func (c *codes) addHere(key uint32) bool {
	for i := range c.slots {
		s := &c.slots[i]
		k := s.key.Load()
		if k == 0 && s.key.CompareAndSwap(0, key) {
			k = key
		}
		if k == 0 {
			k = s.key.Load() // somebody else took it just now
		}
		if k == key {
			s.n.Add(1)
			return true
		}
	}
	return false
}

func (c *codes) each(f func(key uint32, n uint64)) {
	for ; c != nil; c = c.next.Load() {
		for i := range c.slots {
			if k := c.slots[i].key.Load(); k != 0 {
				f(k, c.slots[i].n.Load())
			}
		}
	}
}
