package upstream

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"gatehouse/exchange"
)

// sent2 is a request's body on its way by HTTP/2. The connection reads it on a
// goroutine of its own, and may do so a moment longer than the answer takes:
// after leave, or end, it reads nothing of the client's any more.
type sent2 struct {
	call  *call2
	src   io.Reader // what is read: the exchange's body, or that translated
	names []string  // the trailer fields that may follow
	to    http.Header
	limit *messages // of a gRPC call; nil for all others

	mu      sync.Mutex
	idle    sync.Cond // reading has become false
	reading bool
	closed  bool
	err     error // of the client, that ended the body
}

var errLeft = errors.New("nobody wants the rest of the body")

// newSent returns the body for a request. Its trailers go into r's.
func (c *call2) newSent(r *http.Request) *sent2 {
	s := &sent2{call: c, src: &c.x.Body}
	s.idle.L = &s.mu
	if c.trailer = c.announced(); len(c.trailer) > 0 {
		s.names, s.to = c.trailer, make(http.Header, len(c.trailer))
		for _, name := range s.names {
			s.to[name] = nil
		}
		r.Trailer = s.to
	}
	if c.grpc {
		s.limit = &messages{most: c.messageLimit}
	}
	if c.web != nil {
		s.src = c.web.body(s.src)
	}
	return s
}

// Read implements io.Reader.
func (s *sent2) Read(p []byte) (int, error) {
	s.mu.Lock()
	if s.closed || s.err != nil {
		s.mu.Unlock()
		return 0, errLeft
	}
	s.reading = true
	s.mu.Unlock()
	n, err := s.read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	if err != nil && err != io.EOF {
		s.err = err
	}
	s.idle.Broadcast()
	return n, err
}

func (s *sent2) read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	if s.limit != nil && s.limit.over(p[:n]) {
		return 0, exchange.ErrBodyTooLarge
	}
	if n > 0 {
		s.call.watch.ask()
	}
	if err == io.EOF {
		for _, name := range s.names {
			if values := s.call.r.Trailer[name]; len(values) > 0 {
				s.to[name] = values
			}
		}
		s.call.watch.ask()
		s.call.watch.complete.Store(true)
	}
	return n, err
}

// Close implements io.Closer: nothing is read any more.
func (s *sent2) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// leave makes an end of reading, and reports whether it could without breaking
// the client's side.
func (s *sent2) leave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return !s.reading
}

// failed returns why the client's body could not be read; nil where it could.
func (s *sent2) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// end makes an end of reading. Where somebody waits for the client, that breaks
// the client's side of the connection: end then reports cut.
func (s *sent2) end(w http.ResponseWriter) (cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.reading {
		cut = true
		s.mu.Unlock()
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		again := time.AfterFunc(breakAgain, func() { s.idle.Broadcast() })
		s.mu.Lock()
		if s.reading {
			s.idle.Wait()
		}
		again.Stop()
	}
	return cut
}

// endBody ends the request's body with its answer.
func (c *call2) endBody() {
	if c.body != nil {
		c.cut = c.body.end(c.w) || c.cut
		c.body = nil
	}
}
