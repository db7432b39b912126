package inspect

import (
	"runtime"
	"time"
)

// Budget is the processor time that the inspection of one request may take. It
// is counted while the budget runs, by the thread's own clock where the system
// has one: waiting for a processor costs nothing. A Budget is not safe for
// concurrent use. The zero Budget has no limit.
type Budget struct {
	limit   time.Duration
	used    time.Duration
	began   time.Time
	cpu     time.Duration
	running bool
}

// NewBudget returns a budget; 0 has no limit.
func NewBudget(limit time.Duration) *Budget { return &Budget{limit: limit} }

// Start begins to count. The goroutine keeps its thread until Stop.
func (b *Budget) Start() {
	runtime.LockOSThread()
	b.began, b.cpu, b.running = time.Now(), threadTime(), true
}

// Stop ends what Start began.
func (b *Budget) Stop() {
	if !b.running {
		return
	}
	b.used += b.elapsed()
	b.running = false
	runtime.UnlockOSThread()
}

// Used returns the time taken so far.
func (b *Budget) Used() time.Duration {
	if b.running {
		return b.used + b.elapsed()
	}
	return b.used
}

// Spent reports whether more was taken than the limit. It is cheap while that
// cannot be: a thread takes no more processor time than passes on the wall.
func (b *Budget) Spent() bool {
	if b.limit == 0 {
		return false
	}
	if b.running && b.used+time.Since(b.began) <= b.limit {
		return false
	}
	return b.Used() > b.limit
}

func (b *Budget) elapsed() time.Duration {
	wall := time.Since(b.began)
	if now := threadTime(); now > 0 {
		return min(now-b.cpu, wall)
	}
	return wall
}
