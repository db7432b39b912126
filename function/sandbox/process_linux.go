//go:build amd64 || arm64

package sandbox

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a function's process, with all that come of it: they live in a pid
// namespace that ends with it. Its methods are safe for concurrent use.
type Process struct {
	Listener net.Listener  // on 127.0.0.1:9001 within; nil unless asked for; closed at the end
	Stdout   io.ReadCloser // the reader closes them
	Stderr   io.ReadCloser

	sandbox        *Sandbox
	stdout, stderr *os.File
	pid            int
	handle         *os.File // the pidfd
	group          *group
	seat           int

	mu   sync.Mutex // frozen and the group are one thing
	over bool
	done chan struct{}
	exit Exit
}

// born makes a process this one's.
func (p *Process) born(pid, pidfd int) error {
	p.pid = pid
	// Nonblocking, the runtime waits for it as it does for sockets: no thread
	// stands by for every process.
	if err := unix.SetNonblock(pidfd, true); err != nil {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		_, _ = unix.Wait4(pid, nil, 0, nil)
		_ = unix.Close(pidfd)
		return err
	}
	p.handle = os.NewFile(uintptr(pidfd), "process")
	return nil
}

// kill has the kernel end the process, which ends all others of its pid
// namespace.
func (p *Process) kill() {
	raw, err := p.handle.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) })
	_ = p.freezing(false) // what is frozen does not die in version 1
}

// Kill ends the process and all that come of it, and returns once none of them
// is left.
func (p *Process) Kill() Exit {
	p.kill()
	return p.Wait()
}

// Wait returns once the process has ended, and with it all that came of it.
func (p *Process) Wait() Exit {
	<-p.done
	return p.exit
}

// HostPID returns the process's number outside.
func (p *Process) HostPID() int { return p.pid }

// Done is closed once Wait does not wait any more.
func (p *Process) Done() <-chan struct{} { return p.done }

// reap waits for the kernel to be done with the process. In a pid namespace
// that is when all the others have gone.
func (p *Process) reap() (status syscall.WaitStatus, usage syscall.Rusage) {
	raw, err := p.handle.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool {
			pid, err := syscall.Wait4(p.pid, &status, syscall.WNOHANG, &usage)
			return pid == p.pid || err != nil && err != syscall.EINTR
		})
	}
	if err != nil {
		_, _ = syscall.Wait4(p.pid, &status, 0, &usage)
	}
	_ = p.handle.Close()
	return status, usage
}

// end waits for the process, and gives back what it had.
func (p *Process) end() {
	status, usage := p.reap()
	p.mu.Lock()
	p.exit = Exit{Code: status.ExitStatus(), CPU: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), Peak: max(p.group.peak(), 0), OutOfMemory: p.group.starved()}
	if status.Signaled() {
		p.exit.Signal = status.Signal()
	}
	if p.exit.Peak == 0 {
		p.exit.Peak = usage.Maxrss << 10
	}
	p.over = true
	_ = p.group.remove() // or later
	p.mu.Unlock()
	if p.Listener != nil {
		_ = p.Listener.Close()
	}
	if p.seat != 0 {
		p.sandbox.seats.give(p.seat)
	}
	p.sandbox.remove(p)
	close(p.done)
}

// Peak returns the most memory in bytes that the process and all that come of
// it used at a time, what lies in /tmp and the files that the kernel keeps for
// them included; where no cgroup counts it, what the process itself had
// resident, without its children.
func (p *Process) Peak() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		return p.exit.Peak
	case p.group.has(memory):
		return p.group.peak()
	}
	return residentPeak(p.pid)
}

// Freeze stops the process and all that come of it, until Thaw. It is
// errors.ErrUnsupported where no cgroup can do that.
func (p *Process) Freeze() error { return p.freezing(true) }

// Thaw lets them go on.
func (p *Process) Thaw() error { return p.freezing(false) }

func (p *Process) freezing(stop bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return os.ErrProcessDone
	}
	return p.group.freeze(stop)
}
