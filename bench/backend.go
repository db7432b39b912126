package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// smallBody is what most cases are answered with.
func smallBody() []byte {
	return []byte(`{"id":"42","customer":"alice","status":"shipped","total":{"amount":"119.90","currency":"EUR"},` +
		`"lines":[{"sku":"A-1","quantity":2},{"sku":"B-7","quantity":1}]}`)
}

// bigBody is 100 KB of text.
func bigBody() []byte {
	return bytes.Repeat([]byte("0123456789abcdef"), 100*1024/16)
}

// backend is the service behind every proxy: one thread, as lean as it can be,
// so that its core is not what limits the measurement.
type backend struct {
	listener   int
	at         netip.AddrPort
	poller     *poller
	peers      map[int32]*caller
	small, big []byte
	ended      chan struct{}
}

// caller is one connection to the backend.
type caller struct {
	fd     int
	buf    [16 << 10]byte
	filled int
	rest   []byte // of an answer that the socket had no room for
}

// startBackend serves on a loopback port of the system's choice until closed.
func startBackend() (*backend, error) {
	b, err := newBackend()
	if err != nil {
		return nil, err
	}
	go b.serve()
	return b, nil
}

// newBackend listens; serve answers.
func newBackend() (*backend, error) {
	b := &backend{
		peers: map[int32]*caller{}, ended: make(chan struct{}),
		small: fixedAnswer(smallBody()), big: fixedAnswer(bigBody()),
	}
	var err error
	if b.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, err
	}
	if err = b.listen(); err != nil {
		unix.Close(b.listener)
		return nil, err
	}
	return b, nil
}

func (b *backend) listen() error {
	if err := unix.Bind(b.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(b.listener, 4096); err != nil {
		return err
	}
	name, err := unix.Getsockname(b.listener)
	if err != nil {
		return err
	}
	at := name.(*unix.SockaddrInet4)
	b.at = netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port))
	if b.poller, err = newPoller(); err != nil {
		return err
	}
	return b.poller.watch(b.listener, int32(b.listener), unix.EPOLLIN)
}

func (b *backend) address() string { return b.at.String() }

// close ends serve and every connection.
func (b *backend) close() {
	unix.Shutdown(b.listener, unix.SHUT_RDWR)
	<-b.ended
}

// serve answers until close.
func (b *backend) serve() error {
	ownThread()
	defer b.release()
	for {
		events, err := b.poller.wait(-1)
		if err != nil {
			return err
		}
		for _, e := range events {
			if int(e.Fd) == b.listener {
				if err := b.accept(); err != nil {
					return ended(err)
				}
				continue
			}
			if c := b.peers[e.Fd]; c != nil && !b.handle(c, e.Events) {
				delete(b.peers, e.Fd)
				unix.Close(c.fd)
			}
		}
	}
}

// ended is nil where close has ended the listener.
func ended(err error) error {
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

func (b *backend) release() {
	for _, c := range b.peers {
		unix.Close(c.fd)
	}
	b.poller.close()
	unix.Close(b.listener)
	close(b.ended)
}

func (b *backend) accept() error {
	fd, _, err := unix.Accept4(b.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch err {
	case nil:
	case unix.EAGAIN, unix.ECONNABORTED, unix.EINTR:
		return nil
	default:
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		unix.Close(fd)
		return nil // it went meanwhile
	}
	b.peers[int32(fd)] = &caller{fd: fd}
	return b.poller.watch(fd, int32(fd), unix.EPOLLIN)
}

// handle answers requests with no body or a small one, pipelined or not, and reports
// whether the connection goes on.
func (b *backend) handle(c *caller, events uint32) bool {
	if len(c.rest) > 0 && !b.send(c, nil) {
		return false
	}
	if events&^unix.EPOLLOUT == 0 {
		return b.answerAll(c)
	}
	n, err := unix.Read(c.fd, c.buf[c.filled:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	c.filled += n
	return b.answerAll(c) && c.filled < len(c.buf)
}

func (b *backend) answerAll(c *caller) bool {
	for len(c.rest) == 0 {
		end := bytes.Index(c.buf[:c.filled], []byte("\r\n\r\n"))
		if end < 0 {
			return true
		}
		whole := end + 4 + bodyLength(c.buf[:end+2])
		if whole > c.filled {
			return true
		}
		if !b.send(c, b.answer(c.buf[:end])) {
			return false
		}
		c.filled = copy(c.buf[:], c.buf[whole:c.filled])
	}
	return true
}

// send writes what was left of the last answer, or a new one; what the socket
// does not take waits until there is room.
func (b *backend) send(c *caller, data []byte) bool {
	waited := len(c.rest) > 0
	if waited {
		data = c.rest
	}
	n, err := unix.Write(c.fd, data)
	if err != nil && err != unix.EAGAIN {
		return false
	}
	c.rest = data[max(n, 0):]
	switch {
	case !waited && len(c.rest) > 0:
		return b.poller.change(c.fd, int32(c.fd), unix.EPOLLOUT) == nil
	case waited && len(c.rest) == 0:
		return b.poller.change(c.fd, int32(c.fd), unix.EPOLLIN) == nil
	}
	return true
}

// bodyLength is how long the body of a request with that head is.
func bodyLength(head []byte) int {
	if !bytes.HasPrefix(head, []byte("POST ")) {
		return 0
	}
	return max(contentLength(head), 0)
}

func (b *backend) answer(head []byte) []byte {
	if bytes.HasPrefix(head, []byte("GET /big ")) {
		return b.big
	}
	return b.small
}

func fixedAnswer(body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	return append([]byte(head), body...)
}

// dialFrom opens the connection with a number from its own source address.
func dialFrom(connection int, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: silence / 2, LocalAddr: net.TCPAddrFromAddrPort(sourceOf(connection))}
	return d.Dial("tcp4", address)
}
