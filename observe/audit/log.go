package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/private"
)

// Options are the bounds of a Log.
type Options struct {
	File int64 // bytes of a file, after which another one begins; 0 for 16 MiB
	Keep int   // files that are kept beside the one that is written; 0 for 32
	Log  *slog.Logger
}

const (
	defaultFile = 16 << 20
	defaultKeep = 32
	maxLine     = 64 << 10
)

// Log is one chain in a folder. It is safe for concurrent use.
type Log struct {
	dir, name string
	key       ed25519.PrivateKey
	options   Options

	mu   sync.Mutex
	file *os.File
	size int64
	seq  uint64 // of the last line
	last string // its digest
}

// Head is how far a chain reached, signed.
type Head struct {
	Seq       uint64    `json:"seq"`
	Hash      string    `json:"hash"` // of the last line
	Time      time.Time `json:"time"`
	Key       string    `json:"key"` // fingerprint of the key that signed
	Signature []byte    `json:"signature"`
}

func (h *Head) signed(name string) []byte {
	return fmt.Appendf(nil, "gatehouse audit head\n%s\n%d\n%s\n%s\n", name, h.Seq, h.Hash, h.Time.UTC().Format(time.RFC3339Nano))
}

// Open opens the chain of a name in a folder, which is made where it is missing.
// A last line that a crash has cut is taken off: nobody was told that it is
// written. Where the chain is shorter than its head says, a record says so.
func Open(dir, name string, key ed25519.PrivateKey, o Options) (*Log, error) {
	l := New(dir, name, key, o)
	return l, l.Open()
}

// New returns a Log of which nothing is open yet: Open must follow.
func New(dir, name string, key ed25519.PrivateKey, o Options) *Log {
	if o.File == 0 {
		o.File = defaultFile
	}
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	return &Log{dir: dir, name: name, key: key, options: o}
}

// Open is the function Open for a Log that was made by New, or closed: another
// process may have written meanwhile.
func (l *Log) Open() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	if err := l.reopen(); err != nil {
		return err
	}
	if err := l.compare(); err != nil {
		_ = l.Close()
		return err
	}
	return nil
}

func (l *Log) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq, l.size = 0, 0
	err := l.open()
	if err != nil {
		l.file = nil
	}
	return err
}

// closed reports whether nothing can be appended.
func (l *Log) closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file == nil
}

// open opens the file that is written, and finds the end of the chain.
func (l *Log) open() error {
	files, err := filesOf(l.dir, l.name)
	if err != nil {
		return err
	}
	path := l.path(1)
	if len(files) > 0 {
		path = files[len(files)-1].path
	}
	l.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := l.recover(files); err != nil {
		_ = l.file.Close()
		return err
	}
	return syncDir(l.dir)
}

// recover finds the last whole line.
func (l *Log) recover(files []file) error {
	text, err := io.ReadAll(l.file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		l.options.Log.Warn("the last line of an audit log was cut by a crash and is taken off", slog.String("file", l.file.Name()))
		if err := l.file.Truncate(int64(whole)); err != nil {
			return err
		}
	}
	if _, err := l.file.Seek(int64(whole), io.SeekStart); err != nil {
		return err
	}
	l.size = int64(whole)
	text = text[:whole]
	if whole == 0 && len(files) > 1 { // rotated, and nothing written since
		if text, err = os.ReadFile(files[len(files)-2].path); err != nil {
			return err
		}
	}
	l.last = beginning()
	if len(text) == 0 {
		return nil
	}
	line := bytes.TrimSuffix(text, []byte("\n"))
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%s: its last line is no record: move the folder %s away, to keep it, and start again (%w)", l.file.Name(), l.dir, err)
	}
	l.seq, l.last = r.Seq, digest(line)
	return nil
}

