package socket

import (
	"io"
	"os"
	"syscall"
	"unsafe"
)

// Usable reports whether the other functions work here.
const Usable = true

// Read reads what is there. It returns io.EOF at the socket's end, and
// syscall.EAGAIN where nothing is there.
func Read(fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, syscall.EAGAIN
		case errno != 0:
			return 0, os.NewSyscallError("recv", errno)
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

// Write writes what the socket takes at once, and returns how much that was:
// nothing, too, where it fails.
func Write(fd uintptr, p []byte) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// Peek looks what Read would find, and takes nothing: nil for bytes, io.EOF, or
// an error, which is syscall.EAGAIN where nothing is there.
func Peek(fd uintptr) error {
	var one [1]byte
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&one[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return syscall.EAGAIN
		case errno != 0:
			return os.NewSyscallError("recv", errno)
		case n == 0:
			return io.EOF
		default:
			return nil
		}
	}
}
