package socket

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Pipe is where bytes are between two sockets. It is used by one goroutine at a
// time.
type Pipe struct {
	r, w int
	held int // bytes
	size int
}

// NewPipe opens a pipe; Close must follow.
func NewPipe() (*Pipe, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	size, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, PipeSize)
	if err != nil {
		size = 64 << 10 // more is not for this user any more; less does no harm
	}
	return &Pipe{r: ends[0], w: ends[1], size: size}, nil
}

// Close closes the pipe, and with it what it holds.
func (p *Pipe) Close() {
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
}

// Fill moves what a socket has into the pipe, which is empty, at most max bytes.
// It returns io.EOF at the socket's end, and syscall.EAGAIN where nothing is
// there.
func (p *Pipe) Fill(fd uintptr, max int64) (int64, error) {
	n, err := splice(int(fd), p.w, min(max, int64(p.size)))
	if n == 0 && err == nil {
		err = io.EOF
	}
	p.held += int(n)
	return n, err
}

// Drain moves what the pipe holds into a socket. It returns syscall.EAGAIN where
// the socket does not take all of it now.
func (p *Pipe) Drain(fd uintptr) error {
	for p.held > 0 {
		n, err := splice(p.r, int(fd), int64(p.held))
		if err != nil {
			return err
		}
		p.held -= int(n)
	}
	return nil
}

func splice(from, to int, most int64) (int64, error) {
	for {
		n, err := unix.Splice(from, nil, to, nil, int(most), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, syscall.EAGAIN
		default:
			return 0, os.NewSyscallError("splice", err)
		}
	}
}
