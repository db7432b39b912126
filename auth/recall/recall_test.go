package recall

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestPrint(t *testing.T) {
	p := NewPrinter()
	if p.Print("ab", "c") == p.Print("a", "bc") || p.Print("a") == p.Print("a", "") || p.Print("a") == NewPrinter().Print("a") {
		t.Error("different parts have one key")
	}
	if one, two := p.Print("ab", "c"), p.Print("ab", "c"); one != two {
		t.Error("equal parts have two keys")
	}
}

func TestBounded(t *testing.T) {
	c, p, now := New[int](64), NewPrinter(), time.Now()
	for i := range 10000 {
		c.Put(p.Print(strconv.Itoa(i)), i, now.Add(time.Hour), now)
	}
	if n := c.Len(); n > 64 || n < 32 {
		t.Errorf("%d entries of 64", n)
	}
	c.Put(p.Print("past"), 1, now, now)
	if _, ok := c.Get(p.Print("past"), now); ok {
		t.Error("what has expired is remembered")
	}
}

func TestDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, k := New[int](64), NewPrinter().Print("a")
		var finds atomic.Int64
		find := func() (int, time.Duration, error) {
			time.Sleep(time.Second)
			return int(finds.Add(1)), time.Minute, nil
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if v, err := c.Do(k, find); v != 1 || err != nil {
					t.Errorf("%d, %v", v, err)
				}
			})
		}
		all.Wait()
		time.Sleep(59 * time.Second)
		if v, _ := c.Do(k, find); v != 1 {
			t.Errorf("found out anew: %d", v)
		}
		time.Sleep(time.Second)
		if v, _ := c.Do(k, find); v != 2 {
			t.Errorf("remembered too long: %d", v)
		}
		c.Forget(k)
		if v, _ := c.Do(k, find); v != 3 {
			t.Errorf("not forgotten: %d", v)
		}
	})
}

func TestDoFails(t *testing.T) {
	c, k, broken := New[int](64), NewPrinter().Print("a"), errors.New("broken")
	if _, err := c.Do(k, func() (int, time.Duration, error) { return 1, time.Hour, broken }); err != broken {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.Do(k, func() (int, time.Duration, error) { panic("x") })
	}()
	if v, err := c.Do(k, func() (int, time.Duration, error) { return 2, 0, nil }); v != 2 || err != nil {
		t.Errorf("after failures: %d, %v", v, err)
	}
	if c.Len() != 0 {
		t.Error("what was to be kept for no time is kept")
	}
}

func BenchmarkGet(b *testing.B) {
	c, p, now := New[int](64), NewPrinter(), time.Now()
	c.Put(p.Print("a", "b"), 1, now.Add(time.Hour), now)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(p.Print("a", "b"), now); !ok {
			b.Fatal()
		}
	}
}
