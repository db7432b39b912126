//go:build unix

package tunnel

import (
	"io"
	"os"
	"syscall"

	"gatehouse/http1/wire"
)

func (s *side) prepare() {
	if s.tcp == nil {
		return
	}
	s.raw, _ = s.tcp.SyscallConn()
	s.look = s.tryRead
}

// tryRead reads what is there, and reports false where that is nothing.
func (s *side) tryRead(fd uintptr) bool {
	if s.buf == nil {
		s.buf = wire.Buffer(wire.LargeBuffer)
	}
	for {
		n, err := syscall.Read(int(fd), s.buf)
		switch {
		case n > 0:
			s.n = n
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			s.recycle()
			return false
		case err == nil:
			s.err = io.EOF
		default:
			s.err = os.NewSyscallError("read", err)
		}
		return true
	}
}
