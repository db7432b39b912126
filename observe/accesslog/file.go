package accesslog

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Stdout and Off are the destinations that are no files.
const (
	Stdout = "stdout"
	Off    = "off"
)

const (
	flushSize  = 64 << 10               // bytes that are written without waiting for more
	flushDelay = 100 * time.Millisecond // how long a line waits for others
	maxBuffer  = 4 << 20                // bytes that wait while the disk is slow; what is over is dropped
	retryDelay = time.Second            // between attempts to write what could not be written

	patience = 5 * time.Second // with a write that hangs
)

// File is an access log's destination, and the keeper of its descriptor and
// buffers. It is safe for concurrent use.
//
// Lines are gathered in one buffer while the other is written by the File's
// goroutine. Append never waits for the disk.
type File struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex // guards active and closed
	active []byte
	closed bool // the goroutine has ended: late lines are written directly

	begun chan struct{} // a line lies in the buffer
	full  chan struct{} // enough for a write at once
	ask   chan chan error
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once

	sink sink // the goroutine's own, until it ends

	appended atomic.Uint64
	dropped  atomic.Uint64
}

// Counts is what became of a File's lines.
type Counts struct {
	Appended    uint64 // lines taken
	Dropped     uint64 // lines lost because the buffer was full, or at the end
	WriteErrors uint64
}

// Open opens a log for appending, creating it (0640) and its folder (0750)
// where they are missing, and starts the goroutine that writes it. The path
// Stdout stands for stdout.
func Open(path string, stdout io.Writer, log *slog.Logger) (*File, error) {
	f, err := newFile(path, stdout, log)
	if err != nil {
		return nil, err
	}
	f.sink.endLine()
	go f.run()
	return f, nil
}

// Join is Open for a log to which another process still writes, whose last line
// may be one that it is writing now.
func Join(path string, stdout io.Writer, log *slog.Logger) (*File, error) {
	f, err := newFile(path, stdout, log)
	if err != nil {
		return nil, err
	}
	go f.run()
	return f, nil
}

func newFile(path string, stdout io.Writer, log *slog.Logger) (*File, error) {
	f := &File{
		path:  path,
		log:   log,
		begun: make(chan struct{}, 1),
		full:  make(chan struct{}, 1),
		ask:   make(chan chan error),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	f.sink = sink{path: path, log: log, out: stdout}
	if path == Stdout {
		f.sink.most = atomicSize(stdout)
	} else {
		f.sink.out = nil
		if err := f.sink.open(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Append takes one line, with its line break; it keeps nothing of line.
func (f *File) Append(line []byte) {
	f.mu.Lock()
	if f.closed {
		f.sink.late(line)
		f.mu.Unlock()
		return
	}
	before := len(f.active)
	if before+len(line) > maxBuffer {
		f.mu.Unlock()
		f.dropped.Add(1)
		return
	}
	f.active = append(f.active, line...)
	f.mu.Unlock()
	f.appended.Add(1)
	if before == 0 {
		signal(f.begun)
	}
	if before < flushSize && before+len(line) >= flushSize {
		signal(f.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Counts returns what became of the lines so far.
func (f *File) Counts() Counts {
	return Counts{
		Appended:    f.appended.Load(),
		Dropped:     f.dropped.Load() + f.sink.lost.Load(),
		WriteErrors: f.sink.errors.Load(),
	}
}

// Reopen writes what waits and opens the path anew, after the file was renamed:
// once Reopen has returned, the old file is not written any more. On an error
// it stays open and is written on. A write that hangs is not waited for longer
// than patience; the path is then opened anew once it has ended.
func (f *File) Reopen() error {
	answer := make(chan error, 1)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f.ask <- answer:
	case <-f.done:
		return os.ErrClosed
	case <-timer.C:
		return f.hangs()
	}
	select {
	case err := <-answer:
		return err
	case <-timer.C:
		return f.hangs()
	}
}

func (f *File) hangs() error { return fmt.Errorf("%s: a write hangs", f.path) }

// Retire implements keeper.Entry: the goroutine writes what waits and ends. A
// request that ends later still has its line written.
func (f *File) Retire() { f.once.Do(func() { close(f.stop) }) }

// Close retires the File and returns when all lines are written, or could not
// be. A write that hangs, to a pipe that nobody reads, is not waited for
// longer than patience.
func (f *File) Close() {
	f.Retire()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		f.log.Warn("the access log's last lines cannot be written: a write hangs", slog.String("path", f.path))
	}
}

// Closed reports whether all lines are written and the goroutine has ended.
func (f *File) Closed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *File) run() {
	defer close(f.done)
	var spare []byte
	for {
		var answer chan error
		select {
		case <-f.begun:
			answer = f.gather()
		case answer = <-f.ask:
		case <-f.stop:
		}
		spare = f.flush(spare)
		f.sink.count(f.dropped.Load())
		if answer != nil {
			answer <- f.sink.reopen()
		}
		if f.stopping() {
			f.drain(spare)
			return
		}
	}
}

// gather waits for more lines to come, but not for long.
func (f *File) gather() (answer chan error) {
	delay := flushDelay
	if f.sink.waits() {
		delay = retryDelay
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.full:
	case answer = <-f.ask:
	case <-f.stop:
	}
	return answer
}

func (f *File) stopping() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

// flush writes what was gathered, and returns the buffer that is free for the
// next lines. What a failed write leaves over stays with the sink; until that
// is written, new lines gather up to the buffer's bound.
func (f *File) flush(spare []byte) []byte {
	if f.sink.waits() {
		f.sink.retry()
		if f.sink.waits() {
			signal(f.begun)
			return spare
		}
	}
	f.mu.Lock()
	lines := f.active
	f.active = spare[:0]
	f.mu.Unlock()
	f.sink.write(lines)
	if f.sink.waits() {
		signal(f.begun)
		return nil
	}
	return shrink(lines)
}

// shrink lets go of a buffer that a burst made large, once the burst is over.
func shrink(b []byte) []byte {
	if cap(b) > 8*flushSize && len(b) < cap(b)/4 {
		return nil
	}
	return b[:0]
}

// drain writes until nothing is left, and marks the File closed. What cannot
// be written now is lost.
func (f *File) drain(spare []byte) {
	for {
		f.mu.Lock()
		if len(f.active) == 0 || f.sink.waits() {
			f.sink.abandon(f.active)
			f.active, f.closed = nil, true
			f.sink.close()
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		spare = f.flush(spare)
	}
}
