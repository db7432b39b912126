package target

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
)

// pieces is a connection that hands out what is in it piece by piece.
type pieces struct {
	net.Conn
	left []string
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[0])
	p.left = p.left[1:]
	return n, nil
}

func TestRecords(t *testing.T) {
	const a, b = "\x17\x03\x03\x00\x02ab", "\x17\x03\x03\x01\x00"
	long := b + strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		in    []string
		seen  bool // the last read ended within a record
		ended int  // records that it completed
	}{
		"one":                        {[]string{a}, false, 1},
		"two":                        {[]string{a + a}, false, 2},
		"two, one by one":            {[]string{a, a}, false, 1},
		"one, and a byte":            {[]string{a + "\x17"}, true, 1},
		"one, and a header":          {[]string{a + b}, true, 1},
		"a header":                   {[]string{b}, true, 0},
		"in two parts":               {[]string{long[:100], long[100:]}, false, 1},
		"the rest of one, and more":  {[]string{long[:100], long[100:] + a}, false, 2},
		"byte by byte":               {strings.Split(long, ""), false, 1},
		"byte by byte, the last out": {strings.Split(long[:len(long)-1], ""), true, 0},
		"an empty one":               {[]string{"\x17\x03\x03\x00\x00"}, false, 1},
	} {
		r := &records{Conn: &pieces{left: c.in}}
		for range c.in {
			_, _ = r.Read(make([]byte, 4<<10))
		}
		if (r.seen > 0) != c.seen || r.ended != c.ended {
			t.Errorf("%s: %d bytes of a header, %d records ended", name, r.seen, r.ended)
		}
	}
}

// A record of which a part has arrived forbids to use the connection, though
// the socket is silent.
func TestPartOfARecord(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	below := &records{Conn: ours}
	c := newConn(tls.Client(below, &tls.Config{ServerName: "x.test"}), below, &Endpoint{})
	below.follow([]byte("\x17\x03\x03"))
	if c.alive() {
		t.Error("alive with a part of a record")
	}
}
