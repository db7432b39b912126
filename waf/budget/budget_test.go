package budget

import (
	"runtime"
	"testing"
	"time"
)

func TestNoLimit(t *testing.T) {
	var b Budget
	b.Begin(0)
	if b.Spent() {
		t.Error("a budget without a limit is spent")
	}
	b.End()
}

// What takes processor time is counted; waiting is not.
func TestSpent(t *testing.T) {
	var b Budget
	b.Begin(5 * time.Millisecond)
	defer b.End()
	b.Pause()
	time.Sleep(10 * time.Millisecond)
	b.Resume()
	if threadTime() > 0 {
		time.Sleep(10 * time.Millisecond) // on the clock, and no processor's
	}
	if b.Spent() {
		t.Error("waiting is counted")
	}
	for began := time.Now(); !b.Spent(); {
		if time.Since(began) > time.Minute {
			t.Fatal("work is not counted")
		}
	}
	b.Pause()
	if !b.Spent() {
		t.Error("what was spent is forgotten")
	}
}

// A budget that has ended leaves the goroutine free of its thread.
func TestEnd(t *testing.T) {
	var b Budget
	b.Begin(time.Second)
	b.End()
	b.End()
	runtime.LockOSThread()
	runtime.UnlockOSThread()
}
