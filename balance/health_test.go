package balance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

// patient is a target whose probes succeed or fail as told.
type patient struct {
	*Health
	down    atomic.Bool
	probes  atomic.Int64
	changes []Change
	stop    context.CancelFunc
}

func admit(o CheckOptions) *patient {
	p := &patient{}
	p.Health = NewHealth(func(c Change) { p.changes = append(p.changes, c) })
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go p.Watch(ctx, o, func(context.Context) error {
		p.probes.Add(1)
		if p.down.Load() {
			return errDown
		}
		return nil
	})
	return p
}

var everyTen = CheckOptions{Interval: 10 * time.Second, Timeout: 2 * time.Second, Healthy: 2, Unhealthy: 3}

func TestHealthThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := admit(everyTen)
		defer p.stop()
		synctest.Wait()
		if p.probes.Load() != 1 || !p.Usable() {
			t.Fatal("not probed at once, or not usable before it was")
		}
		p.down.Store(true)
		time.Sleep(15 * time.Second) // one or two probes
		if !p.Usable() {
			t.Error("unhealthy before the third failure")
		}
		time.Sleep(20 * time.Second)
		if p.Usable() {
			t.Error("still healthy after three failures")
		}
		if c := p.Last(); c.Healthy || c.Why != "down" || c.At.IsZero() {
			t.Errorf("%+v", c)
		}
		p.down.Store(false)
		time.Sleep(11 * time.Second)
		if p.Usable() {
			t.Error("healthy after one probe of two")
		}
		time.Sleep(12 * time.Second)
		if !p.Usable() {
			t.Error("not healthy after two probes")
		}
		synctest.Wait()
		if len(p.changes) != 2 {
			t.Errorf("told of %d changes", len(p.changes))
		}
	})
}

func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := admit(everyTen)
		defer p.stop()
		time.Sleep(3 * time.Second)
		p.Unreachable("connect refused")
		p.Unreachable("connect refused")
		if p.Usable() {
			t.Fatal("usable after a failed connect")
		}
		time.Sleep(soon + time.Millisecond)
		synctest.Wait()
		if !p.Usable() || p.probes.Load() != 2 {
			t.Errorf("usable %v after %d probes: the next one that passes is enough, and comes soon", p.Usable(), p.probes.Load())
		}
		if len(p.changes) != 2 || p.changes[0].Why != "connect refused" {
			t.Errorf("%+v", p.changes)
		}
	})
}

// Once probes confirm what a request said, coming back takes what it always
// takes.
func TestUnreachableConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := admit(everyTen)
		defer p.stop()
		synctest.Wait()
		p.down.Store(true)
		p.Unreachable("connect refused")
		time.Sleep(40 * time.Second)
		p.down.Store(false)
		for before := p.probes.Load(); p.probes.Load() == before; {
			time.Sleep(time.Second)
		}
		if p.Usable() {
			t.Error("usable after one probe")
		}
		time.Sleep(12 * time.Second)
		if !p.Usable() {
			t.Error("not usable after two")
		}
	})
}

// A flood of failed connects does not make a flood of probes.
func TestUnreachableIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := admit(everyTen)
		defer p.stop()
		for range 1000 {
			p.Unreachable("connect refused")
			time.Sleep(10 * time.Millisecond)
		}
		if n := p.probes.Load(); n > 13 {
			t.Errorf("%d probes in ten seconds", n)
		}
	})
}

func TestProbeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(nil)
		ctx, stop := context.WithCancel(t.Context())
		go h.Watch(ctx, CheckOptions{Interval: time.Second, Timeout: 100 * time.Millisecond, Healthy: 1, Unhealthy: 1}, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		time.Sleep(50 * time.Millisecond)
		if !h.Usable() {
			t.Error("unhealthy before the timeout")
		}
		time.Sleep(100 * time.Millisecond)
		if h.Usable() {
			t.Error("healthy after the timeout")
		}
		stop()
		synctest.Wait() // the bubble ends only if the goroutine does
	})
}

// A probe that could not be made says nothing of the target, whatever was known.
func TestNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sick := range []bool{false, true} {
			h := NewHealth(nil)
			if sick {
				h.Unreachable("connect refused")
			}
			ctx, stop := context.WithCancel(t.Context())
			go h.Watch(ctx, CheckOptions{Interval: time.Second, Timeout: time.Second, Healthy: 1, Unhealthy: 1}, func(context.Context) error {
				return fmt.Errorf("%w: out of descriptors", ErrNoVerdict)
			})
			time.Sleep(10 * time.Second)
			if h.Usable() == sick {
				t.Errorf("sick before: %v, usable: %v", sick, h.Usable())
			}
			stop()
			synctest.Wait()
		}
	})
}

func TestNilHealth(t *testing.T) {
	var h *Health
	h.Unreachable("nothing watches")
	if !h.Usable() || !h.Last().At.IsZero() {
		t.Error("a target that nothing watches is usable")
	}
}
