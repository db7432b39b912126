package http1

import (
	"io"
	"net"
	"os"
	"syscall"

	"gatehouse/http1/socket"
	"gatehouse/http1/wire"
)

// ReadFrom implements io.ReaderFrom: between plain connections, and from files,
// the kernel copies.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	if s, ok := src.(socket.Source); ok && a.takesKernel() && a.conn.raw != nil {
		if p, err := socket.NewPipe(); err == nil {
			defer p.Close()
			return a.splice(s, p)
		}
	}
	if from, limit, ok := kernelCopies(src, a.length-a.written); ok && a.takesKernel() {
		if err := a.flush(); err != nil {
			return 0, err
		}
		n, err := a.conn.tcp.ReadFrom(io.LimitReader(from, limit))
		a.written += n
		if l, ok := src.(*io.LimitedReader); ok {
			l.N -= n
		}
		return n, err
	}
	buf := wire.Buffer(wire.LargeBuffer)
	defer wire.Recycle(buf)
	return io.CopyBuffer(struct{ io.Writer }{a}, struct{ io.Reader }{src}, buf)
}

// takesKernel reports whether the kernel can copy into the body.
func (a *answer) takesKernel() bool {
	return !a.conn.hijacked && a.conn.tcp != nil && a.status != 0 && a.length >= 0 && !a.bodiless && !a.broken
}

// kernelCopies reports whether the kernel can copy from src, and what of it: the
// library sees through one io.LimitedReader, not through two.
func kernelCopies(src io.Reader, limit int64) (io.Reader, int64, bool) {
	if l, ok := src.(*io.LimitedReader); ok {
		src, limit = l.R, min(limit, l.N)
	}
	switch src.(type) {
	case *net.TCPConn, *os.File:
		return src, limit, true
	}
	return nil, 0, false
}

// splice moves the rest of the body through a pipe. What the client does not
// take is lost with the pipe, as its connection is.
func (a *answer) splice(src socket.Source, p *socket.Pipe) (moved int64, err error) {
	if err := a.flush(); err != nil {
		return 0, err
	}
	var failed error
	drain := func(fd uintptr) bool {
		failed = p.Drain(fd)
		return failed != syscall.EAGAIN
	}
	for a.written < a.length {
		n, err := src.Fill(p)
		if err == io.EOF {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
		if a.conn.watch.gone.Load() {
			return moved, a.note(net.ErrClosed)
		}
		if err := a.conn.raw.Write(drain); err != nil {
			return moved, a.note(err)
		}
		if failed != nil {
			return moved, a.note(failed)
		}
		a.written += n
		moved += n
	}
	return moved, nil
}
