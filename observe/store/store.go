package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"gatehouse/observe/store/block"
	"gatehouse/observe/store/wal"
)

// Options are the bounds of a Store.
type Options struct {
	Dir    string // made with the first sample
	Log    *slog.Logger
	Size   int64 // bytes on the disk; 0 for 1 GiB
	Series int   // series that are known at once; 0 for 100,000
}

const (
	defaultSize   = 1 << 30
	defaultSeries = 100_000
)

// Store is the metrics of one folder. It is safe for concurrent use. Of a folder
// one process writes at a time: a Store is open between Open and Close, and can be
// opened again.
type Store struct {
	options Options
	log     *slog.Logger
	counts  counts

	writing sync.Mutex // held by whoever appends, from the first to the last byte on the disk
	wal     *wal.Log   // under writing

	maintaining sync.Mutex // held by whoever makes or removes blocks

	mu        sync.RWMutex // of all below; taken after writing
	open      bool
	table     table
	head      head
	blocks    []*block.Block // by their spans, ascending
	family    map[string]Family
	sources   map[string]*source
	reading   uint64 // the file of the log that is replayed; 0 for none
	undefined bool   // series may be in no file: a write has failed
}

// head is what is in no block yet.
type head struct {
	window  int64 // of the samples that come in, its beginning in ms; 0 for none
	pending int64 // of those that are to become a block; 0 for none
	segment uint64
	last    int64 // the newest sample's time
}

// counts are what Stats says, without a lock.
type counts struct {
	samples, late, folded, failed, lost atomic.Uint64
	compactions, reads                  atomic.Uint64
}

// Stats is how a Store is doing.
type Stats struct {
	Series      int    // known, those included that are sampled no more
	Active      int    // of which there was a sample the last time
	Limit       int    // series at most
	Blocks      int    // files
	Bytes       int64  // on the disk
	BytesLimit  int64  // at most
	Oldest      int64  // the oldest sample's time, ms; 0 for none
	Samples     uint64 // taken
	Late        uint64 // not taken: older than the series' last one
	Folded      uint64 // not taken: their series found no room
	Failed      uint64 // writes that failed
	Lost        uint64 // samples that could not be made a block
	Compactions uint64
}

// New returns a Store that is not open.
func New(o Options) *Store {
	if o.Size <= 0 {
		o.Size = defaultSize
	}
	if o.Series <= 0 {
		o.Series = defaultSeries
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{options: o, log: o.Log}
}

// SetLimits makes other bounds hold from now on.
func (s *Store) SetLimits(size int64, series int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Size, s.options.Series = size, series
}

// ErrClosed is the error of a Store that is not open.
var ErrClosed = errors.New("the store of the metrics is not open: another process writes it, or this one is starting or stopping")

func (s *Store) blockDir() string   { return filepath.Join(s.options.Dir, "blocks") }
func (s *Store) walDir() string     { return filepath.Join(s.options.Dir, "wal") }
func (s *Store) seriesPath() string { return filepath.Join(s.options.Dir, "series") }

// Open reads what is there. What a crash has left half written is put away, what is
// broken set aside: both are logged, and neither keeps the Store from opening.
func (s *Store) Open() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return nil
	}
	s.table, s.head, s.wal = newTable(), head{}, nil
	s.family, s.sources = make(map[string]Family), make(map[string]*source)
	if err := s.load(); err != nil {
		s.releaseBlocks()
		return fmt.Errorf("the metrics below %s: %w", s.options.Dir, err)
	}
	s.open = true
	return nil
}

func (s *Store) load() (err error) {
	if err := s.loadBlocks(); err != nil {
		return err
	}
	if err := s.loadSeries(); err != nil {
		return err
	}
	if err := s.replay(); err != nil {
		return err
	}
	s.wal, err = wal.New(s.walDir())
	return err
}

// loadBlocks opens every block. One whose span another covers has become part of
// that one, and only its removal was cut short.
func (s *Store) loadBlocks() error {
	paths, err := block.List(s.blockDir())
	if err != nil {
		return err
	}
	for _, path := range paths {
		b, err := block.Open(path)
		if err != nil {
			s.log.Warn("a block of metrics is broken and set aside", slog.String("file", path), slog.Any("error", err))
			if err := os.Rename(path, path+".broken"); err != nil {
				return err
			}
			continue
		}
		s.addBlock(b)
	}
	for _, b := range s.blocks {
		if s.covered(b) {
			s.dropBlock(b)
		}
	}
	return nil
}

// covered reports whether another block has a greater span, and the whole of b's.
func (s *Store) covered(b *block.Block) bool {
	for _, o := range s.blocks {
		if o != b && o.Covers(b.Meta) && o.Window() > b.Window() {
			return true
		}
	}
	return false
}

func (s *Store) releaseBlocks() {
	for _, b := range s.blocks {
		b.Release()
	}
	s.blocks = nil
}

// Close writes what waits and lets go of the folder. Queries under way end well.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	open := s.open
	s.open = false // whoever makes a block sees it, and gives up
	s.mu.Unlock()
	if !open {
		return nil
	}
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseBlocks()
	s.table, s.sources = newTable(), nil
	return s.wal.Close()
}

// Opened reports whether the Store is open.
func (s *Store) Opened() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open
}

// Stats says how the Store is doing.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Stats{
		Series: len(s.table.all), Limit: s.options.Series, Blocks: len(s.blocks), BytesLimit: s.options.Size,
		Samples: s.counts.samples.Load(), Late: s.counts.late.Load(), Folded: s.counts.folded.Load(),
		Failed: s.counts.failed.Load(), Lost: s.counts.lost.Load(), Compactions: s.counts.compactions.Load(),
	}
	for _, src := range s.sources {
		out.Active += len(src.live)
	}
	if s.open {
		out.Bytes = s.bytes()
		out.Oldest = s.oldest()
	}
	return out
}

// oldest is the time of the oldest sample, as far as blocks tell.
func (s *Store) oldest() int64 {
	switch {
	case len(s.blocks) > 0:
		return s.blocks[0].Min
	case s.head.pending > 0:
		return s.head.pending
	}
	return s.head.window
}

// bytes is what the folder takes.
func (s *Store) bytes() int64 {
	n := wal.Bytes(s.walDir())
	for _, b := range s.blocks {
		n += b.Size()
	}
	if info, err := os.Stat(s.seriesPath()); err == nil {
		n += info.Size()
	}
	return n
}

// stopped reports whether making blocks is to be given up.
func (s *Store) stopped(ctx context.Context) bool { return ctx.Err() != nil || !s.Opened() }
