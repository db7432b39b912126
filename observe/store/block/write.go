package block

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

func newReader(r io.Reader) io.Reader { return bufio.NewReaderSize(r, 64<<10) }

// Writer writes one block. It ends with Commit or Abort, the first of which counts.
type Writer struct {
	meta   Meta
	dir    string
	file   *os.File
	out    *bufio.Writer
	offset int64
	table  []byte
	last   uint64
	buf    []byte
	done   bool
}

// Create begins a block in a folder, which is made where it is missing.
func Create(dir string, m Meta) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, m.name()+unfinished), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{meta: m, dir: dir, file: f, out: bufio.NewWriterSize(f, 256<<10)}
	w.write([]byte(magic))
	return w, nil
}

// write leaves errors to the buffer, which keeps the first one until Commit.
func (w *Writer) write(p []byte) {
	_, _ = w.out.Write(p)
	w.offset += int64(len(p))
}

// Add adds a series. Series come in ascending order, each once; chunks in the order
// of time.
func (w *Writer) Add(id uint64, chunks []Chunk) error {
	if len(w.table) > 0 && id <= w.last {
		return errors.New("block: series out of order")
	}
	w.last = id
	w.buf = appendChunks(w.buf[:0], chunks)
	w.table = binary.LittleEndian.AppendUint64(w.table, id)
	w.table = binary.LittleEndian.AppendUint64(w.table, uint64(w.offset))
	w.table = binary.LittleEndian.AppendUint32(w.table, uint32(len(w.buf)))
	w.table = binary.LittleEndian.AppendUint32(w.table, checksum(w.buf))
	w.write(w.buf)
	return nil
}

// Commit puts the block in its place, whole and durable, and opens it.
func (w *Writer) Commit() (*Block, error) {
	if w.done {
		return nil, errors.New("block: written already")
	}
	table := w.offset
	w.write(w.table)
	w.write(w.foot(table))
	err := w.out.Flush()
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	w.done = true
	_ = w.file.Close()
	path := filepath.Join(w.dir, w.meta.name())
	if err := os.Rename(w.file.Name(), path); err != nil {
		_ = os.Remove(w.file.Name())
		return nil, err
	}
	if err := syncDir(w.dir); err != nil {
		return nil, err
	}
	return Open(path)
}

func (w *Writer) foot(table int64) []byte {
	foot := make([]byte, footSize)
	for i, v := range []int64{w.meta.Step, w.meta.Min, w.meta.Max, int64(len(w.table) / entrySize), table} {
		binary.LittleEndian.PutUint64(foot[i*8:], uint64(v))
	}
	binary.LittleEndian.PutUint32(foot[40:], crc32.Checksum(w.table, crc32.MakeTable(crc32.Castagnoli)))
	binary.LittleEndian.PutUint32(foot[footSize-12:], checksum(foot[:footSize-12]))
	copy(foot[footSize-8:], magic)
	return foot
}

// Abort leaves nothing behind.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// appendChunks writes the record of a series: how many chunks, and of each the
// times, the length and the bytes.
func appendChunks(b []byte, chunks []Chunk) []byte {
	b = binary.AppendUvarint(b, uint64(len(chunks)))
	for _, c := range chunks {
		b = binary.AppendVarint(b, c.Min)
		b = binary.AppendUvarint(b, uint64(c.Max-c.Min))
		b = binary.AppendUvarint(b, uint64(len(c.Data)))
		b = append(b, c.Data...)
	}
	return b
}

// minChunk is the least that a chunk takes in a record; it bounds their number.
const minChunk = 3

func decodeChunks(b []byte) ([]Chunk, error) {
	n, at := binary.Uvarint(b)
	if at <= 0 || n > uint64(len(b)/minChunk) {
		return nil, ErrBroken
	}
	b = b[at:]
	out := make([]Chunk, 0, n)
	for range n {
		low, at := binary.Varint(b)
		if at <= 0 {
			return nil, ErrBroken
		}
		b = b[at:]
		span, at := binary.Uvarint(b)
		if at <= 0 {
			return nil, ErrBroken
		}
		b = b[at:]
		size, at := binary.Uvarint(b)
		if at <= 0 || size > uint64(len(b)-at) || size < 2 {
			return nil, ErrBroken
		}
		b = b[at:]
		out = append(out, Chunk{Min: low, Max: low + int64(span), Data: b[:size:size]})
		b = b[size:]
	}
	return out, nil
}
