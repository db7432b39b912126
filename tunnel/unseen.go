package tunnel

import (
	"syscall"

	"gatehouse/http1/socket"
)

// large is what a frame has to have left for the kernel to move it: below, the
// pipe costs more than the copy. See docs/decisions/0008.
const large = 256 << 10

// splices reports whether the kernel may move the rest of the frame under way:
// both connections are plain, and the frame still goes to dst.
func (d *direction) splices() bool {
	if d.frames.left < large || d.frames.lost || d.src.raw == nil || d.dst.raw == nil || len(d.src.early) > 0 || d.copies {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed
}

// mostPipes is how many frames pass by the kernel's hands at a time: who sends a
// large one slowly is not to hold descriptors that others need.
const mostPipes = 256

// passUnseen passes the rest of the frame on without a look at it, and reports
// whether more is wanted. Without a pipe to spare this direction copies from
// then on.
func (d *direction) passUnseen() bool {
	defer d.tunnel.pipes.Add(-1)
	if d.tunnel.pipes.Add(1) > mostPipes {
		d.copies = true
		return true
	}
	pipe, err := socket.NewPipe()
	if err != nil {
		d.copies = true
		return true
	}
	defer pipe.Close()
	for d.frames.left > 0 {
		n, err := d.src.fill(pipe, int64(min(d.frames.left, socket.PipeSize)))
		if err != nil {
			d.over(err)
			return false
		}
		if !d.drain(pipe, n) {
			return false
		}
	}
	return true
}

// drain writes what the pipe holds: n bytes of the frame under way.
func (d *direction) drain(pipe *socket.Pipe, n int64) bool {
	d.tunnel.touch()
	d.mu.Lock()
	err := d.dst.drain(pipe)
	if err == nil {
		d.bytes.Add(n)
		d.frames.skip(uint64(n))
		d.sayLast()
	}
	d.mu.Unlock()
	if err != nil {
		d.tunnel.note(d.against)
		d.tunnel.kill()
		return false
	}
	d.hurry()
	return true
}

// fill moves what has come into the pipe. It waits as next does.
func (s *side) fill(pipe *socket.Pipe, most int64) (n int64, err error) {
	failed := s.raw.Read(func(fd uintptr) bool {
		n, err = pipe.Fill(fd, most)
		return err != syscall.EAGAIN
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

// drain writes all that the pipe holds.
func (s *side) drain(pipe *socket.Pipe) (err error) {
	failed := s.raw.Write(func(fd uintptr) bool {
		err = pipe.Drain(fd)
		return err != syscall.EAGAIN
	})
	if failed != nil {
		return failed
	}
	return err
}
