package exchange

import (
	"errors"
	"io"
	"math"
	"net/http"
	"sync/atomic"
)

// Budget is the memory that all buffered bodies of a gateway may take
// together. It is safe for concurrent use. A nil Budget has no limit.
type Budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// NewBudget returns a budget of limit bytes; of none at all for 0.
func NewBudget(limit int64) *Budget {
	b := &Budget{}
	b.SetLimit(limit)
	return b
}

// SetLimit makes another limit hold for what is taken from now on.
func (b *Budget) SetLimit(limit int64) { b.limit.Store(limit) }

// Used returns the bytes taken now.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Limit returns the bytes that may be taken; 0 for no limit.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit.Load()
}

func (b *Budget) take(n int64) bool {
	if b == nil {
		return true
	}
	if b.used.Add(n) <= b.limit.Load() {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *Budget) give(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// The errors of reading a Body, beside those of the connection.
var (
	ErrBodyTooLarge = errors.New("the body is larger than the limit")
	ErrBodyBudget   = errors.New("the memory for buffered bodies is used up")
	ErrBodyGone     = errors.New("the body was read before and not buffered")
)

// Body is a request's body. Whoever must see it whole or in part buffers it
// once by Peek or All, for everybody; who only passes it on uses Read.
// The first read of any kind sends 100 Continue to a client that waits for it.
//
// A Body is not safe for concurrent use. Bytes that Peek and All return are
// valid until the request ends and are not to be written to.
type Body struct {
	src      io.ReadCloser
	declared int64 // Content-Length; -1 for unknown
	limit    int64 // of the whole body; 0 for none
	budget   *Budget
	reserved int64
	held     int64  // reserved by others
	buf      []byte // the first bytes of the body, as far as buffered
	off      int    // how much of buf Read has handed out
	taken    int64  // bytes read from src
	passed   bool   // Read handed out bytes that are not in buf
	err      error  // why src has ended; io.EOF at its end
	begun    bool
	copy     *Copy // gets what Read hands out; nil for nobody
}

func (b *Body) begin(r *http.Request, budget *Budget) {
	b.src, b.declared, b.budget = r.Body, r.ContentLength, budget
	if b.src == nil || b.src == http.NoBody {
		b.src, b.declared, b.err = nil, 0, io.EOF
	}
}

// Declared returns the Content-Length that the client stated; -1 where it
// stated none, 0 where there is no body.
func (b *Body) Declared() int64 { return b.declared }

// SetLimit sets how many bytes the body may have; zero means no limit.
func (b *Body) SetLimit(n int64) { b.limit = n }

// Limit returns what SetLimit set.
func (b *Body) Limit() int64 { return b.limit }

// Patient lifts the listener's limits on how slowly the body may come: for a
// stream in which the client may be silent. It is called before the body is
// read on.
func (b *Body) Patient() {
	if p, ok := b.src.(interface{ Patient() }); ok {
		p.Patient()
	}
}

// Check returns ErrBodyTooLarge where the declared length, or what was read, is
// over the limit.
func (b *Body) Check() error {
	if b.limit > 0 && max(b.declared, b.taken) > b.limit {
		return ErrBodyTooLarge
	}
	return nil
}

// Begun reports whether anything was read from the client.
func (b *Body) Begun() bool { return b.begun }

// Received returns how many bytes were read from the client.
func (b *Body) Received() int64 { return b.taken }

// Read reads the body from where the last Read ended, buffered bytes first.
func (b *Body) Read(p []byte) (int, error) {
	if b.copy == nil {
		return b.read(p)
	}
	at := b.taken
	if b.off < len(b.buf) {
		at = int64(b.off)
	}
	n, err := b.read(p)
	b.copy.note(at, p[:n], err)
	return n, err
}

func (b *Body) read(p []byte) (int, error) {
	if b.off < len(b.buf) {
		n := copy(p, b.buf[b.off:])
		b.off += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.fill(p)
	b.passed = b.passed || n > 0
	return n, err
}

// Peek returns the first bytes of the body: n of them, or all there are where
// there are fewer, with a nil error. It does not move Read.
func (b *Body) Peek(n int) ([]byte, error) {
	if err := b.buffer(int64(n)); err != nil {
		return nil, err
	}
	return b.buf[:min(n, len(b.buf))], nil
}

// All returns the whole body, or ErrBodyTooLarge where it has more than limit
// bytes or than the route allows. It does not move Read.
func (b *Body) All(limit int64) ([]byte, error) {
	if b.declared > limit {
		return nil, ErrBodyTooLarge
	}
	limit = min(limit, math.MaxInt64-1)
	if err := b.buffer(limit + 1); err != nil {
		return nil, err
	}
	if int64(len(b.buf)) > limit {
		return nil, ErrBodyTooLarge
	}
	return b.buf, nil
}

// Rewind makes Read begin at the first byte again, and reports whether it
// can: it cannot once Read has handed out bytes that were not buffered.
func (b *Body) Rewind() bool {
	if b.passed {
		return false
	}
	b.off = 0
	return true
}

// Close gives up reading; what is buffered stays.
func (b *Body) Close() error {
	if b.src == nil {
		return nil
	}
	return b.src.Close()
}

// A buffer begins with the declared length, within these bounds, and doubles:
// a length that is only declared takes little of the budget.
const (
	bodyStep  = 4 << 10
	bodyFirst = 64 << 10
)

// maxEmptyReads is how often a client's connection may return nothing and no
// error before reading is given up.
const maxEmptyReads = 100

// buffer reads until buf holds n bytes or the body ends.
func (b *Body) buffer(n int64) error {
	if err := b.Check(); err != nil {
		return err
	}
	if int64(len(b.buf)) >= n {
		return nil
	}
	if b.passed {
		return ErrBodyGone
	}
	for empty := 0; int64(len(b.buf)) < n && b.err == nil; {
		if err := b.grow(n); err != nil {
			return err
		}
		got, _ := b.fill(b.buf[len(b.buf):min(int64(cap(b.buf)), n)])
		b.buf = b.buf[:len(b.buf)+got]
		if empty++; got > 0 {
			empty = 0
		}
		if empty == maxEmptyReads && b.err == nil {
			b.err = io.ErrNoProgress
		}
	}
	if int64(len(b.buf)) >= n || b.err == nil || b.err == io.EOF {
		return nil
	}
	return b.err
}

// grow makes room for at least one more byte, doubling, within the budget.
func (b *Body) grow(n int64) error {
	if len(b.buf) < cap(b.buf) {
		return nil
	}
	whole := b.declared + 1 // with room to see its end
	size := 2 * int64(cap(b.buf))
	if size == 0 {
		size = max(bodyStep, min(whole, bodyFirst))
	}
	if whole > int64(cap(b.buf)) {
		size = min(size, whole)
	}
	size = min(size, n)
	if !b.budget.take(size - b.reserved) {
		return ErrBodyBudget
	}
	b.reserved = size
	b.buf = append(make([]byte, 0, size), b.buf...)
	return nil
}

// fill reads from the client once, within the limit.
func (b *Body) fill(p []byte) (int, error) {
	if err := b.Check(); err != nil {
		b.err = err
		return 0, err
	}
	b.begun = true
	n, err := b.src.Read(p)
	b.taken += int64(n)
	if b.limit > 0 && b.taken > b.limit {
		n, err = 0, ErrBodyTooLarge
	}
	b.err = err
	return n, err
}

func (b *Body) end() {
	b.budget.give(b.reserved + b.held)
	b.reserved, b.held, b.buf, b.off, b.copy = 0, 0, nil, 0, nil
}
