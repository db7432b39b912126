// Package wal keeps what was written last until it stands elsewhere: records in
// files of one folder, each with a checksum. What a crash has cut off a file's end
// is left out when it is read again.
package wal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxRecord bounds what a length that was read can make us allocate.
const maxRecord = 64 << 20

const (
	header = 8 // length, checksum
	suffix = ".wal"
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Log is the files of one folder, of which the last one is written. It is not
// safe for concurrent use.
type Log struct {
	dir    string
	number uint64
	file   *os.File
	size   int64
	buf    []byte
}

// New returns a Log of a folder, which begins a new file behind all that are there.
// The folder is made with the first record.
func New(dir string) (*Log, error) {
	numbers, err := Segments(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, number: 1}
	if n := len(numbers); n > 0 {
		l.number = numbers[n-1] + 1
	}
	return l, nil
}

// Number is that of the file that is written.
func (l *Log) Number() uint64 { return l.number }

// Size is how many bytes the file that is written has.
func (l *Log) Size() int64 { return l.size }

// Append writes records and has them on the disk when it returns nil. On an error
// none of them counts, and the file takes no more: Next must follow.
func (l *Log) Append(records ...[]byte) error {
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	l.buf = l.buf[:0]
	for _, r := range records {
		l.buf = binary.LittleEndian.AppendUint32(l.buf, uint32(len(r)))
		l.buf = binary.LittleEndian.AppendUint32(l.buf, checksum(r))
		l.buf = append(l.buf, r...)
	}
	n, err := l.file.Write(l.buf)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		if n > 0 {
			_ = l.file.Truncate(l.size) // where that fails too, the checksum tells
		}
		return err
	}
	l.size += int64(n)
	if cap(l.buf) > 1<<20 {
		l.buf = nil
	}
	return nil
}

func (l *Log) open() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path(l.dir, l.number), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	l.file, l.size = f, 0
	return nil
}

// Next ends the file that is written; the next record begins another.
func (l *Log) Next() {
	_ = l.Close()
	l.number++
}

// Close closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.size = nil, 0
	return err
}

// Forget removes the files of a folder before that of a number, none of which is
// written.
func Forget(dir string, before uint64) error {
	numbers, err := Segments(dir)
	for _, n := range numbers {
		if n < before {
			err = errors.Join(err, os.Remove(path(dir, n)))
		}
	}
	return err
}

func path(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, suffix))
}

// Segments returns the numbers of a folder's files, ascending; none where there
// is no folder.
func Segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []uint64
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), suffix)
		if n, err := strconv.ParseUint(text, 10, 64); ok && err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Bytes is how much a folder's files take.
func Bytes(dir string) (n int64) {
	numbers, _ := Segments(dir)
	for _, number := range numbers {
		if info, err := os.Stat(path(dir, number)); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Read calls f with each whole record of a file, in order, until one is not whole
// or f fails. It reports whether something stood behind the last one. The record
// is valid during the call.
func Read(dir string, number uint64, f func([]byte) error) (torn bool, err error) {
	file, err := os.Open(path(dir, number))
	if err != nil {
		return false, err
	}
	defer file.Close()
	return read(bufio.NewReaderSize(file, 256<<10), f)
}

func read(r io.Reader, f func([]byte) error) (torn bool, err error) {
	var head [header]byte
	var buf []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return !errors.Is(err, io.EOF), nil
		}
		size := binary.LittleEndian.Uint32(head[:])
		if size == 0 || size > maxRecord {
			return true, nil
		}
		if buf, err = readRecord(r, buf[:0], int(size)); err != nil {
			return true, nil
		}
		if checksum(buf) != binary.LittleEndian.Uint32(head[4:]) {
			return true, nil
		}
		if err := f(buf); err != nil {
			return false, err
		}
	}
}

// readRecord reads in pieces: a length that a crash has left behind is not believed
// before the bytes are there.
func readRecord(r io.Reader, buf []byte, size int) ([]byte, error) {
	const piece = 1 << 20
	for size > 0 {
		n := min(size, piece)
		buf = slices.Grow(buf, n)
		got := buf[len(buf) : len(buf)+n]
		if _, err := io.ReadFull(r, got); err != nil {
			return buf, err
		}
		buf, size = buf[:len(buf)+n], size-n
	}
	return buf, nil
}
