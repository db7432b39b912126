// Package budget counts the processor time that the inspection of one request
// takes.
package budget

import (
	"runtime"
	"time"
)

// Budget is the processor time that one inspection may take, by the thread's own
// clock where the system has one: waiting for a processor, or for the client,
// costs nothing. The zero Budget has no limit. It serves one goroutine.
type Budget struct {
	limit   time.Duration
	used    time.Duration // before it was last started
	wall    time.Time     // when it was
	thread  time.Duration // and the thread's clock then
	running bool
}

// Begin starts a budget of limit; of none at all for 0. The goroutine keeps its
// thread until Pause or End.
func (b *Budget) Begin(limit time.Duration) {
	*b = Budget{limit: limit}
	b.Resume()
}

// Pause stops counting while the goroutine waits for somebody.
func (b *Budget) Pause() {
	if !b.running {
		return
	}
	b.used += b.elapsed()
	b.running = false
	runtime.UnlockOSThread()
}

// Resume goes on counting.
func (b *Budget) Resume() {
	if b.limit == 0 || b.running {
		return
	}
	runtime.LockOSThread()
	b.wall, b.thread, b.running = time.Now(), threadTime(), true
}

// End stops counting for good.
func (b *Budget) End() {
	if b.running {
		b.running = false
		runtime.UnlockOSThread()
	}
}

// Spent reports whether the inspection took more than the limit. It costs next to
// nothing while it cannot have: no thread takes more time than passes.
func (b *Budget) Spent() bool {
	if b.limit == 0 {
		return false
	}
	if !b.running {
		return b.used > b.limit
	}
	return b.used+time.Since(b.wall) > b.limit && b.used+b.elapsed() > b.limit
}

func (b *Budget) elapsed() time.Duration {
	wall := time.Since(b.wall)
	if now := threadTime(); now > 0 {
		return min(now-b.thread, wall)
	}
	return wall
}
