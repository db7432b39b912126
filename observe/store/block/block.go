// Package block keeps samples that change no more: one file for a span of time, in
// which a series is found by its number. A file is written whole or not at all.
package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
)

// The form of a file: magic, the records of all series, the table of where each one
// is, and a foot of fixed length.
const (
	magic      = "gthsmet1"
	entrySize  = 24 // series, offset, length, checksum
	footSize   = 64
	pageOf     = 128 // entries of which one number is kept in memory
	maxRecord  = 64 << 20
	maxEntries = 1 << 28

	suffix     = ".block"
	unfinished = ".unfinished"
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Meta is what a block holds.
type Meta struct {
	Step     int64 // between two samples of a series, in ms; 0 for as they came
	Min, Max int64 // the span in ms: samples are in [Min, Max)
}

// Window is the span's length in ms.
func (m Meta) Window() int64 { return m.Max - m.Min }

// Covers reports whether o's span is within m's.
func (m Meta) Covers(o Meta) bool { return m.Min <= o.Min && o.Max <= m.Max }

func (m Meta) name() string {
	return fmt.Sprintf("%d-%d-%d%s", m.Min/1000, m.Max/1000, m.Step/1000, suffix)
}

// Chunk is a piece of a series, in the encoding of chunkenc.XORChunk.
type Chunk struct {
	Min, Max int64 // of its samples, ms, both inclusive
	Data     []byte
}

// Block is a file that is open for reading. It is safe for concurrent use. Who
// reads holds it by Acquire until Release; Remove takes its name away at once and
// its file once nobody holds it any more.
type Block struct {
	Meta
	path  string
	size  int64
	file  *os.File
	count int
	table int64    // where it begins
	first []uint64 // the series that each page of the table begins with
	held  atomic.Int64
}

// Open opens a block and holds its table against its checksum.
func Open(path string) (*Block, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b := &Block{path: path, file: f}
	b.held.Store(1)
	if err := b.load(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// ErrBroken is the error of a file, or of a series in it, that is not as it was
// written.
var ErrBroken = errors.New("it is cut or changed")

func (b *Block) load() error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	b.size = info.Size()
	var foot [footSize]byte
	if b.size < int64(len(magic)+footSize) {
		return ErrBroken
	}
	if _, err := b.file.ReadAt(foot[:], b.size-footSize); err != nil {
		return err
	}
	if string(foot[footSize-8:]) != magic || checksum(foot[:footSize-12]) != binary.LittleEndian.Uint32(foot[footSize-12:]) {
		return ErrBroken
	}
	u := func(at int) int64 { return int64(binary.LittleEndian.Uint64(foot[at:])) }
	b.Step, b.Min, b.Max, b.table = u(0), u(8), u(16), u(32)
	count := u(24)
	if count < 0 || count > maxEntries || b.table < int64(len(magic)) || b.table+count*entrySize+footSize != b.size || b.Min >= b.Max || b.Step < 0 {
		return ErrBroken
	}
	b.count = int(count)
	return b.loadTable(binary.LittleEndian.Uint32(foot[40:]))
}

// loadTable reads the table once, page by page.
func (b *Block) loadTable(sum uint32) error {
	crc := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	page := make([]byte, pageOf*entrySize)
	b.first = make([]uint64, 0, (b.count+pageOf-1)/pageOf)
	for i := 0; i < b.count; i += pageOf {
		got := page[:min(pageOf, b.count-i)*entrySize]
		if _, err := b.file.ReadAt(got, b.table+int64(i)*entrySize); err != nil {
			return err
		}
		_, _ = crc.Write(got)
		b.first = append(b.first, binary.LittleEndian.Uint64(got))
	}
	if crc.Sum32() != sum {
		return ErrBroken
	}
	return nil
}

// Size is the file's size in bytes.
func (b *Block) Size() int64 { return b.size }

// Path is where the file is.
func (b *Block) Path() string { return b.path }

// Count is how many series the block has.
func (b *Block) Count() int { return b.count }

// Acquire holds the block. It is called only while somebody holds it.
func (b *Block) Acquire() { b.held.Add(1) }

// Release gives the block up.
func (b *Block) Release() {
	if b.held.Add(-1) == 0 {
		_ = b.file.Close()
	}
}

// Remove takes the file away, and gives up the hold that Open gave. A block whose
// name another file has by now is only given up.
func (b *Block) Remove() error {
	defer b.Release()
	named, err := os.Stat(b.path)
	if err != nil {
		return err
	}
	if own, err := b.file.Stat(); err != nil || !os.SameFile(named, own) {
		return err
	}
	return os.Remove(b.path)
}

type entry struct {
	id     uint64
	offset int64
	length uint32
	sum    uint32
}

func decodeEntry(p []byte) entry {
	return entry{
		binary.LittleEndian.Uint64(p), int64(binary.LittleEndian.Uint64(p[8:])),
		binary.LittleEndian.Uint32(p[16:]), binary.LittleEndian.Uint32(p[20:]),
	}
}

// Series returns the chunks of a series, in the order of time; none where the
// block does not have it.
func (b *Block) Series(id uint64) ([]Chunk, error) {
	page := sort.Search(len(b.first), func(i int) bool { return b.first[i] > id }) - 1
	if page < 0 {
		return nil, nil
	}
	n := min(pageOf, b.count-page*pageOf)
	buf := make([]byte, n*entrySize)
	if _, err := b.file.ReadAt(buf, b.table+int64(page)*pageOf*entrySize); err != nil {
		return nil, b.errorf(err)
	}
	i := sort.Search(n, func(i int) bool { return binary.LittleEndian.Uint64(buf[i*entrySize:]) >= id })
	if i == n {
		return nil, nil
	}
	e := decodeEntry(buf[i*entrySize:])
	if e.id != id {
		return nil, nil
	}
	return b.read(e, nil)
}

func (b *Block) errorf(err error) error { return fmt.Errorf("%s: %w", b.path, err) }

// read reads the record of an entry, into buf where that is large enough.
func (b *Block) read(e entry, buf []byte) ([]Chunk, error) {
	if e.length > maxRecord || e.offset < int64(len(magic)) || e.offset+int64(e.length) > b.table {
		return nil, b.errorf(ErrBroken)
	}
	buf = slices.Grow(buf[:0], int(e.length))[:e.length]
	if _, err := b.file.ReadAt(buf, e.offset); err != nil {
		return nil, b.errorf(err)
	}
	if checksum(buf) != e.sum {
		return nil, b.errorf(ErrBroken)
	}
	chunks, err := decodeChunks(buf)
	if err != nil {
		return nil, b.errorf(err)
	}
	return chunks, nil
}

// Each calls f with every series in ascending order, until it fails. The chunks are
// valid during the call.
func (b *Block) Each(f func(id uint64, chunks []Chunk) error) error {
	c := b.Cursor()
	for c.Next() {
		if err := f(c.ID(), c.Chunks()); err != nil {
			return err
		}
	}
	return c.Err()
}

// Cursor goes through a block's series in ascending order.
type Cursor struct {
	block  *Block
	table  io.Reader
	entry  entry
	chunks []Chunk
	buf    []byte
	broken int
	err    error
}

// Cursor returns one that stands before the first series.
func (b *Block) Cursor() *Cursor {
	return &Cursor{block: b, table: newReader(io.NewSectionReader(b.file, b.table, int64(b.count)*entrySize))}
}

// Block is what the Cursor goes through.
func (c *Cursor) Block() *Block { return c.block }

// Next goes to the next series, and reads it.
func (c *Cursor) Next() bool {
	var raw [entrySize]byte
	if _, err := io.ReadFull(c.table, raw[:]); err != nil {
		if !errors.Is(err, io.EOF) {
			c.err = c.block.errorf(err)
		}
		return false
	}
	c.entry = decodeEntry(raw[:])
	c.buf = slices.Grow(c.buf[:0], int(min(c.entry.length, maxRecord)))
	c.chunks, c.err = c.block.read(c.entry, c.buf)
	if errors.Is(c.err, ErrBroken) {
		c.chunks, c.err = nil, nil
		c.broken++
	}
	return c.err == nil
}

// Broken is how many series could not be read so far: they have no chunks.
func (c *Cursor) Broken() int { return c.broken }

// ID is the series that Next has found.
func (c *Cursor) ID() uint64 { return c.entry.id }

// Chunks are its chunks, valid until the next Next.
func (c *Cursor) Chunks() []Chunk { return c.chunks }

// Err is what has ended Next before the last series.
func (c *Cursor) Err() error { return c.err }

// List returns the paths of a folder's blocks, and removes what a crash has left
// unfinished. Without a folder there are none.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		switch {
		case strings.HasSuffix(e.Name(), unfinished):
			_ = os.Remove(filepath.Join(dir, e.Name()))
		case strings.HasSuffix(e.Name(), suffix):
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}
