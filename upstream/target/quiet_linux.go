package target

import (
	"syscall"
	"unsafe"
)

// quiet reports whether a socket is open and has nothing to read. It does not
// block, so the scheduler need not hear of it.
func quiet(fd uintptr) bool {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno == syscall.EAGAIN
}
