package http1

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"gatehouse/http1/socket"
	"gatehouse/http1/wire"
)

// answer is the http.ResponseWriter of a connection's requests, one after the
// other. Head and small body gather in one buffer and are sent by one write.
type answer struct {
	conn   *Conn
	header http.Header
	out    []byte // what was not sent yet

	status   int   // of the final head; 0 before
	length   int64 // of the body as the head says it; -1 where it does not
	written  int64 // of the body, by the handler
	framing  int   // where in out the head goes on with what frames the body; 0 once that is there
	bodiless bool  // no body follows the head, whatever it says
	chunked  bool
	closes   bool // the connection ends with the answer
	broken   bool // it ends before: something could not be written
	sent     bool // some of the final head is on its way: too late for 100 Continue
	trailer  []string

	pieces [3][]byte // of vector
	vector net.Buffers
}

var (
	_ http.ResponseWriter = (*answer)(nil)
	_ http.Flusher        = (*answer)(nil)
	_ http.Hijacker       = (*answer)(nil)
	_ io.ReaderFrom       = (*answer)(nil)
	_ io.StringWriter     = (*answer)(nil)
)

// start begins the answer to r.
func (a *answer) start(r *http.Request) {
	a.status, a.length, a.written, a.framing = 0, -1, 0, 0
	a.bodiless, a.chunked, a.sent = r.Method == http.MethodHead, false, false
	a.closes, a.trailer = r.Close, nil
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. A second final status is
// ignored.
func (a *answer) WriteHeader(status int) {
	switch {
	case a.status != 0 || a.conn.hijacked:
		return
	case status >= 100 && status < 200:
		a.inform(status)
		return
	}
	a.status = status
	a.bodiless = a.bodiless || status == http.StatusNoContent || status == http.StatusNotModified
	a.head()
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if err := a.accept(int64(len(p))); err != nil {
		return 0, err
	}
	if a.bodiless || len(p) == 0 {
		return len(p), nil
	}
	return len(p), a.body(p)
}

// WriteString implements io.StringWriter.
func (a *answer) WriteString(s string) (int, error) {
	if err := a.accept(int64(len(s))); err != nil {
		return 0, err
	}
	if !a.bodiless && a.framing == 0 && !a.chunked && len(a.out)+len(s) <= cap(a.out) {
		a.out = append(a.out, s...)
		return len(s), nil
	}
	if a.bodiless || s == "" {
		return len(s), nil
	}
	return len(s), a.body([]byte(s))
}

// accept begins the answer where that has not happened, and refuses n more
// bytes of its body where it cannot have them.
func (a *answer) accept(n int64) error {
	if a.conn.hijacked {
		return http.ErrHijacked
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		return http.ErrBodyNotAllowed
	}
	if a.length >= 0 && a.written+n > a.length {
		return http.ErrContentLength
	}
	if a.broken {
		return net.ErrClosed
	}
	a.written += n
	return nil
}

// body sends a piece of the body, or gathers it.
func (a *answer) body(p []byte) error {
	if a.framing > 0 {
		if len(a.out)+len(p)+frameRoom <= cap(a.out) {
			a.out = append(a.out, p...)
			return nil
		}
		a.frameOpen()
	}
	if !a.chunked {
		return a.write(p)
	}
	a.out = appendChunkSize(a.out, len(p))
	if err := a.write(p); err != nil {
		return err
	}
	a.out = append(a.out, "\r\n"...)
	return nil
}

func appendChunkSize(b []byte, n int) []byte {
	b = strconv.AppendInt(b, int64(n), 16)
	return append(b, "\r\n"...)
}

// write gathers p where it fits, and sends it otherwise.
func (a *answer) write(p []byte) error {
	switch {
	case len(a.out)+len(p) <= cap(a.out):
		a.out = append(a.out, p...)
		return nil
	case a.conn.tcp != nil:
		return a.writeBoth(p)
	}
	if n := cap(a.out) - len(a.out); n > 0 {
		a.out = append(a.out, p[:n]...)
		p = p[n:]
	}
	if err := a.flush(); err != nil {
		return err
	}
	if len(p) < cap(a.out) {
		a.out = append(a.out, p...)
		return nil
	}
	_, err := a.conn.net.Write(p)
	return a.note(err)
}

// writeBoth sends what has gathered and p without copying p.
func (a *answer) writeBoth(p []byte) error {
	if a.conn.watch.gone.Load() {
		return a.note(net.ErrClosed)
	}
	a.begin()
	a.pieces[0], a.pieces[1] = a.out, p
	a.vector = a.pieces[:2]
	_, err := a.vector.WriteTo(a.conn.tcp)
	a.pieces[0], a.pieces[1] = nil, nil
	a.out = a.out[:0]
	return a.note(err)
}

// flush sends what has gathered.
func (a *answer) flush() error {
	if len(a.out) == 0 {
		return nil
	}
	if a.conn.watch.gone.Load() {
		return a.note(net.ErrClosed)
	}
	a.begin()
	rest := a.out
	if t := &a.conn.turn; t.taken {
		rest = rest[socket.Write(t.fd, rest):]
	}
	a.out = a.out[:0]
	if len(rest) == 0 {
		return nil
	}
	_, err := a.conn.net.Write(rest)
	return a.note(err)
}

func (a *answer) note(err error) error {
	a.broken = a.broken || err != nil
	return err
}

// begin says that the final head is sent from now on.
func (a *answer) begin() {
	if a.conn.body.awaited.Load() {
		a.conn.writes.Lock()
		a.sent = true
		a.conn.writes.Unlock()
	}
}

// invite sends 100 Continue, unless the final head is on its way.
func (a *answer) invite() {
	c := a.conn
	c.writes.Lock()
	defer c.writes.Unlock()
	if a.sent || !c.body.awaited.Swap(false) {
		return
	}
	_, _ = io.WriteString(c.net, "HTTP/1.1 100 Continue\r\n\r\n")
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is Flush for http.ResponseController.
func (a *answer) FlushError() error {
	switch {
	case a.conn.hijacked:
		return http.ErrHijacked
	case a.broken:
		return net.ErrClosed
	case a.status == 0:
		a.WriteHeader(http.StatusOK)
	}
	if a.framing > 0 {
		a.frameOpen()
	}
	return a.flush()
}

// finish completes the answer and sends what is left of it. It reports whether
// another request may follow on the connection.
func (a *answer) finish() bool {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.framing > 0 {
		a.frameWhole()
	}
	if a.chunked && !a.broken {
		a.out = append(a.out, "0\r\n"...)
		a.out = a.appendTrailer(a.out)
		a.out = append(a.out, "\r\n"...)
	}
	short := a.length >= 0 && a.written != a.length && !a.bodiless
	if a.broken || a.flush() != nil {
		return false
	}
	a.broken = short
	return !short && !a.closes
}

// recycle gives the buffer back.
func (a *answer) recycle() {
	if len(a.out) == 0 && a.out != nil {
		wire.Recycle(a.out)
		a.out = nil
	}
}

// SetReadDeadline implements what http.ResponseController asks for. Until the
// request's end no limit of the engine's own moves it.
func (a *answer) SetReadDeadline(t time.Time) error { return a.conn.deadline.take(t) }

// SetWriteDeadline implements what http.ResponseController asks for. It holds
// until it is set anew.
func (a *answer) SetWriteDeadline(t time.Time) error { return a.conn.net.SetWriteDeadline(t) }

// EnableFullDuplex implements what http.ResponseController asks for: it always
// holds.
func (a *answer) EnableFullDuplex() error { return nil }
