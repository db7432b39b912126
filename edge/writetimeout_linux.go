package edge

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// setWriteTimeout lets the kernel end a connection whose client takes nothing
// of what was sent to it for d: TCP_USER_TIMEOUT counts a closed window too. It
// costs nothing for each write and leaves answers to the kernel's copy.
func setWriteTimeout(tcp *net.TCPConn, d time.Duration) {
	if d <= 0 {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
