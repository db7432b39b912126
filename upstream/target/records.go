package target

import (
	"errors"
	"net"
	"os"
)

// records is the socket below TLS. The TLS layer reads ahead, so it may hold
// what nobody has asked for while the socket is silent: records follows where
// each one ends, to know of it.
type records struct {
	net.Conn
	header [recordHeader]byte
	seen   int // bytes of the header that is arriving
	left   int // bytes still to come of the record behind it
	ended  int // records that the last Read completed
	shut   bool
}

// recordHeader is the length of a record's header: type, version, and in its
// last two bytes the length of what follows (RFC 8446 section 5.1).
const recordHeader = 5

// Read implements net.Conn. While shut, there is nothing to read.
func (r *records) Read(p []byte) (int, error) {
	if r.shut {
		return 0, os.ErrDeadlineExceeded // to TLS a passing error
	}
	n, err := r.Conn.Read(p)
	r.follow(p[:n])
	return n, err
}

func (r *records) follow(p []byte) {
	r.ended = 0
	for len(p) > 0 {
		if r.seen < recordHeader {
			n := copy(r.header[r.seen:], p)
			r.seen, p = r.seen+n, p[n:]
			if r.seen < recordHeader {
				return
			}
			r.left = int(r.header[3])<<8 | int(r.header[4])
		}
		n := min(r.left, len(p))
		r.left, p = r.left-n, p[n:]
		if r.left == 0 {
			r.seen = 0
			r.ended++
		}
	}
}

// drained reports whether the TLS layer above holds nothing: no record of
// which a part has arrived, and none that is complete and was not read. Where
// the last Read ended with one record, that is the one that has been read.
func (c *Conn) drained() bool {
	r := c.records
	switch {
	case r.seen > 0:
		return false
	case r.ended == 1 && c.short:
		return true
	}
	r.shut = true
	n, err := c.Conn.Read(c.one[:])
	r.shut = false
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}
