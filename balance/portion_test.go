package balance

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Among any hundred in a row there are as many as the percentage says.
func TestPortionIsExact(t *testing.T) {
	for _, percent := range []float64{0, 1, 5, 10, 33, 50, 90, 99, 100} {
		p := NewPortion(Percent(percent))
		p.turn.Store(Whole - 150) // over the end of its count
		var picked []bool
		for range 400 {
			picked = append(picked, p.Next())
		}
		for from := range 300 {
			n := 0
			for _, yes := range picked[from : from+100] {
				if yes {
					n++
				}
			}
			if n != int(percent) {
				t.Fatalf("%v %%: %d of the hundred from %d on", percent, n, from)
			}
		}
	}
}

func TestPortionOfAFraction(t *testing.T) {
	p := NewPortion(Percent(0.025))
	n := 0
	for range Whole {
		if p.Next() {
			n++
		}
	}
	if n != 250 {
		t.Errorf("%d of a million", n)
	}
}

func TestPortionIsExactForMany(t *testing.T) {
	p := NewPortion(Percent(10))
	var n atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10_000 {
				if p.Next() {
					n.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n.Load() != 8_000 {
		t.Errorf("%d of 80,000", n.Load())
	}
}

// Who is of a share is of every greater one, and the share is about right.
func TestPortionHolds(t *testing.T) {
	small, large := NewPortion(Percent(5)), NewPortion(Percent(20))
	in, of := 0, 0
	for i := range 100_000 {
		key := KeyOf("client " + strconv.Itoa(i))
		if small.Holds(key) && !large.Holds(key) {
			t.Fatal("one fell out as the share grew")
		}
		if large.Holds(key) {
			in++
		}
		if small.Holds(key) {
			of++
		}
	}
	if in < 19_000 || in > 21_000 || of < 4_500 || of > 5_500 {
		t.Errorf("%d and %d of 100,000, not about 20 and 5 %%", in, of)
	}
	none, all := NewPortion(0), NewPortion(Whole)
	if none.Holds(0) || none.Next() || !all.Holds(Whole-1) || !all.Next() {
		t.Error("the ends")
	}
}

func BenchmarkPortion(b *testing.B) {
	p := NewPortion(Percent(10))
	b.ReportAllocs()
	for range b.N {
		p.Next()
	}
}
