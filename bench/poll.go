package main

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller waits for sockets of one thread. Both the clients over plain HTTP/1.1
// and the backend are built on it: a goroutine for each connection would cost
// more than the small requests that they measure with, and Go's timers wake an
// idle program a millisecond late.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &poller{fd: fd}, nil
}

func (p *poller) close() { unix.Close(p.fd) }

// watch asks for events of a socket, which come with its tag.
func (p *poller) watch(fd int, tag int32, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: tag})
}

// change asks for other events of a watched socket.
func (p *poller) change(fd int, tag int32, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: tag})
}

// wait returns the events that are there, at the latest after a while; below
// zero it waits for ever.
func (p *poller) wait(d time.Duration) ([]unix.EpollEvent, error) {
	var timeout *unix.Timespec
	if d >= 0 {
		t := unix.NsecToTimespec(int64(d))
		timeout = &t
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(timeout)), 0, 0)
	switch errno {
	case 0:
		return p.events[:n], nil
	case unix.EINTR:
		return nil, nil
	}
	return nil, fmt.Errorf("epoll_pwait2, which Linux 5.11 brought: %w", errno)
}

// ownThread gives the goroutine a thread for the rest of its life, one that
// the kernel wakes on time.
func ownThread() {
	runtime.LockOSThread()
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}

// connectFrom opens a socket from one address to another; it does not block
// once it is connected.
func connectFrom(source, to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := connectSocket(fd, source, to); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func connectSocket(fd int, source, to netip.AddrPort) error {
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	return unix.SetNonblock(fd, true)
}

// sourceOf is the loopback address that a connection comes from: two hundred
// connections share one, so that neither the ports of an address run out nor a
// limit of connections per address is met.
func sourceOf(connection int) netip.AddrPort {
	group := connection / 200 % 10_000
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(group / 100), byte(1 + group%100)}), 0)
}
