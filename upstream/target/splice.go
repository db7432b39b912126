package target

import (
	"syscall"

	"gatehouse/http1/socket"
)

// Splices reports whether what arrives can be moved on unseen.
func (c *Conn) Splices() bool { return c.Plain && c.raw != nil }

// Splice moves what arrives next into an empty pipe, at most max bytes. It waits
// as Read does.
func (c *Conn) Splice(p *socket.Pipe, max int64) (n int64, err error) {
	failed := c.raw.Read(func(fd uintptr) bool {
		n, err = p.Fill(fd, max)
		return err != syscall.EAGAIN
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}
