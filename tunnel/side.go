package tunnel

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"gatehouse/http1/wire"
)

// Side is one of the two connections that a tunnel joins. A connection that
// passes a TCP connection's bytes on unchanged says so by a method TCP()
// *net.TCPConn.
type Side struct {
	Conn  net.Conn
	Early []byte // what was read from it before
}

// side is a connection that is read without holding a buffer while nothing is
// there.
type side struct {
	net.Conn
	early []byte
	tcp   *net.TCPConn // what carries the bytes without a layer between; nil where there is one
	raw   syscall.RawConn
	tls   bool
	look  func(fd uintptr) bool // reads what is there into buf; made once
	buf   []byte                // nil while waiting, but for connections of an unknown kind
	n     int                   // bytes that look has read
	err   error                 // by look
	one   [1]byte
}

func newSide(s Side) *side {
	out := &side{Conn: s.Conn, early: s.Early}
	switch c := s.Conn.(type) {
	case *net.TCPConn:
		out.tcp = c
	case interface{ TCP() *net.TCPConn }:
		out.tcp = c.TCP()
	case *tls.Conn:
		out.tls = true
	}
	out.prepare()
	return out
}

// next returns what has come; it is valid until the next call.
func (s *side) next() ([]byte, error) {
	if p := s.early; len(p) > 0 {
		s.early = nil
		return p, nil
	}
	switch {
	case s.raw != nil:
		return s.nextRaw()
	case s.tls:
		return s.nextTLS()
	}
	if s.buf == nil {
		s.buf = wire.Buffer(wire.SmallBuffer)
	}
	n, err := s.Conn.Read(s.buf)
	return s.buf[:n], err
}

func (s *side) nextRaw() ([]byte, error) {
	s.n, s.err = 0, nil
	if err := s.raw.Read(s.look); err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.buf[:s.n], nil
}

// nextTLS waits for one byte, and takes a buffer for those that came with it.
func (s *side) nextTLS() ([]byte, error) {
	s.recycle()
	n, err := s.Conn.Read(s.one[:])
	if n == 0 || err != nil {
		return s.one[:n], err
	}
	s.buf = wire.Buffer(wire.LargeBuffer)
	s.buf[0] = s.one[0]
	_ = s.Conn.SetReadDeadline(time.Unix(1, 0))
	n, err = s.Conn.Read(s.buf[1:])
	_ = s.Conn.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return s.buf[:1+n], err
}

func (s *side) recycle() {
	if s.buf != nil {
		wire.Recycle(s.buf)
		s.buf = nil
	}
}

// CloseWrite ends the sending half, where the connection has one.
func (s *side) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
