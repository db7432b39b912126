package edge

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// streamWriter is the answer of one HTTP/2 request under a time limit for the
// client's taking it. On HTTP/1 the kernel watches over that; here a client
// may take other streams, answer pings, and never open this one's window.
type streamWriter struct {
	http.ResponseWriter
	patience time.Duration
	written  int

	mu    sync.Mutex // between Write and timer
	timer *time.Timer
	busy  bool
}

var (
	_ http.Flusher    = (*streamWriter)(nil)
	_ io.StringWriter = (*streamWriter)(nil)
)

// streamBuffer is how much of an answer net/http gathers before it sends: so
// much is written without waiting.
const streamBuffer = 4 << 10

func (s *streamWriter) Write(p []byte) (int, error) {
	if s.written += len(p); s.written < streamBuffer {
		return s.ResponseWriter.Write(p)
	}
	s.watch()
	defer s.unwatch()
	return s.ResponseWriter.Write(p)
}

func (s *streamWriter) WriteString(p string) (int, error) {
	if s.written += len(p); s.written < streamBuffer {
		return io.WriteString(s.ResponseWriter, p)
	}
	s.watch()
	defer s.unwatch()
	return io.WriteString(s.ResponseWriter, p)
}

func (s *streamWriter) Flush() { _ = s.FlushError() }

// FlushError is Flush for http.ResponseController.
func (s *streamWriter) FlushError() error {
	s.watch()
	defer s.unwatch()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the rest.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *streamWriter) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = true
	if s.timer == nil {
		s.timer = time.AfterFunc(s.patience, s.expire)
	} else {
		s.timer.Reset(s.patience)
	}
}

func (s *streamWriter) unwatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	s.timer.Stop()
}

// expire resets the stream, which ends the Write that waits. It holds the lock,
// so that the handler is still within that Write: afterwards the writer is
// another request's.
func (s *streamWriter) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.setDeadline(time.Unix(1, 0))
	}
}

// end leaves what is still to be sent its time once the handler has returned.
func (s *streamWriter) end() { s.setDeadline(time.Now().Add(s.patience)) }

func (s *streamWriter) setDeadline(at time.Time) {
	if w, ok := s.ResponseWriter.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = w.SetWriteDeadline(at)
	}
}
