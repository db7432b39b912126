package accesslog

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	checkEvery = time.Second // how often the file is looked for under its name
	tellEvery  = time.Minute // how often the same trouble is logged
)

// sink writes batches of lines. It belongs to one goroutine; its counters may
// be read by all.
type sink struct {
	path string
	log  *slog.Logger
	out  io.Writer
	file *os.File // nil for stdout
	info os.FileInfo
	most int // bytes of one write; 0 for any number

	rest    []byte // what a failed write left over
	cut     bool   // rest begins within a line
	checked time.Time
	writing trouble
	opening trouble

	dropping trouble
	dropped  uint64 // as of the last count

	lost   atomic.Uint64
	errors atomic.Uint64
}

func (s *sink) open() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o750); err != nil {
		return err
	}
	if info, err := os.Stat(s.path); err == nil && !writable(info.Mode()) {
		return fmt.Errorf("%s is no file: for standard output write %q", s.path, Stdout)
	}
	file, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return err
	}
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.out, s.info = file, file, info
	return nil
}

// endLine ends the line that a process was cut off in, by a full disk or the
// machine's end, so that the next one does not hang on to it.
func (s *sink) endLine() {
	if s.file == nil {
		return
	}
	file, err := os.Open(s.path)
	if err != nil {
		return // what may be written need not be readable
	}
	defer file.Close()
	last := []byte{'\n'}
	if size := s.info.Size(); size > 0 && s.info.Mode().IsRegular() {
		_, _ = file.ReadAt(last, size-1)
	}
	if last[0] != '\n' {
		_, _ = s.file.WriteString("\n")
	}
}

// writable reports whether what stands at the path can be appended to without
// waiting for a reader.
func writable(m os.FileMode) bool { return m.IsRegular() || m&os.ModeCharDevice != 0 }

// reopen opens the path anew; on an error the open file stays.
func (s *sink) reopen() error {
	if s.file == nil {
		return nil
	}
	return s.open()
}

// follow opens the path anew where the open file no longer stands there.
func (s *sink) follow() {
	if s.file == nil || time.Since(s.checked) < checkEvery {
		return
	}
	s.checked = time.Now()
	if info, err := os.Stat(s.path); err == nil && os.SameFile(info, s.info) {
		return
	}
	if err := s.open(); err != nil {
		s.opening.tell(s, "the access log is gone from its place and cannot be opened anew", slog.Any("error", err))
		return
	}
	s.opening.end(s, "the access log was opened anew")
}

// write writes lines; what cannot be written now is kept for retry.
func (s *sink) write(lines []byte) {
	if len(lines) == 0 {
		return
	}
	s.follow()
	s.put(lines)
}

func (s *sink) put(lines []byte) {
	n, err := s.send(lines)
	if err == nil {
		s.cut = false
		s.writing.end(s, "the access log is written again")
		return
	}
	s.errors.Add(1)
	s.cut = n > 0 && lines[n-1] != '\n' || n == 0 && s.cut
	s.rest = lines[n:]
	s.writing.tell(s, "the access log cannot be written", slog.Any("error", err))
}

// pipeSize is what a pipe takes in one piece, whoever else writes to it (PIPE_BUF
// of Linux).
const pipeSize = 4096

// atomicSize returns how much of one write to out stays together where another
// process writes to the same: the one that takes over, or was taken over.
func atomicSize(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		return 0
	}
	return pipeSize
}

// send writes whole lines together, as far as they are short enough.
func (s *sink) send(lines []byte) (int, error) {
	if s.most == 0 || len(lines) <= s.most {
		return s.out.Write(lines)
	}
	for sent := 0; ; {
		rest := lines[sent:]
		if len(rest) == 0 {
			return sent, nil
		}
		n, err := s.out.Write(rest[:wholeLines(rest, s.most)])
		sent += n
		if err != nil {
			return sent, err
		}
	}
}

// wholeLines returns how many bytes of the first lines fit into most: at least
// one line.
func wholeLines(lines []byte, most int) int {
	if len(lines) <= most {
		return len(lines)
	}
	if last := bytes.LastIndexByte(lines[:most], '\n'); last >= 0 {
		return last + 1
	}
	if first := bytes.IndexByte(lines, '\n'); first >= 0 {
		return first + 1
	}
	return len(lines)
}

// waits reports whether a failed write left something over.
func (s *sink) waits() bool { return len(s.rest) > 0 }

// retry writes what is left over. A file that was replaced meanwhile is begun
// with whole lines: the line that was cut is given up.
func (s *sink) retry() {
	before := s.file
	s.follow()
	if s.file != before && s.cut {
		s.skipLine()
	}
	if rest := s.rest; len(rest) > 0 {
		s.rest = nil
		s.put(rest)
	}
}

func (s *sink) skipLine() {
	s.lost.Add(1)
	s.cut = false
	s.rest = s.rest[bytes.IndexByte(s.rest, '\n')+1:]
}

// abandon counts the lines that are given up.
func (s *sink) abandon(more []byte) {
	n := bytes.Count(s.rest, []byte{'\n'}) + bytes.Count(more, []byte{'\n'})
	s.rest = nil
	s.lost.Add(uint64(n))
	if n > 0 {
		s.log.Warn("lines of the access log are lost: they could not be written before the end", slog.String("path", s.path), slog.Int("lines", n))
	}
}

// count takes note of how many lines were dropped so far for want of room.
func (s *sink) count(dropped uint64) {
	if dropped == s.dropped {
		return
	}
	s.dropped = dropped
	s.dropping.tell(s, "lines of the access log are dropped: they come faster than they can be written", slog.Uint64("dropped", dropped))
}

func (s *sink) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// late writes one line after the File was closed.
func (s *sink) late(line []byte) {
	if s.file == nil {
		_, _ = s.out.Write(line)
		return
	}
	file, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		s.lost.Add(1)
		return
	}
	defer file.Close()
	if _, err := file.Write(line); err != nil {
		s.lost.Add(1)
	}
}

// trouble is something that goes wrong for a while. It is logged when it
// begins, every minute while it lasts, and when it ends.
type trouble struct {
	lasts bool
	told  time.Time
}

func (t *trouble) tell(s *sink, what string, why slog.Attr) {
	if t.lasts && time.Since(t.told) < tellEvery {
		return
	}
	t.lasts, t.told = true, time.Now()
	s.log.Warn(what, slog.String("path", s.path), why)
}

func (t *trouble) end(s *sink, what string) {
	if !t.lasts {
		return
	}
	t.lasts = false
	s.log.Info(what, slog.String("path", s.path))
}
