package balance

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Each part gets its weight exactly, in every round, however the weights are;
// and never long without its turn.
func TestSplitIsExact(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1}, {90, 10}, {5, 1, 1}, {1, 0, 3}, {999_983, 17}, {7, 11, 13, 17}, {1, 99_999}, {1_000_000, 1_000_000}} {
		s := NewSplit(weights)
		total, divisor := 0, 0
		for _, w := range weights {
			total, divisor = total+w, gcd(divisor, w)
		}
		round := total / divisor
		got := make([]int, len(weights))
		last, gap := make([]int, len(weights)), make([]int, len(weights))
		for n := 1; n <= 2*round; n++ {
			i := s.Next()
			got[i]++
			gap[i] = max(gap[i], n-last[i])
			last[i] = n
			if n%round != 0 {
				continue
			}
			for i, w := range weights {
				if got[i] != w/divisor*(n/round) {
					t.Fatalf("%v: part %d got %d of the first %d", weights, i, got[i], n)
				}
			}
		}
		for i, w := range weights {
			if w > 0 && gap[i] > 4*total/w+1 {
				t.Errorf("%v: part %d waited for %d turns", weights, i, gap[i])
			}
		}
	}
}

func TestSplitIsExactForMany(t *testing.T) {
	s := NewSplit([]int{90, 10})
	var second atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10_000 {
				second.Add(int64(s.Next()))
			}
		})
	}
	all.Wait()
	if second.Load() != 8_000 {
		t.Errorf("%d of 80,000", second.Load())
	}
}

func BenchmarkSplit(b *testing.B) {
	s := NewSplit([]int{90, 10})
	b.ReportAllocs()
	for range b.N {
		s.Next()
	}
}
