package exchange

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// Writer is the one ResponseWriter of a request. It counts, and it runs the
// hooks that filters left before the final head is sent. Without a body filter
// the answer's bytes go straight to the engine, by the kernel where it can.
type Writer struct {
	x       *Exchange
	engine  http.ResponseWriter
	method  string
	head    Head
	hooks   []func(*Head)
	left    int // hooks that have not run yet
	filters []func(io.Writer) BodyFilter
	top     BodyFilter // what writes go to; nil straight to the engine
	status  int        // of the final head as sent; 0 before
	begun   bool       // WriteHeader was called with a final status
	running bool       // a hook is at work
	ended   bool       // nothing more may be written
	bytes   int64
}

var (
	_ http.ResponseWriter = (*Writer)(nil)
	_ http.Flusher        = (*Writer)(nil)
	_ http.Hijacker       = (*Writer)(nil)
	_ io.ReaderFrom       = (*Writer)(nil)
	_ io.StringWriter     = (*Writer)(nil)
)

func (w *Writer) begin(x *Exchange, engine http.ResponseWriter, method string) {
	w.x, w.engine, w.method = x, engine, method
	w.hooks, w.filters = w.hooks[:0], w.filters[:0]
}

// OnHead leaves a hook that is called once, just before the final head is
// sent: the one left last, by the innermost filter, first. It is not called
// for a hijacked connection. A func value made at bind costs no allocation.
func (x *Exchange) OnHead(hook func(*Head)) {
	x.Writer.hooks = append(x.Writer.hooks, hook)
}

// Status returns the final status sent; 0 before.
func (w *Writer) Status() int { return w.status }

// Bytes returns how many bytes of the body were handed to the engine: none of
// an answer to HEAD.
func (w *Writer) Bytes() int64 { return w.bytes }

// Begun reports whether the final answer has begun: nobody else may answer. One
// whose head is held back (Head.Hold) has not; it can still become a refusal.
func (w *Writer) Begun() bool {
	return w.ended || w.running || w.begun && w.status != 0
}

// restart makes way for another answer, and reports whether it could. The hooks
// that have not seen the head of the one given up see that of the other.
func (w *Writer) restart() bool {
	if w.Begun() {
		return false
	}
	if !w.begun {
		return true
	}
	if w.top != nil {
		w.top.Abort()
	}
	clear(w.hooks[w.left:])
	w.begun, w.top, w.hooks = false, nil, w.hooks[:w.left]
	return true
}

// Header returns the answer's header map.
func (w *Writer) Header() http.Header { return w.engine.Header() }

// WriteHeader begins the final answer, after the hooks. Informational statuses
// but 101 are sent at once, without hooks; a second final status is ignored.
func (w *Writer) WriteHeader(status int) {
	if w.begun || w.ended {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.engine.WriteHeader(status)
		return
	}
	w.begun = true
	w.head = Head{Exchange: w.x, Status: status, Header: w.engine.Header(), writer: w}
	w.left, w.filters = len(w.hooks), w.filters[:0]
	w.top = w.runHooks(-1)
}

// runHooks runs the hooks that are left, innermost first, until one holds the
// body; after the last it sends the head. It returns what the body is to be
// written to: nil for the engine itself. A length of 0 or more says that
// exactly so many bytes follow.
func (w *Writer) runHooks(length int) BodyFilter {
	h := &w.head
	for w.left > 0 {
		w.left--
		held := w.runHook(w.hooks[w.left])
		if held == nil {
			continue
		}
		if h.HasBody() {
			return w.build(held)
		}
		w.decide(held, true)
	}
	if h.Status == http.StatusNoContent {
		h.Header.Del("Content-Length") // RFC 9110 section 8.6
	}
	if length >= 0 && len(w.filters) == 0 && h.HasBody() && len(h.Header["Trailer"]) == 0 {
		h.Header.Set("Content-Length", strconv.Itoa(length))
	}
	if _, said := h.Header["Content-Type"]; !said && h.HasBody() {
		h.Header["Content-Type"] = nil // or the engine guesses one, which a client would take for the target's word
	}
	w.status = h.Status
	w.engine.WriteHeader(h.Status)
	switch {
	case !h.HasBody():
		return nowhere{w}
	case len(w.filters) == 0:
		return nil
	}
	return w.build(engineFilter{w})
}

// runHook runs one hook and returns the hold that it asked for.
func (w *Writer) runHook(hook func(*Head)) *hold {
	w.running, w.head.hold = true, nil
	hook(&w.head)
	w.running = false
	return w.head.hold
}

