package store

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// Batch is the samples that one source brings at one moment. It is not safe for
// concurrent use, and ends with Commit.
type Batch struct {
	store   *Store
	name    string
	limit   int
	t       int64
	lasting bool
	born    bool
	since   int64
	samples []sample
	fresh   []fresh
	evicted bool
	folded  uint64
}

type sample struct {
	series *series
	value  float64
}

// fresh is a sample whose series was not known.
type fresh struct {
	labels labels.Labels
	kind   Kind
	value  float64
}

// Source says who brings samples.
type Source struct {
	Name  string
	Limit int // series that it may have; 0 for the Store's own limit alone
	// Lasting says that a series which does not come again has not ended: whoever
	// pushes may push it later.
	Lasting bool
	// Born says that a counter which was not in the source's last batch was zero then,
	// so that what it counted first counts too.
	Born bool
	// Since is when all of the source's counters were zero, in ms, where this is its
	// first batch since: what they counted before has ended. 0 in all later batches.
	Since int64
}

// Batch begins the samples of a source at a time, in ms.
func (s *Store) Batch(src Source, t int64) *Batch {
	return &Batch{store: s, name: src.Name, limit: src.Limit, lasting: src.Lasting, born: src.Born, since: src.Since, t: t}
}

// Describe says what is known of the series of a name.
func (s *Store) Describe(name string, f Family) {
	s.mu.RLock()
	known, ok := s.family[name]
	n := len(s.family)
	s.mu.RUnlock()
	if ok && known == f || !ok && n >= maxFamilies {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		s.family[name] = f
	}
}

// maxFamilies bounds what descriptions take.
const maxFamilies = 20_000

// Add adds the sample of one series. The labels are copied where they are kept.
func (b *Batch) Add(l labels.Labels, k Kind, v float64) {
	s := b.store
	hash := l.Hash()
	s.mu.RLock()
	m := s.table.find(hash, l)
	s.mu.RUnlock()
	if m != nil {
		b.samples = append(b.samples, sample{m, v})
		return
	}
	if len(b.fresh) >= s.options.Series {
		b.folded++
		return
	}
	b.fresh = append(b.fresh, fresh{l.Copy(), k, v})
}

// Commit takes the samples, and returns nil once they are on the disk. On an error
// they are in memory alone. Series of the source that were in its last batch and are
// not in this one end here.
func (b *Batch) Commit() error {
	s := b.store
	s.writing.Lock()
	defer s.writing.Unlock()
	records, err := b.take()
	if err != nil {
		return err
	}
	if err := s.wal.Append(records...); err != nil {
		s.counts.failed.Add(1)
		s.beginSegment() // that which failed takes no more
		return err
	}
	return nil
}

var errLate = errors.New("the clock has gone back: what is measured is older than what is kept already")

// take puts the samples into memory and returns the records that say so.
func (b *Batch) take() ([][]byte, error) {
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return nil, ErrClosed
	}
	if s.head.window > 0 && b.t < s.head.window {
		s.counts.late.Add(uint64(len(b.samples) + len(b.fresh)))
		return nil, errLate
	}
	s.advance(b.t)
	src := s.source(b.name, b.limit)
	src.round++
	defined := b.define(src)
	if s.undefined {
		defined, s.undefined = s.definitions(), false
	}
	zeros := b.zeros(src)
	b.end(src)
	written := encodeSamples(b.t, b.keep(src))
	src.at = b.t
	s.counts.folded.Add(b.folded)
	var records [][]byte
	for _, r := range [][]byte{defined, zeros, written} {
		if len(r) > 0 {
			records = append(records, r)
		}
	}
	return records, nil
}

