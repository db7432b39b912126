//go:build amd64 || arm64

package stage

import (
	"encoding/binary"
	"syscall"
)

// keep is the nursery: it starts stages for the gateway, whose children they
// are. A new user namespace takes a fork in the old sense, which copies the
// tables of all memory that a process has, and has every page copied that is
// written until the child goes on to its own program. For a gateway that is
// tens of milliseconds and many faults after that; the nursery has no memory to
// speak of. It ends with the control socket.
func keep() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	if closeOnExec(Control) != 0 {
		return
	}
	b, oob := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4*MostFiles))
	for {
		n, oobn, _, _, err := syscall.Recvmsg(Control, b, oob, syscall.MSG_CMSG_CLOEXEC)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		pid, pidfd, e := deliver(b[:n], received(oob[:oobn]))
		answer := make([]byte, 8)
		binary.LittleEndian.PutUint32(answer, uint32(e))
		binary.LittleEndian.PutUint32(answer[4:], uint32(pid))
		var rights []byte
		if e == 0 {
			rights = syscall.UnixRights(pidfd)
		}
		err = syscall.Sendmsg(Control, answer, rights, nil, syscall.MSG_NOSIGNAL)
		if e == 0 {
			_ = syscall.Close(pidfd)
		}
		if err != nil {
			return
		}
	}
}

func received(oob []byte) []int {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return nil
	}
	fds, _ := syscall.ParseUnixRights(&messages[0])
	return fds
}

// deliver starts one stage as a Fork says.
func deliver(b []byte, fds []int) (pid, pidfd int, e syscall.Errno) {
	defer func() {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
	}()
	steps, err := decode(b)
	if err != nil || len(steps) != 1 || steps[0].Op != Fork || len(steps[0].N) != 5 {
		return 0, 0, syscall.EBADMSG
	}
	n := steps[0].N
	pidfd = -1
	sys := &syscall.SysProcAttr{Setsid: true, Cloneflags: uintptr(n[0]) | syscall.CLONE_PARENT, PidFD: &pidfd}
	files := fds
	if n[4] != 0 { // the last one is of the cgroup to be born in
		if len(fds) == 0 {
			return 0, 0, syscall.EBADMSG
		}
		sys.UseCgroupFD, sys.CgroupFD = true, fds[len(fds)-1]
		files = fds[:len(fds)-1]
	}
	if n[1] != 0 {
		sys.UidMappings, sys.GidMappings = maps(n[1], n[2]), maps(n[1], n[2])
		sys.GidMappingsEnableSetgroups = true
	}
	for c := uintptr(0); c < 64; c++ {
		if n[3]&(1<<c) != 0 {
			sys.AmbientCaps = append(sys.AmbientCaps, c)
		}
	}
	// Of the stage: it is small, and soon over.
	attr := &syscall.ProcAttr{Env: []string{"GOMAXPROCS=1", "GOGC=off"}, Sys: sys}
	for _, fd := range files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	pid, _, err = syscall.StartProcess("/proc/self/exe", []string{Name}, attr)
	return pid, pidfd, errno(err)
}

// maps has root within be root, for as long as the stage needs it, and another
// user somebody's.
func maps(inside, outside uint64) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: int(inside), HostID: int(outside), Size: 1}}
}
