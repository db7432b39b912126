package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that grow with the value: 64 to each
// power of two, so that a quantile is right to 1.6 %.
type histogram struct {
	counts [64 * 40]uint32
	total  uint64
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile returns the value that a share q of all durations do not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for i, n := range h.counts {
		seen += uint64(n)
		if n > 0 && seen > rank {
			return time.Duration(valueOf(i))
		}
	}
	return 0
}

// bucketOf returns v's bucket: v itself below 64, then by its highest seven
// bits.
func bucketOf(v uint64) int {
	if v < 64 {
		return int(v)
	}
	shift := bits.Len64(v) - 7
	return min(64*(shift+1)+int(v>>shift)-64, 64*40-1)
}

// valueOf returns the lowest value of a bucket.
func valueOf(bucket int) uint64 {
	if bucket < 64 {
		return uint64(bucket)
	}
	shift := bucket/64 - 1
	return uint64(64+bucket%64) << shift
}
