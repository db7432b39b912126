package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"gatehouse/observe/store/block"
)

// rule says which blocks grow together: those of a window that is over for so long
// become one, in which samples are so far apart.
type rule struct {
	from, window int64 // step of the blocks, and the greatest window that one may have
	to, step     int64 // window and step of what they become
	age          int64
}

// rules are CloudWatch's retention: a minute for 15 days, five minutes for 63 days,
// an hour for 455 days; and before that, three hours as they came.
func rules() []rule {
	return []rule{
		{from: 0, window: headWindow, to: 4 * hour, step: minute, age: 3 * hour},
		{from: minute, window: 4 * hour, to: day, step: minute, age: 4 * hour},
		{from: minute, window: day, to: 7 * day, step: 5 * minute, age: 15 * day},
		{from: 5 * minute, window: 7 * day, to: 28 * day, step: hour, age: 63 * day},
	}
}

// next returns the blocks that are to grow together now, and what they become; none
// where nothing is to be done.
func next(blocks []*block.Block, now int64) ([]*block.Block, block.Meta) {
	for _, r := range rules() {
		for _, b := range blocks {
			if b.Step != r.from || b.Window() > r.window {
				continue
			}
			start := b.Min - b.Min%r.to
			m := block.Meta{Step: r.step, Min: start, Max: start + r.to}
			if m.Max+r.age <= now {
				return within(blocks, m), m
			}
		}
	}
	return nil, block.Meta{}
}

// within returns the blocks of a span.
func within(blocks []*block.Block, m block.Meta) (group []*block.Block) {
	for _, b := range blocks {
		if m.Covers(b.Meta) {
			group = append(group, b)
		}
	}
	return group
}

var errStopped = errors.New("the making of a block was given up: the store is closing")

// compact has one group of blocks grow together; false where there is none.
func (s *Store) compact(ctx context.Context, now int64) (bool, error) {
	s.mu.RLock()
	group, meta := next(s.blocks, now)
	kinds := make(map[uint64]Kind, len(s.table.all))
	for id, m := range s.table.all {
		kinds[id] = m.kind
	}
	s.mu.RUnlock()
	if len(group) == 0 {
		return false, nil
	}
	b, err := s.merge(ctx, group, meta, kinds)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addBlock(b)
	for _, old := range group {
		s.dropBlock(old)
	}
	return true, nil
}

// merge writes the block that a group becomes. Series that the table does not have
// any more are left out.
func (s *Store) merge(ctx context.Context, group []*block.Block, meta block.Meta, kinds map[uint64]Kind) (*block.Block, error) {
	w, err := block.Create(s.blockDir(), meta)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	cursors := make([]*block.Cursor, 0, len(group))
	var all []*block.Cursor
	for _, b := range group {
		c := b.Cursor()
		all = append(all, c)
		if c.Next() {
			cursors = append(cursors, c)
		} else if c.Err() != nil {
			return nil, c.Err()
		}
	}
	for len(cursors) > 0 {
		if s.stopped(ctx) {
			return nil, errStopped
		}
		id := lowest(cursors)
		var chunks []block.Chunk
		for _, c := range cursors {
			if c.ID() == id {
				chunks = append(chunks, c.Chunks()...)
			}
		}
		if kind, known := kinds[id]; known {
			out, err := thin(chunks, meta.Step, kind)
			if err != nil {
				return nil, err
			}
			if err := w.Add(id, out); err != nil {
				return nil, err
			}
		}
		if cursors, err = forward(cursors, id); err != nil {
			return nil, err
		}
	}
	s.tellBroken(all)
	return w.Commit()
}

// tellBroken says what a merge had to leave out.
func (s *Store) tellBroken(cursors []*block.Cursor) {
	for _, c := range cursors {
		if n := c.Broken(); n > 0 {
			s.log.Warn("a block of metrics was damaged: some series lack its samples", slog.String("file", c.Block().Path()), slog.Int("series", n))
		}
	}
}

func lowest(cursors []*block.Cursor) uint64 {
	return slices.MinFunc(cursors, func(a, b *block.Cursor) int {
		if a.ID() < b.ID() {
			return -1
		}
		return 1
	}).ID()
}

// forward moves the cursors on that stand at a series, and leaves out those that are
// at their end.
func forward(cursors []*block.Cursor, id uint64) ([]*block.Cursor, error) {
	left := cursors[:0]
	for _, c := range cursors {
		if c.ID() == id && !c.Next() {
			if c.Err() != nil {
				return nil, c.Err()
			}
			continue
		}
		left = append(left, c)
	}
	return left, nil
}

// perChunk is how many samples a chunk of a block has at most: reading one sample
// decodes all before it.
const perChunk = 360

// thin reduces chunks, which are in the order of time, and encodes them anew.
func thin(chunks []block.Chunk, step int64, k Kind) (out []block.Chunk, err error) {
	var p piece
	end := func() {
		if p.chunk != nil {
			out = append(out, block.Chunk{Min: p.min, Max: p.max, Data: p.chunk.Bytes()})
		}
		p = piece{}
	}
	r := reducer{step: step, kind: k, emit: func(t int64, v float64) {
		if p.chunk != nil && p.chunk.NumSamples() >= perChunk {
			end()
		}
		p.append(t, v)
	}}
	var it chunkenc.Iterator
	for _, c := range chunks {
		it, err = decode(c, it)
		if err != nil {
			return nil, err
		}
		for it.Next() != chunkenc.ValNone {
			r.add(it.At())
		}
		if it.Err() != nil {
			return nil, it.Err()
		}
	}
	r.end()
	end()
	return out, nil
}

func decode(c block.Chunk, reuse chunkenc.Iterator) (chunkenc.Iterator, error) {
	chunk, err := chunkenc.FromData(chunkenc.EncXOR, c.Data)
	if err != nil {
		return nil, err
	}
	return chunk.Iterator(reuse), nil
}
