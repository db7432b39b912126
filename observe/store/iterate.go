package store

import (
	"math"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"gatehouse/observe/store/block"
)

// lookback is how far back PromQL looks for a series' value (5m, as Prometheus
// does): samples that are further apart would show holes.
const lookback = 5 * minute

// ms is a time in milliseconds since 1970. Being a name of its own it also keeps go
// vet from taking the iterator's Seek for that of a file.
type ms = int64

// spacing is how far apart a query's samples may be for it to see what there is:
// several within the range of a function, two within the lookback of a value.
func spacing(hints *storage.SelectHints) int64 {
	if hints != nil && hints.Range > 0 {
		return max(hints.Range/4, 1000)
	}
	return lookback / 2
}

// iterator goes through the samples of one series. Between two samples that a block
// keeps further apart than a query can see, it draws a line: a rate over minutes
// of what is known by the hour is the hour's. No line is drawn over a time in which
// nothing was sampled, nor over a counter's restart.
type iterator struct {
	kind   Kind
	every  int64
	pieces []stretch
	inner  chunkenc.Iterator
	step   int64 // of the samples that inner has
	err    error

	at, last, next point
	filling        bool // at is between last and next
	begun, ended   bool
}

// stretch is a chunk with the step of its block.
type stretch struct {
	chunk block.Chunk
	step  int64
}

// add adds chunks, later ones last, of which those count that a span needs: for a
// line into the span, the ones next to it too.
func (it *iterator) add(chunks []block.Chunk, step, mint, maxt int64) {
	for _, c := range chunks {
		if c.Max+2*step >= mint && c.Min-2*step <= maxt {
			it.pieces = append(it.pieces, stretch{c, step})
		}
	}
}

// Next implements chunkenc.Iterator.
func (it *iterator) Next() chunkenc.ValueType {
	if it.err != nil || it.ended {
		return chunkenc.ValNone
	}
	if it.filling {
		return it.fill()
	}
	t, v, ok := it.read()
	if !ok {
		it.ended = true
		return chunkenc.ValNone
	}
	it.next = point{t, v}
	if it.begun && it.gap() {
		it.filling, it.last = true, it.at
		return it.fill()
	}
	it.begun, it.at = true, it.next
	return chunkenc.ValFloat
}

// read returns the next sample that a block or the head has, later than the last.
func (it *iterator) read() (t int64, v float64, ok bool) {
	for {
		for it.inner == nil || it.inner.Next() == chunkenc.ValNone {
			if it.inner != nil && it.inner.Err() != nil {
				it.err = it.inner.Err()
				return 0, 0, false
			}
			if len(it.pieces) == 0 {
				return 0, 0, false
			}
			p := it.pieces[0]
			it.pieces, it.step = it.pieces[1:], p.step
			if it.inner, it.err = decode(p.chunk, it.inner); it.err != nil {
				return 0, 0, false
			}
		}
		if t, v = it.inner.At(); !it.begun || t > it.at.t {
			return t, v, true
		}
	}
}

// gap reports whether a line is to be drawn from the last sample to the next.
func (it *iterator) gap() bool {
	wide := it.next.t - it.at.t
	switch {
	case it.step == 0 || wide <= it.every || wide > 2*it.step:
		return false
	case isStale(it.at.v) || isStale(it.next.v):
		return false
	}
	return it.kind == Gauge || it.next.v >= it.at.v
}

func (it *iterator) fill() chunkenc.ValueType {
	t := it.at.t + it.every
	if t >= it.next.t {
		it.filling, it.at = false, it.next
		return chunkenc.ValFloat
	}
	share := float64(t-it.last.t) / float64(it.next.t-it.last.t)
	it.at = point{t, it.last.v + (it.next.v-it.last.v)*share}
	return chunkenc.ValFloat
}

// Seek implements chunkenc.Iterator.
func (it *iterator) Seek(t ms) chunkenc.ValueType {
	if it.begun && !it.ended && it.at.t >= t {
		return chunkenc.ValFloat
	}
	it.skip(t)
	for {
		if it.Next() == chunkenc.ValNone {
			return chunkenc.ValNone
		}
		if it.at.t >= t {
			return chunkenc.ValFloat
		}
	}
}

// skip passes over chunks that end well before a time, before any was read.
func (it *iterator) skip(t int64) {
	if it.begun {
		return
	}
	for len(it.pieces) > 1 && it.pieces[0].chunk.Max < t && it.pieces[1].chunk.Max < t {
		it.pieces = it.pieces[1:]
	}
}

// At implements chunkenc.Iterator.
func (it *iterator) At() (int64, float64) { return it.at.t, it.at.v }

// AtT implements chunkenc.Iterator.
func (it *iterator) AtT() int64 {
	if !it.begun {
		return math.MinInt64
	}
	return it.at.t
}

// AtST implements chunkenc.Iterator: no start is known.
func (it *iterator) AtST() int64 { return 0 }

// AtHistogram implements chunkenc.Iterator: there are none.
func (it *iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) {
	return it.at.t, nil
}

// AtFloatHistogram implements chunkenc.Iterator: there are none.
func (it *iterator) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return it.at.t, nil
}

// Err implements chunkenc.Iterator.
func (it *iterator) Err() error { return it.err }
