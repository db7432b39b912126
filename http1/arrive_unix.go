//go:build unix

package http1

import (
	"io"
	"os"
	"syscall"
)

// begin prepares to read without holding a buffer while nothing is there.
func (w *waiting) begin(c *Conn) {
	if c.tcp == nil {
		return
	}
	c.raw, _ = c.tcp.SyscallConn()
	w.look = c.tryRead
}

// tryRead reads what is there, and reports false where that is nothing.
func (c *Conn) tryRead(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), c.in.Space())
		switch {
		case n > 0:
			c.in.Filled(n)
			c.wait.found = nil
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.recycle()
			return false
		case err == nil:
			c.wait.found = io.EOF
		default:
			c.wait.found = os.NewSyscallError("read", err)
		}
		return true
	}
}

// peek looks whether there is a byte without taking it. There is false where
// there is neither a byte nor an end.
func peek(fd uintptr, buf []byte) (there bool, err error) {
	for {
		n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false, nil
		case err == nil && n == 0:
			err = io.EOF
		}
		return true, err
	}
}
