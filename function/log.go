package function

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// The bounds of a log.
const (
	maxLine   = 64 << 10 // bytes; a longer line is cut in pieces
	logBuffer = 64 << 10
	logDelay  = 200 * time.Millisecond // until a line is in the file
	logSize   = 10 << 20               // then the file is another one
	logFiles  = 3                      // that are kept beside the one in use
)

// platform is the source of lines that the gateway writes.
const platform = "platform"

// logFile is the log of one function: a line has a time, the process, who says it
// (platform, stdout, stderr) and the text, in which no function can begin a line
// of its own. It is safe for concurrent use.
type logFile struct {
	name   string
	path   string
	errors *slog.Logger

	mu      sync.Mutex
	buf     []byte
	waiting bool // a flush is due
	file    *os.File
	size    int64
	broken  bool
	closed  bool
}

func newLog(folder, name string, errors *slog.Logger) *logFile {
	return &logFile{name: name, path: filepath.Join(folder, name+".log"), errors: errors}
}

func (l *logFile) begin(at time.Time, instance, source string) {
	l.buf = at.UTC().AppendFormat(l.buf, "2006-01-02T15:04:05.000Z ")
	l.buf = append(l.buf, instance...)
	l.buf = append(l.buf, ' ')
	l.buf = append(l.buf, source...)
	l.buf = append(l.buf, ' ')
}

// end ends a line, and has it written soon.
func (l *logFile) end() {
	l.buf = append(l.buf, '\n')
	if len(l.buf) >= logBuffer || l.closed {
		l.flush()
		return
	}
	if !l.waiting {
		l.waiting = true
		time.AfterFunc(logDelay, l.Flush)
	}
}

// line writes one line.
func (l *logFile) line(instance, source, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin(time.Now(), instance, source)
	l.buf = appendPlain(l.buf, text)
	l.end()
}

// start writes that an invoke begins.
func (l *logFile) start(v *invocation, in *instance) {
	l.begins(v.begun, in.id, v.ID, in.pool.version)
}

func (l *logFile) begins(at time.Time, instance, id string, v *version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin(at, instance, platform)
	l.buf = append(l.buf, "START RequestId: "...)
	l.buf = append(l.buf, id...)
	l.buf = append(l.buf, " Version: "...)
	l.buf = append(l.buf, v.name()...)
	l.end()
}

// timedOut writes that the time of v is over.
func (l *logFile) timedOut(v *invocation, in *instance) {
	seconds := strconv.FormatFloat(in.pool.version.config.Timeout.D().Seconds(), 'f', 2, 64)
	l.line(in.id, platform, v.ID+" Task timed out after "+seconds+" seconds")
}

// report writes that v has ended, and what it took.
func (l *logFile) report(v *invocation, in *instance) {
	if v.reported.Swap(true) {
		return
	}
	now := time.Now()
	init := time.Duration(0)
	if v.cold {
		init = in.initTook
	}
	l.ends(now, in.id, v.ID, in.pool.version, now.Sub(v.begun), in.memory(now), init)
}

// ends writes what an invoke took, its process's memory in bytes among it; init is
// 0 where the process was there.
func (l *logFile) ends(at time.Time, instance, id string, v *version, took time.Duration, peak int64, init time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin(at, instance, platform)
	l.buf = append(l.buf, "END RequestId: "...)
	l.buf = append(l.buf, id...)
	l.buf = append(l.buf, '\n')
	l.begin(at, instance, platform)
	l.buf = append(l.buf, "REPORT RequestId: "...)
	l.buf = append(l.buf, id...)
	l.buf = appendMillis(append(l.buf, "\tDuration: "...), took)
	l.buf = append(l.buf, " ms\tBilled Duration: "...)
	l.buf = strconv.AppendInt(l.buf, int64((took+time.Millisecond-1)/time.Millisecond), 10)
	l.buf = append(l.buf, " ms\tMemory Size: "...)
	l.buf = strconv.AppendInt(l.buf, int64(v.config.Memory)>>20, 10)
	l.buf = append(l.buf, " MB\tMax Memory Used: "...)
	l.buf = strconv.AppendInt(l.buf, (peak+1<<20-1)>>20, 10)
	l.buf = append(l.buf, " MB"...)
	if init > 0 {
		l.buf = appendMillis(append(l.buf, "\tInit Duration: "...), init)
		l.buf = append(l.buf, " ms"...)
	}
	l.end()
}

func appendMillis(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d)/1e6, 'f', 2, 64)
}

// appendPlain appends a text without what would end the line, or command a
// terminal.
func appendPlain(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\t' || c >= ' ' && c < 0x7f:
			b = append(b, c)
			i++
		case c < utf8.RuneSelf:
			b = append(b, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size <= 1 || r < 0xa0 || r == 0x2028 || r == 0x2029 {
				b = strconv.AppendQuoteRuneToASCII(b, r)
			} else {
				b = append(b, s[i:i+size]...)
			}
			i += size
		}
	}
	return b
}

// copy writes what a process writes, line by line, until it ends.
func (l *logFile) copy(instance, source string, from io.ReadCloser) {
	defer from.Close()
	r := bufio.NewReaderSize(from, 4<<10)
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		whole := err == nil
		if whole || len(line) >= maxLine || err != bufio.ErrBufferFull {
			if n := len(line); n > 0 && line[n-1] == '\n' {
				line = line[:n-1]
			}
			if whole || len(line) > 0 {
				l.line(instance, source, string(line))
			}
			line = line[:0]
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// Flush writes what has gathered.
func (l *logFile) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *logFile) flush() {
	l.waiting = false
	if len(l.buf) == 0 {
		return
	}
	err := l.write()
	if err != nil && !l.broken {
		l.errors.Error("a function's log cannot be written", "function", l.name, "error", err)
	}
	l.broken = err != nil
	l.buf = l.buf[:0]
	if cap(l.buf) > 4*logBuffer {
		l.buf = nil
	}
}

func (l *logFile) write() error {
	if l.file == nil || l.size >= logSize {
		if err := l.open(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(l.buf)
	l.size += int64(n)
	return err
}

// open opens the file, after those that are full have moved on by one.
func (l *logFile) open() error {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
		for i := logFiles; i > 0; i-- {
			from := l.path
			if i > 1 {
				from += "." + strconv.Itoa(i-1)
			}
			if err := os.Rename(from, l.path+"."+strconv.Itoa(i)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l.file, l.size = f, 0
	if info, err := f.Stat(); err == nil {
		l.size = info.Size()
	}
	return nil
}

// close writes what is left. Lines that come later are written at once.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	l.closed = true
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}
