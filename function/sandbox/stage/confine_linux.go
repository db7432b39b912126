//go:build amd64 || arm64

package stage

import (
	"syscall"
	"unsafe"
)

func limit(resource, value uint64) syscall.Errno {
	lim := syscall.Rlimit{Cur: value, Max: value}
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(resource), uintptr(unsafe.Pointer(&lim)), 0, 0, 0)
	return e
}

// user changes who this thread is. The system calls are meant as they are, for
// the thread alone: the others end when the program begins.
func user(uid, gid uintptr) syscall.Errno {
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		return e
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); e != 0 {
		return e
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid)
	return e
}

// bound takes away what programs could get: every capability of the bounding
// set, and root's way to have them anyway. It needs CAP_SETPCAP.
func bound() syscall.Errno {
	for c := uintptr(0); c <= highestCapability; c++ {
		_, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_CAPBSET_DROP, c, 0)
		if e == syscall.EINVAL && c > 0 {
			break // beyond the kernel's last
		}
		if e != 0 {
			return e
		}
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetSecurebits, securebits, 0)
	return e
}

// drop takes away the capabilities that this thread has.
func drop() syscall.Errno {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prCapAmbient, prCapAmbientClear, 0, 0, 0, 0)
	if e != 0 {
		return e
	}
	header := struct {
		version uint32
		pid     int32
	}{version: capabilityV3}
	var none [2]struct{ effective, permitted, inheritable uint32 }
	_, _, e = syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
	return e
}

// orphan has the kernel end this process with its parent, and looks whether the
// parent has ended before.
func orphan() syscall.Errno {
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); e != 0 {
		return e
	}
	var b [1]byte
	n, _, err := syscall.Recvfrom(Control, b[:], syscall.MSG_DONTWAIT|syscall.MSG_PEEK)
	if err == syscall.EAGAIN {
		return 0
	}
	if err == nil && n == 0 {
		syscall.Exit(1)
	}
	return errno(err)
}

// landlock allows what the paths' accesses say, and of what is handled nothing
// else.
func landlock(handled, scoped uint64, access []uint64, paths []string) syscall.Errno {
	attr := struct{ fs, net, scoped uint64 }{fs: handled, scoped: scoped}
	size := unsafe.Sizeof(attr)
	if scoped == 0 { // kernels before 6.12 know a shorter form
		size = 8
	}
	rules, _, e := syscall.Syscall(sysLandlockCreate, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return e
	}
	for i, path := range paths {
		fd, err := syscall.Open(path, oPath|syscall.O_CLOEXEC, 0)
		if err != nil {
			return errno(err)
		}
		beneath := struct {
			access uint64
			fd     int32
		}{access[i], int32(fd)}
		_, _, e = syscall.Syscall6(sysLandlockAdd, rules, landlockBeneath, uintptr(unsafe.Pointer(&beneath)), 0, 0, 0)
		_ = syscall.Close(fd)
		if e != 0 {
			return e
		}
	}
	if e := noNewPrivileges(); e != 0 {
		return e
	}
	_, _, e = syscall.RawSyscall(sysLandlockRestrict, rules, 0, 0)
	_ = syscall.Close(int(rules))
	return e
}

func noNewPrivileges() syscall.Errno {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0)
	return e
}

// filter has the kernel judge every system call from now on.
func filter(program string) syscall.Errno {
	const size = 8 // of struct sock_filter
	if len(program) == 0 || len(program)%size != 0 {
		return syscall.EINVAL
	}
	if e := noNewPrivileges(); e != 0 {
		return e
	}
	code := []byte(program)
	fprog := struct {
		length uint16
		filter *byte
	}{uint16(len(program) / size), &code[0]}
	_, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetSeccomp, seccompModeFilter, uintptr(unsafe.Pointer(&fprog)))
	return e
}