// compare holds the chain against its head.
func (l *Log) compare() error {
	head, err := readHead(l.dir, l.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && head.Seq <= l.seq {
		return nil
	}
	detail := map[string]string{"found": strconv.FormatUint(l.seq, 10)}
	if err != nil {
		detail["head"] = err.Error()
	} else {
		detail["head"], detail["hash"] = strconv.FormatUint(head.Seq, 10), head.Hash
	}
	l.options.Log.Error("an audit log is shorter than its head says, or its head was changed: somebody may have tampered with it", slog.String("log", l.name), slog.Any("detail", detail))
	return l.Append(Record{Act: "audit.broken", Outcome: Failed, Detail: detail})
}

// Append writes records, in their order, with seq, time and prev filled in. They
// are on the disk when it returns nil; on an error none of them is.
func (l *Log) Append(records ...Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return errors.New("the audit log is closed")
	}
	if l.size >= l.options.File {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if err := l.append(records); err != nil {
		return err
	}
	return l.writeHead()
}

// append is Append without the head. Under mu.
func (l *Log) append(records []Record) error {
	var b []byte
	seq, last, now := l.seq, l.last, time.Now()
	for _, r := range records {
		seq++
		r.Seq, r.Prev = seq, last
		if r.Time.IsZero() {
			r.Time = now
		}
		line := r.line()
		last = digest(line)
		b = append(append(b, line...), '\n')
	}
	_, err := l.file.WriteAt(b, l.size)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		_ = l.file.Truncate(l.size) // half a line would break the chain
		return err
	}
	l.size += int64(len(b))
	l.seq, l.last = seq, last
	return nil
}

func (l *Log) writeHead() error {
	h := Head{Seq: l.seq, Hash: l.last, Time: time.Now().UTC(), Key: Fingerprint(l.key.Public().(ed25519.PublicKey))}
	h.Signature = ed25519.Sign(l.key, h.signed(l.name))
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return private.Replace(headPath(l.dir, l.name), append(text, '\n'))
}

// Head returns the last line's number and digest.
func (l *Log) Head() (seq uint64, hash string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq, l.last
}

// rotate begins another file, and forgets the oldest where there are too many:
// the chain says what is gone. Under mu.
func (l *Log) rotate() error {
	next, err := os.OpenFile(l.path(l.seq+1), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_ = l.file.Close()
	l.file, l.size = next, 0
	files, err := filesOf(l.dir, l.name)
	if err != nil || len(files) <= l.options.Keep+1 {
		return errors.Join(err, syncDir(l.dir))
	}
	gone := files[:len(files)-l.options.Keep-1]
	first, err := firstOf(files[len(gone)].path)
	if err != nil {
		return err
	}
	pruned := Record{Act: actPruned, Outcome: Done, Detail: map[string]string{"through": strconv.FormatUint(first.Seq-1, 10), "hash": first.Prev}}
	if err := l.append([]Record{pruned}); err != nil {
		return err
	}
	for _, f := range gone {
		err = errors.Join(err, os.Remove(f.path))
	}
	return errors.Join(err, syncDir(l.dir))
}

// actPruned is the act of forgetting the oldest records.
const actPruned = "audit.pruned"

func firstOf(path string) (*Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	r := &Record{}
	return r, json.Unmarshal(line, r)
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// path is the file whose first record has a number.
func (l *Log) path(first uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%s-%012d.log", l.name, first))
}

func headPath(dir, name string) string { return filepath.Join(dir, name+".head") }

func readHead(dir, name string) (*Head, error) {
	text, err := os.ReadFile(headPath(dir, name))
	if err != nil {
		return nil, err
	}
	h := &Head{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("the head cannot be read: %w", err)
	}
	return h, nil
}

// file is one file of a chain.
type file struct {
	path  string
	first uint64
}

// filesOf returns the files of a chain in their order.
func filesOf(dir, name string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []file
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), name+"-")
		number, ends := strings.CutSuffix(number, ".log")
		first, err := strconv.ParseUint(number, 10, 64)
		if ok && ends && err == nil {
			out = append(out, file{filepath.Join(dir, e.Name()), first})
		}
	}
	slices.SortFunc(out, func(a, b file) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return out, nil
}
