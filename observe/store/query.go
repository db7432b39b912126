package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"gatehouse/observe/store/block"
)

// Queryable is the Store as PromQL asks it: a query may touch so many series.
func (s *Store) Queryable(maxSeries int) storage.Queryable { return queryable{s, maxSeries} }

type queryable struct {
	store *Store
	max   int
}

// Querier implements storage.Queryable.
func (q queryable) Querier(mint, maxt int64) (storage.Querier, error) {
	s := q.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.open {
		return nil, ErrClosed
	}
	out := &querier{store: s, mint: mint, maxt: maxt, max: q.max}
	for _, b := range s.blocks {
		if b.Min <= maxt && b.Max > mint {
			b.Acquire()
			out.blocks = append(out.blocks, b)
		}
	}
	return out, nil
}

// querier reads one span of time. Blocks that go meanwhile stay until Close.
type querier struct {
	store      *Store
	mint, maxt int64
	max        int // series of one selection
	blocks     []*block.Block
}

// Close implements storage.Querier.
func (q *querier) Close() error {
	for _, b := range q.blocks {
		b.Release()
	}
	q.blocks = nil
	return nil
}

// TooMany is the error of a query that touches more series than one may.
type TooMany struct{ Found, Limit int }

func (e *TooMany) Error() string {
	return fmt.Sprintf("the query touches %d series, and may touch %d: narrow it by labels (metrics.queries.series)", e.Found, e.Limit)
}

// Select implements storage.Querier.
func (q *querier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	q.store.counts.reads.Add(1)
	s := q.store
	s.mu.RLock()
	found := s.find(q.mint, q.maxt, matchers)
	if q.max > 0 && len(found) > q.max {
		s.mu.RUnlock()
		return storage.ErrSeriesSet(&TooMany{len(found), q.max})
	}
	rows := make([]*row, len(found))
	for i, m := range found {
		rows[i] = &row{querier: q, ctx: ctx, id: m.id, kind: m.kind, labels: m.labels, every: spacing(hints)}
		rows[i].head = q.headOf(m)
	}
	s.mu.RUnlock()
	slices.SortFunc(rows, func(a, b *row) int { return labels.Compare(a.labels, b.labels) })
	return &rowSet{rows: rows}
}

// headOf copies what is in memory of a series: more is appended meanwhile.
func (q *querier) headOf(m *series) (out []block.Chunk) {
	for _, p := range []*piece{&m.pending, &m.now} {
		if p.chunk != nil && p.min <= q.maxt && p.max >= q.mint {
			out = append(out, block.Chunk{Min: p.min, Max: p.max, Data: slices.Clone(p.chunk.Bytes())})
		}
	}
	return out
}

// find returns the series that match and have samples in a span, as far as the times
// of their first and last ones tell.
func (s *Store) find(mint, maxt int64, matchers []*labels.Matcher) (out []*series) {
	consider := func(all []*series) {
		for _, m := range all {
			if m.first <= maxt && m.last >= mint && matches(m.labels, matchers) {
				out = append(out, m)
			}
		}
	}
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			consider(s.table.byName[m.Value])
			return out
		}
	}
	for _, all := range s.table.byName {
		consider(all)
	}
	return out
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues implements storage.LabelQuerier.
func (q *querier) LabelValues(_ context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	values := make(map[string]bool)
	q.each(matchers, func(l labels.Labels) {
		if v := l.Get(name); v != "" {
			values[v] = true
		}
	})
	return cut(values, hints), nil, nil
}

// LabelNames implements storage.LabelQuerier.
func (q *querier) LabelNames(_ context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	names := make(map[string]bool)
	q.each(matchers, func(l labels.Labels) {
		l.Range(func(l labels.Label) { names[l.Name] = true })
	})
	return cut(names, hints), nil, nil
}

func (q *querier) each(matchers []*labels.Matcher, f func(labels.Labels)) {
	q.store.mu.RLock()
	defer q.store.mu.RUnlock()
	for _, m := range q.store.find(q.mint, q.maxt, matchers) {
		f(m.labels)
	}
}

func cut(set map[string]bool, hints *storage.LabelHints) []string {
	all := slices.Sorted(maps.Keys(set))
	if hints != nil && hints.Limit > 0 && len(all) > hints.Limit {
		all = all[:hints.Limit]
	}
	return all
}

// Families returns what is known of the series of each name.
func (s *Store) Families() map[string]Family {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.family)
}

// rowSet is what a selection found.
type rowSet struct {
	rows []*row
	at   int
}

func (r *rowSet) Next() bool                        { r.at++; return r.at <= len(r.rows) }
func (r *rowSet) At() storage.Series                { return r.rows[r.at-1] }
func (r *rowSet) Err() error                        { return nil }
func (r *rowSet) Warnings() annotations.Annotations { return nil }

// row is one series that was found. What it has in blocks is read when it is asked
// for its samples.
type row struct {
	querier *querier
	ctx     context.Context
	id      uint64
	kind    Kind
	labels  labels.Labels
	head    []block.Chunk
	every   int64
}

// Labels implements storage.Series.
func (r *row) Labels() labels.Labels { return r.labels }

// Iterator implements storage.Series.
func (r *row) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	it := &iterator{kind: r.kind, every: r.every}
	for _, b := range r.querier.blocks {
		if err := r.ctx.Err(); err != nil {
			it.err = err
			return it
		}
		chunks, err := b.Series(r.id)
		if errors.Is(err, block.ErrBroken) {
			r.querier.store.log.Warn("a series of metrics is damaged in a block", slog.Any("error", err))
			continue
		}
		if err != nil {
			it.err = err
			return it
		}
		it.add(chunks, b.Step, r.querier.mint, r.querier.maxt)
	}
	it.add(r.head, 0, r.querier.mint, r.querier.maxt)
	return it
}
