package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// answer reads HTTP/1.1 answers as their bytes come in, and holds status,
// length and every byte of the body against what they should be.
type answer struct {
	want   []byte // the body
	head   [4096]byte
	filled int  // bytes of head that are there
	inBody bool // the header block is complete
	seen   int  // bytes of the body that came
}

// space is where the next bytes go: to the header block until that is
// complete, and then to scratch.
func (a *answer) space(scratch []byte) []byte {
	if a.inBody {
		return scratch
	}
	return a.head[a.filled:]
}

// take looks at the n bytes that came into what space returned and reports
// whether the answer is complete; a is then ready for the next one.
func (a *answer) take(n int, scratch []byte) (bool, error) {
	if a.inBody {
		return a.body(scratch[:n])
	}
	a.filled += n
	end := bytes.Index(a.head[:a.filled], []byte("\r\n\r\n"))
	if end < 0 {
		if a.filled == len(a.head) {
			return false, errors.New("an answer's header is too long")
		}
		return false, nil
	}
	if err := checkHead(a.head[:end+2], len(a.want)); err != nil {
		return false, err
	}
	a.inBody = true
	return a.body(a.head[end+4 : a.filled])
}

func (a *answer) body(data []byte) (bool, error) {
	rest := a.want[a.seen:]
	if len(data) > len(rest) {
		return false, errors.New("bytes followed an answer")
	}
	if !bytes.Equal(data, rest[:len(data)]) {
		return false, errors.New("an answer's body is not what the backend sent")
	}
	if a.seen += len(data); a.seen < len(a.want) {
		return false, nil
	}
	a.reset()
	return true, nil
}

func (a *answer) reset() { a.filled, a.inBody, a.seen = 0, false, 0 }

// read reads one answer from a connection.
func (a *answer) read(conn net.Conn, scratch []byte) error {
	for {
		n, err := conn.Read(a.space(scratch))
		if err != nil {
			return err
		}
		if done, err := a.take(n, scratch); done || err != nil {
			return err
		}
	}
}

func checkHead(head []byte, size int) error {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return fmt.Errorf("an answer was %q", line)
	}
	if got := contentLength(head); got != size {
		return fmt.Errorf("an answer's length was %d instead of %d", got, size)
	}
	return nil
}

// contentLength returns what a header block says, or -1.
func contentLength(head []byte) int {
	const name = "content-length:"
	for len(head) > 0 {
		end := bytes.IndexByte(head, '\n')
		line := head[:end]
		head = head[end+1:]
		if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
			continue
		}
		if n, err := strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err == nil {
			return n
		}
		return -1
	}
	return -1
}
