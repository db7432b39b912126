package store

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"gatehouse/observe/store/block"
	"gatehouse/observe/store/wal"
)

const (
	minute = int64(60_000) // ms
	hour   = 60 * minute
	day    = 24 * hour

	// headWindow is the span of the samples in memory, and of the first blocks.
	headWindow = 20 * minute
	// maxAge is how long the coarsest blocks are kept.
	maxAge = 455 * day
	// spared is how much of the newest is never removed for the sake of size.
	spared = 4 * hour
)

// Maintain makes a block of what waits to become one, has blocks grow together that
// are old enough, and removes what is over age or size. It is called every now and
// then, and gives up between two series once ctx ends. What fails is tried again by
// the next call.
func (s *Store) Maintain(ctx context.Context, now time.Time) error {
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	if s.stopped(ctx) {
		return ctx.Err()
	}
	if err := s.flush(); err != nil {
		s.counts.failed.Add(1)
		return err
	}
	for !s.stopped(ctx) {
		did, err := s.compact(ctx, now.UnixMilli())
		if err != nil {
			s.counts.failed.Add(1)
			return err
		}
		if !did {
			break
		}
		s.counts.compactions.Add(1)
	}
	s.expire(now.UnixMilli())
	return ctx.Err()
}

// piecesOf is what a block is made from: a series' samples in memory.
type headPiece struct {
	id uint64
	piece
}

func (s *Store) pendingPieces() []headPiece {
	var out []headPiece
	for _, m := range s.table.all {
		if m.pending.chunk != nil {
			out = append(out, headPiece{m.id, m.pending})
		}
	}
	slices.SortFunc(out, func(a, b headPiece) int { return cmp.Compare(a.id, b.id) })
	return out
}

// flush writes the samples that wait as a block. Only then is their log forgotten.
func (s *Store) flush() error {
	s.mu.RLock()
	window, segment := s.head.pending, s.head.segment
	pieces := s.pendingPieces()
	s.mu.RUnlock()
	if window == 0 {
		return nil
	}
	if err := s.saveSeries(); err != nil {
		return err
	}
	b, err := s.writeHead(pieces, window)
	if err != nil {
		return err
	}
	s.mu.Lock()
	current := s.head.pending == window // and not given up meanwhile
	if current {
		s.headWritten(b)
	} else if b != nil {
		s.addBlock(b)
	}
	s.mu.Unlock()
	return wal.Forget(s.walDir(), segment)
}

// writeHead writes a block of samples as they came; nil where there are none.
func (s *Store) writeHead(pieces []headPiece, window int64) (*block.Block, error) {
	if len(pieces) == 0 {
		return nil, nil
	}
	w, err := block.Create(s.blockDir(), block.Meta{Min: window, Max: window + headWindow})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for _, p := range pieces {
		if err := w.Add(p.id, []block.Chunk{{Min: p.min, Max: p.max, Data: p.chunk.Bytes()}}); err != nil {
			return nil, err
		}
	}
	return w.Commit()
}

// headWritten puts a block in the place of the samples that waited.
func (s *Store) headWritten(b *block.Block) {
	for _, m := range s.table.all {
		m.pending = piece{}
	}
	s.head.pending = 0
	if b != nil {
		s.addBlock(b)
	}
}

func (s *Store) addBlock(b *block.Block) {
	blocks := append(slices.Clone(s.blocks), b)
	slices.SortFunc(blocks, func(x, y *block.Block) int {
		return cmp.Or(cmp.Compare(x.Min, y.Min), cmp.Compare(x.Max, y.Max))
	})
	s.blocks = blocks
}

// dropBlock takes a block from the list and from the disk.
func (s *Store) dropBlock(b *block.Block) {
	s.blocks = slices.DeleteFunc(slices.Clone(s.blocks), func(o *block.Block) bool { return o == b })
	if err := b.Remove(); err != nil {
		s.log.Warn("a block of metrics could not be removed", slog.String("file", b.Path()), slog.Any("error", err))
	}
}

// expire removes the blocks that are too old or, the oldest first, too much; and
// then the series that have no samples any more.
func (s *Store) expire(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return
	}
	for _, b := range s.blocks {
		if b.Max+maxAge <= now {
			s.dropBlock(b)
		}
	}
	for bytes := s.bytes(); bytes > s.options.Size && len(s.blocks) > 0 && s.blocks[0].Max+spared <= now; {
		oldest := s.blocks[0]
		bytes -= oldest.Size()
		s.log.Info("metrics are at the limit of their size: the oldest ones are removed", slog.Time("until", time.UnixMilli(oldest.Max)), slog.Int64("limit", s.options.Size))
		s.dropBlock(oldest)
	}
	if oldest := s.oldest(); oldest > 0 {
		s.table.remove(s.table.idle(oldest))
	}
}
