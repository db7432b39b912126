package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// host is the name that every client asks for.
const host = "bench.test"

// silence is how long an answer may keep a client waiting.
const silence = 10 * time.Second

// keepAlive sends one HTTP/1.1 request after the other.
func (w *worker) keepAlive(conn net.Conn) error {
	requests := w.requests()
	next := w.index * len(requests) / w.load.connections
	buf := make([]byte, 64<<10)
	deadline := time.Time{}
	sent := time.Now()
	for w.phase.Load() != phaseStop {
		if sent.After(deadline.Add(-silence / 2)) {
			deadline = sent.Add(silence)
			conn.SetDeadline(deadline)
		}
		if _, err := conn.Write(requests[next%len(requests)]); err != nil {
			return err
		}
		if err := readAnswer(conn, buf, w.load.size); err != nil {
			return err
		}
		now := time.Now()
		w.answered(sent, now)
		sent = now
		next++
	}
	return nil
}

// requests are the bytes of the worker's requests, one for each path.
func (w *worker) requests() [][]byte {
	credentials := ""
	if token := w.token(); token != "" {
		credentials = "Authorization: Bearer " + token + "\r\n"
	}
	var out [][]byte
	for _, path := range w.load.paths {
		out = append(out, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: */*\r\n%s\r\n", path, host, credentials))
	}
	return out
}

// readAnswer reads one answer and holds its status and length against what
// they should be.
func readAnswer(conn net.Conn, buf []byte, size int) error {
	filled, end := 0, -1
	for end < 0 {
		n, err := conn.Read(buf[filled:])
		if err != nil {
			return err
		}
		filled += n
		if end = bytes.Index(buf[:filled], []byte("\r\n\r\n")); end < 0 && filled == len(buf) {
			return errors.New("an answer's header is too long")
		}
	}
	head := buf[:end+2]
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("an answer was %q", bytes.SplitN(head, []byte("\r\n"), 2)[0])
	}
	if got := contentLength(head); got != size {
		return fmt.Errorf("an answer's length was %d instead of %d", got, size)
	}
	rest := size - (filled - end - 4)
	for rest > 0 {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		rest -= n
	}
	if rest < 0 {
		return errors.New("bytes followed an answer")
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
