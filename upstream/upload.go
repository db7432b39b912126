package upstream

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/http1/wire"
	"gatehouse/upstream/target"
)

// upload sends a body that is not small, while its call awaits the answer: the
// answer may come first, and then the rest of the body is not wanted. It is
// the one goroutine that a request may have.
type upload struct {
	call *call // only what does not change while the upload runs
	conn *target.Conn
	left int64 // of a body of known length; -1 for chunks
	idle time.Duration

	last     atomic.Bool  // only the last bytes are still to be written
	finished atomic.Int64 // when it ended, in nanoseconds; 0 before
	failed   atomic.Bool  // the client's body could not be read; set before the call is woken
	stopped  atomic.Bool  // nobody wants the rest; set before the deadlines are broken
	done     chan struct{}

	// After done:
	err      error // of reading the client's body
	complete bool  // everything was sent
}

// room is where a piece of the body stands in an upload's buffer: before it
// goes the chunk's length, after it what ends the chunk and the body.
const (
	roomBefore = 10
	roomAfter  = 2
	uploadSize = 32 << 10
)

var uploadBuffers = sync.Pool{New: func() any { return new([uploadSize]byte) }}

// startUpload begins to send the body. The engine is told that the answer may
// be written while the body is read.
func (c *call) startUpload() *upload {
	_ = http.NewResponseController(c.w).EnableFullDuplex()
	u := &upload{
		call: c, conn: c.conn, left: c.x.Body.Declared(),
		idle: c.Service.config.Timeouts.Idle.D(), done: make(chan struct{}),
	}
	go u.run()
	return u
}

func (u *upload) run() {
	buf := uploadBuffers.Get().(*[uploadSize]byte)
	err := u.copy(buf[:])
	uploadBuffers.Put(buf)
	u.err = err
	u.finished.Store(time.Now().UnixNano())
	if err != nil {
		u.failed.Store(true)
		_ = u.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the call
	}
	close(u.done)
}

// copy sends the body. An error is the client's; where the service does not
// take the body, its answer says why.
func (u *upload) copy(buf []byte) error {
	body := &u.call.x.Body
	for {
		room := buf[roomBefore : len(buf)-roomAfter]
		if u.left >= 0 && int64(len(room)) > u.left {
			room = room[:u.left]
		}
		n, err := body.Read(room)
		if err != nil && err != io.EOF {
			return err
		}
		if u.left >= 0 {
			u.left -= int64(n)
			u.last.Store(u.left == 0)
			if err == io.EOF && u.left > 0 {
				return io.ErrUnexpectedEOF
			}
			if !u.write(room[:n]) {
				return nil
			}
			if u.left == 0 {
				u.complete = true
				return nil
			}
			continue
		}
		u.last.Store(err == io.EOF)
		if n > 0 && !u.write(chunk(buf, n)) {
			return nil
		}
		if err == io.EOF {
			u.complete = u.write(u.end0(buf[:0]))
			return nil
		}
	}
}

// chunk frames the n bytes that stand in buf behind roomBefore.
func chunk(buf []byte, n int) []byte {
	var size [roomBefore]byte
	head := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
	from := roomBefore - len(head)
	copy(buf[from:], head)
	return append(buf[from:roomBefore+n], "\r\n"...)
}

// end0 appends the last chunk and the trailer section.
func (u *upload) end0(b []byte) []byte {
	b = append(b, "0\r\n"...)
	for _, name := range u.call.trailer {
		for _, v := range u.call.r.Trailer[name] {
			b = wire.AppendField(b, name, v)
		}
	}
	return append(b, "\r\n"...)
}

func (u *upload) write(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	u.conn.ArmWrites(time.Now().Add(u.idle))
	if u.stopped.Load() {
		return false
	}
	_, err := u.conn.Write(p)
	return err == nil
}

// lastWords is how long the end of a body that was read whole may still take
// to be written once the answer is complete.
const lastWords = time.Second

// breakAgain is how long after a deadline was broken it is broken once more:
// whoever reads or writes may have set another one in the same moment.
const breakAgain = 50 * time.Millisecond

// end waits until the upload has ended. Where it is not about to, it is made
// to, which breaks the client's side of the connection: end then reports cut.
func (u *upload) end(w http.ResponseWriter) (complete, cut bool) {
	select {
	case <-u.done:
		return u.complete, false
	default:
	}
	cut = !u.last.Load()
	u.stopped.Store(cut)
	for until := time.Now().Add(lastWords); ; {
		if cut {
			_ = u.conn.SetDeadline(time.Unix(1, 0))
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		} else {
			_ = u.conn.SetWriteDeadline(until)
		}
		select {
		case <-u.done:
			return u.complete, cut
		case <-time.After(breakAgain):
		}
	}
}
