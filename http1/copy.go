package http1

import (
	"io"
	"net"
	"os"

	"gatehouse/http1/wire"
)

// ReadFrom implements io.ReaderFrom: between plain connections, and from files,
// the kernel copies.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	if a.kernelCopies(src) {
		if err := a.flush(); err != nil {
			return 0, err
		}
		n, err := a.conn.tcp.ReadFrom(io.LimitReader(src, a.length-a.written))
		a.written += n
		return n, err
	}
	buf := wire.Buffer(wire.LargeBuffer)
	defer wire.Recycle(buf)
	return io.CopyBuffer(struct{ io.Writer }{a}, struct{ io.Reader }{src}, buf)
}

// kernelCopies reports whether the kernel can copy from src into the body.
func (a *answer) kernelCopies(src io.Reader) bool {
	if a.conn.hijacked || a.conn.tcp == nil || a.status == 0 || a.length < 0 || a.bodiless || a.broken {
		return false
	}
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	switch src.(type) {
	case *net.TCPConn, *os.File:
		return true
	}
	return false
}