// decide asks a hold's then what is to become of what it holds.
func (w *Writer) decide(d *hold, complete bool) []byte {
	w.running = true
	body := d.then(&w.head, d.buf.Bytes(), complete)
	w.running = false
	return body
}

// build chains the filters added so far before last: the first one added is
// the innermost and gets the bytes first.
func (w *Writer) build(last BodyFilter) BodyFilter {
	top := last
	for i := len(w.filters) - 1; i >= 0; i-- {
		top = link{w.filters[i](top), top}
	}
	w.filters = w.filters[:0]
	return top
}

// Write writes a part of the body, beginning a 200 where nothing has begun.
func (w *Writer) Write(p []byte) (int, error) {
	if !w.ready() {
		return 0, errEnded
	}
	if w.top != nil {
		return w.top.Write(p)
	}
	n, err := w.engine.Write(p)
	w.bytes += int64(n)
	return n, err
}

// WriteString is Write.
func (w *Writer) WriteString(s string) (int, error) {
	if !w.ready() {
		return 0, errEnded
	}
	if w.top != nil {
		return w.top.Write([]byte(s))
	}
	n, err := io.WriteString(w.engine, s)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom writes all of r; without a body filter the engine may let the
// kernel do it.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if !w.ready() {
		return 0, errEnded
	}
	if w.top != nil {
		return copyAll(onlyWriter{w.top}, r)
	}
	n, err := copyAll(w.engine, r)
	w.bytes += n
	return n, err
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyAll is io.Copy with a buffer that is used again, for where there is
// neither a ReadFrom nor a WriteTo.
func copyAll(dst io.Writer, src io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(dst, src, buf[:])
}

// Flush sends what has been written so far.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *Writer) FlushError() error {
	if !w.ready() {
		return errEnded
	}
	if w.top != nil {
		return w.top.Flush()
	}
	return w.flushEngine()
}

// Hijack takes the connection over. The answer is the taker's; no hook runs.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.begun || w.ended {
		return nil, nil, errors.New("exchange: hijack after the answer has begun")
	}
	conn, rw, err := http.NewResponseController(w.engine).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.begun, w.ended, w.status = true, true, http.StatusSwitchingProtocols
	w.x.Keep()
	return conn, rw, nil
}

// Unwrap lets http.ResponseController reach the engine's deadlines and full
// duplex. Everything else goes through the Writer.
func (w *Writer) Unwrap() http.ResponseWriter { return w.engine }

var errEnded = errors.New("exchange: write after the answer has ended")

func (w *Writer) ready() bool {
	if w.ended {
		return false
	}
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return true
}

func (w *Writer) finish() {
	if w.ended || !w.ready() {
		return
	}
	if w.top != nil {
		if err := w.top.Close(); err != nil {
			w.x.Aborted = true
		}
	}
	w.ended, w.top = true, nil
}

func (w *Writer) abort() {
	if w.top != nil {
		w.top.Abort()
	}
	w.ended, w.top = true, nil
}

func (w *Writer) flushEngine() error {
	return http.NewResponseController(w.engine).Flush()
}

func bodyAllowed(method string, status int) bool {
	return method != http.MethodHead && status != http.StatusNoContent && status != http.StatusNotModified && status >= 200
}

// engineFilter ends a chain of body filters at the engine.
type engineFilter struct{ w *Writer }

func (e engineFilter) Write(p []byte) (int, error) {
	n, err := e.w.engine.Write(p)
	e.w.bytes += int64(n)
	return n, err
}
func (e engineFilter) Flush() error { return e.w.flushEngine() }
func (e engineFilter) Close() error { return nil }
func (e engineFilter) Abort()       {}

// nowhere is what the body of an answer that has none goes to, whatever the
// target writes.
type nowhere struct{ w *Writer }

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) Flush() error              { return n.w.flushEngine() }
func (nowhere) Close() error                { return nil }
func (nowhere) Abort()                      {}

// link ends a filter before the one that it writes to.
type link struct {
	filter BodyFilter
	next   BodyFilter
}

func (l link) Write(p []byte) (int, error) { return l.filter.Write(p) }

func (l link) Flush() error {
	if err := l.filter.Flush(); err != nil {
		return err
	}
	return l.next.Flush()
}

func (l link) Close() error {
	if err := l.filter.Close(); err != nil {
		l.next.Abort()
		return err
	}
	return l.next.Close()
}

func (l link) Abort() {
	l.filter.Abort()
	l.next.Abort()
}

type onlyWriter struct{ io.Writer }
