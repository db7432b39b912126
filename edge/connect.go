package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// extendedConnect turns an extended CONNECT that asks for a WebSocket (RFC 8441)
// into the handshake that it is over HTTP/1.1, so that it meets the same
// filters. Any other is left to be refused. The engine lets them through only
// where the environment says GODEBUG=http2xconnect=1.
func extendedConnect(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	asked := r.Header[":protocol"]
	delete(r.Header, ":protocol")
	if r.Method != http.MethodConnect || len(asked) != 1 || asked[0] != "websocket" {
		return w
	}
	r.Method = http.MethodGet
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	s := &stream{ResponseWriter: w, body: r.Body}
	r.Body, r.ContentLength = http.NoBody, 0
	return s
}

// stream is the answer to an extended CONNECT, and then the tunnel's end at the
// client: a net.Conn of which only the close of both halves at once, by the
// handler's return, reaches the client.
type stream struct {
	http.ResponseWriter
	body io.ReadCloser

	mu     sync.Mutex // held by who writes
	closed bool
}

var _ net.Conn = (*stream)(nil)

// Unwrap lets http.ResponseController reach the rest.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// SwitchStream sends the head of a switch of protocols, which HTTP/2 says by 200.
func (s *stream) SwitchStream() (net.Conn, error) {
	h := s.Header()
	for _, name := range []string{"Sec-Websocket-Accept", "Content-Length", "Connection", "Upgrade"} {
		delete(h, name)
	}
	s.WriteHeader(http.StatusOK)
	return s, http.NewResponseController(s.ResponseWriter).Flush()
}

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) { return s.body.Read(p) }

// Write implements net.Conn.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	n, err := s.ResponseWriter.Write(p)
	if err != nil {
		return n, err
	}
	return n, http.NewResponseController(s.ResponseWriter).Flush()
}

// Close ends reading, and writing: when it has returned, nobody writes. A Write
// that waits is broken off by a reset.
func (s *stream) Close() error {
	if !s.mu.TryLock() {
		_ = s.SetWriteDeadline(time.Unix(1, 0))
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	s.closed = true
	return s.body.Close()
}

// CloseWrite says that one half cannot be closed alone.
func (s *stream) CloseWrite() error { return errors.ErrUnsupported }

// SetWriteDeadline implements net.Conn: what is late resets the stream.
func (s *stream) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(s.ResponseWriter).SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn, for times that never come.
func (s *stream) SetReadDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn, for times that never come.
func (s *stream) SetDeadline(time.Time) error { return nil }

// LocalAddr implements net.Conn.
func (s *stream) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (s *stream) RemoteAddr() net.Addr { return nil }
