package store

import (
	"cmp"
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Kind says how samples of a series are thinned out.
type Kind uint8

// A Counter only grows, but for restarts; of a Gauge every value counts.
const (
	Gauge Kind = iota
	Counter
)

// Family is what is known of all series of one name.
type Family struct {
	Type string // as in Prometheus' text format: counter, gauge, histogram, summary, unknown
	Help string
	Unit string
}

// series is one series. It is under the Store's mu, but for id, labels and kind,
// which never change.
type series struct {
	id     uint64
	labels labels.Labels
	kind   Kind
	source *source // who samples it; nil until it is sampled in this life
	next   *series // of the same hash

	now, pending piece // of the head's window, and of that which becomes a block
	first, last  int64 // times of the oldest and the newest sample
	bits         uint64
	round        uint64 // of its source, when it was sampled last
	gone         bool   // from the table
	saved        bool   // in the file of the series
}

// piece is the samples of a series in one window.
type piece struct {
	chunk    *chunkenc.XORChunk // nil for none
	app      chunkenc.Appender
	min, max int64
}

func (p *piece) append(t int64, v float64) {
	if p.chunk == nil {
		p.chunk = chunkenc.NewXORChunk()
		p.app, _ = p.chunk.Appender() // of an empty chunk it cannot fail
		p.min = t
	}
	p.app.Append(0, t, v)
	p.max = t
}

// full reports whether the chunk's count of samples is about to overflow.
func (p *piece) full() bool { return p.chunk != nil && p.chunk.NumSamples() >= math.MaxUint16 }

// source is who brings samples: the gateway itself, a service that is scraped, a
// job that pushes.
type source struct {
	limit int
	round uint64
	at    int64     // of the last batch
	live  []*series // sampled in the last round
	owned int       // series in the table
}

// table finds series by their labels, their names and their numbers.
type table struct {
	all    map[uint64]*series // by number
	byHash map[uint64]*series
	byName map[string][]*series
	last   uint64 // number that was given
}

func newTable() table {
	return table{all: make(map[uint64]*series), byHash: make(map[uint64]*series), byName: make(map[string][]*series)}
}

func (t *table) find(hash uint64, l labels.Labels) *series {
	for m := t.byHash[hash]; m != nil; m = m.next {
		if labels.Equal(m.labels, l) {
			return m
		}
	}
	return nil
}

// add adds a series whose labels are its own; one that is there already stays.
func (t *table) add(id uint64, l labels.Labels, k Kind) *series {
	hash := l.Hash()
	if m := t.find(hash, l); m != nil {
		return m
	}
	m := &series{id: id, labels: l, kind: k, next: t.byHash[hash]}
	t.all[id], t.byHash[hash] = m, m
	name := l.Get(model.MetricNameLabel)
	t.byName[name] = append(t.byName[name], m)
	t.last = max(t.last, id)
	return m
}

func (t *table) remove(gone []*series) {
	names := make(map[string]bool)
	for _, m := range gone {
		m.gone = true
		delete(t.all, m.id)
		t.unhash(m)
		names[m.labels.Get(model.MetricNameLabel)] = true
		if m.source != nil {
			m.source.owned--
		}
	}
	for name := range names {
		left := slices.DeleteFunc(slices.Clone(t.byName[name]), func(m *series) bool { return m.gone })
		if len(left) == 0 {
			delete(t.byName, name)
			continue
		}
		t.byName[name] = left
	}
}

func (t *table) unhash(m *series) {
	hash := m.labels.Hash()
	if t.byHash[hash] == m {
		if m.next == nil {
			delete(t.byHash, hash)
			return
		}
		t.byHash[hash] = m.next
		return
	}
	for o := t.byHash[hash]; o != nil; o = o.next {
		if o.next == m {
			o.next = m.next
			return
		}
	}
}

// idle are the series without samples in memory that ended before a time, the
// longest ago first. Their past goes with them.
func (t *table) idle(before int64) []*series {
	var out []*series
	for _, m := range t.all {
		if m.first < before && m.last < before && m.now.chunk == nil && m.pending.chunk == nil {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *series) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.id, b.id)) })
	return out
}

// evictShare is which part of a full table is given up at once where it can be.
const evictShare = 20

// room reports whether one more series fits, and gives up series that are sampled
// no more where none would.
func (s *Store) room(src *source, batch *Batch) bool {
	if src.limit > 0 && src.owned >= src.limit {
		s.evict(batch, func(m *series) bool { return m.source == src })
		if src.owned >= src.limit {
			return false
		}
	}
	if len(s.table.all) < s.options.Series {
		return true
	}
	s.evict(batch, func(*series) bool { return true })
	return len(s.table.all) < s.options.Series
}

// evict looks once in a batch: the answer would be the same for every series of it.
func (s *Store) evict(batch *Batch, which func(*series) bool) {
	if batch.evicted {
		return
	}
	batch.evicted = true
	gone := slices.DeleteFunc(s.table.idle(s.head.window), func(m *series) bool { return !which(m) })
	if n := max(1, s.options.Series/evictShare); len(gone) > n {
		gone = gone[:n]
	}
	s.table.remove(gone)
}

// isStale reports the value that says that a series has ended.
func isStale(v float64) bool { return value.IsStaleNaN(v) }

func stale() float64 { return math.Float64frombits(value.StaleNaN) }
