//go:build amd64 || arm64

package stage

import (
	"syscall"
	"unsafe"
)

// loopback sets the one interface of a new network namespace up.
func loopback() syscall.Errno {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{name: [16]byte{'l', 'o'}, flags: iffUp | iffRunning}
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), siocsifflags, uintptr(unsafe.Pointer(&request)))
	return e
}

// listen opens a socket within the network namespace and gives it to the
// parent, to which no network leads.
func listen(port int) syscall.Errno {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return errno(err)
	}
	if err := syscall.Listen(fd, 128); err != nil {
		return errno(err)
	}
	return errno(syscall.Sendmsg(Control, []byte{Listening}, syscall.UnixRights(fd), nil, syscall.MSG_NOSIGNAL))
}
