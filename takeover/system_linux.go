package takeover

import (
	"net"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// processOf returns the process at the other end, as the kernel noted it when
// it connected, or when it began to listen; 0 where that is none of this
// process's name space.
func processOf(conn *net.UnixConn) int {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	var cred *unix.Ucred
	err = raw.Control(func(fd uintptr) {
		cred, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || cred == nil {
		return 0
	}
	return int(cred.Pid)
}

// process is another process, whatever becomes of its number. The zero process
// never dies.
type process struct {
	fd   int
	open bool
}

func openProcess(pid int) process {
	if pid <= 0 {
		return process{}
	}
	fd, err := unix.PidfdOpen(pid, 0)
	return process{fd, err == nil}
}

// mourning is how long a process that was killed may take to be dead: its
// sockets are closed a little before.
const mourning = time.Second

// died reports whether the process is dead.
func (p process) died() bool {
	if !p.open {
		return false
	}
	for deadline := time.Now().Add(mourning); ; {
		left := time.Until(deadline)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, int(max(left.Milliseconds(), 0)))
		if err != unix.EINTR || left <= 0 {
			return n == 1
		}
	}
}

func (p process) close() {
	if p.open {
		_ = unix.Close(p.fd)
	}
}

// Reloading are the assignments that say that a reload begins. READY=1 says that
// it has ended.
func Reloading() []string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return []string{"RELOADING=1"}
	}
	return []string{"RELOADING=1", "MONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)}
}