// zeros gives counters the value that they had before this batch, where that was zero
// for sure, and returns the record of that; nil for none.
func (b *Batch) zeros(src *source) []byte {
	head := b.store.head
	at := max(src.at, head.window)
	if b.since > 0 {
		at = max(b.since, head.last+1, head.window)
	}
	if !b.born || b.since == 0 && src.round < 2 || at >= b.t {
		return nil
	}
	var out []sample
	for _, p := range b.samples {
		m := p.series
		fresh := b.since > 0 || m.round+1 != src.round
		if fresh && m.kind == Counter && m.last < at && !m.gone {
			m.now.append(at, 0)
			m.last = at
			out = append(out, sample{m, 0})
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortFunc(out, byNumber)
	return encodeSamples(at, out)
}

func byNumber(x, y sample) int { return cmp.Compare(x.series.id, y.series.id) }

func (s *Store) source(name string, limit int) *source {
	src := s.sources[name]
	if src == nil {
		src = &source{}
		s.sources[name] = src
	}
	src.limit = limit
	return src
}

// define gives series that were not known their numbers, and returns the record
// of them; nil for none.
func (b *Batch) define(src *source) []byte {
	s := b.store
	var record []byte
	for _, f := range b.fresh {
		m := s.table.find(f.labels.Hash(), f.labels)
		if m == nil {
			if !s.room(src, b) {
				b.folded++
				continue
			}
			m = s.table.add(s.table.last+1, f.labels, f.kind)
			m.first = b.t
			s.adopt(m, src)
			record = appendDefinition(record, m)
		}
		b.samples = append(b.samples, sample{m, f.value})
	}
	return record
}

// end adds the mark that ends a series, for those of the last batch that are not
// in this one.
func (b *Batch) end(src *source) {
	for i := range b.samples {
		b.samples[i].series.round = src.round
	}
	if b.lasting {
		return
	}
	for _, m := range src.live {
		if m.round != src.round && !m.gone {
			b.samples = append(b.samples, sample{m, stale()})
		}
	}
}

// keep appends the samples to their series, in the order of their numbers, and
// returns those that it could.
func (b *Batch) keep(src *source) []sample {
	s := b.store
	slices.SortFunc(b.samples, byNumber)
	kept := b.samples[:0]
	live := make([]*series, 0, len(b.samples))
	for _, p := range b.samples {
		m := p.series
		if m.gone {
			continue
		}
		if b.t <= m.last || m.now.full() {
			s.counts.late.Add(1)
			continue
		}
		if m.source != src {
			s.adopt(m, src)
		}
		m.now.append(b.t, p.value)
		m.last = b.t
		kept = append(kept, p)
		if !isStale(p.value) {
			live = append(live, m)
		}
	}
	if b.lasting {
		live = s.stillLive(src, live, b.t)
	}
	src.live = live
	s.head.last = max(s.head.last, b.t)
	s.counts.samples.Add(uint64(len(kept)))
	return kept
}

func (s *Store) adopt(m *series, src *source) {
	if m.source != nil {
		m.source.owned--
	}
	m.source = src
	src.owned++
}

// stillLive adds to those that were sampled now those that were lately.
func (s *Store) stillLive(src *source, now []*series, t int64) []*series {
	for _, m := range src.live {
		if m.round != src.round && !m.gone && t-m.last < headWindow {
			now = append(now, m)
		}
	}
	return now
}

// advance begins the window of a time where it is another than the last one's. What
// was sampled before waits to become a block.
func (s *Store) advance(t int64) {
	window := t - t%headWindow
	if s.head.window == window {
		return
	}
	if s.head.window > 0 {
		s.cut()
	}
	s.head.window = window
}

// cut has the samples of the head's window wait to become a block. Those that wait
// already become one now or, where none can be written, are given up: memory is
// bounded.
func (s *Store) cut() {
	if s.head.pending > 0 && !s.hasten() {
		s.giveUp()
	}
	for _, m := range s.table.all {
		m.pending, m.now, m.bits = m.now, piece{}, 0
	}
	s.head.pending, s.head.window = s.head.window, 0
	s.head.segment = s.reading
	if s.wal != nil {
		s.wal.Next()
		s.head.segment = s.wal.Number()
	}
}

// hasten writes the block of what waits while nobody else does.
func (s *Store) hasten() bool {
	if !s.maintaining.TryLock() {
		return false
	}
	defer s.maintaining.Unlock()
	b, err := s.writeHead(s.pendingPieces(), s.head.pending)
	if err != nil {
		return false
	}
	s.headWritten(b)
	return true
}

func (s *Store) giveUp() {
	var lost uint64
	for _, m := range s.table.all {
		if m.pending.chunk != nil {
			lost += uint64(m.pending.chunk.NumSamples())
			m.pending = piece{}
		}
	}
	s.counts.lost.Add(lost)
	s.head.pending = 0
	s.log.Error("metrics of 20 minutes are lost: they could not be written as a block for as long", slog.Uint64("samples", lost))
}

// beginSegment begins another file of the log, in which values do not refer to
// those of the file before.
func (s *Store) beginSegment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wal.Next()
	s.undefined = true
	for _, m := range s.table.all {
		m.bits = 0
	}
}

// definitions is the record of the series that no file says for sure.
func (s *Store) definitions() (record []byte) {
	for _, m := range s.table.all {
		if !m.saved {
			record = appendDefinition(record, m)
		}
	}
	return record
}

// End ends every series of a source, which is gone.
func (s *Store) End(source string, t int64) {
	b := s.Batch(Source{Name: source}, t)
	_ = b.Commit() // where nothing is open there is nothing to end
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources, source)
}
