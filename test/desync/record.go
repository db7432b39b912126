package desync

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Recorder is a server that keeps what it is sent. It answers every request
// that it was sent whole with 200 and "METHOD TARGET"; one whose target holds
// "early" with 403 before the body has come, and one that expects to be asked
// for its body it asks, unless its target holds "deny": that gets 417.
type Recorder struct {
	listener net.Listener

	mu    sync.Mutex
	conns []*Recorded
}

// Recorded is one connection to a Recorder.
type Recorded struct {
	conn  net.Conn
	ended chan struct{}

	mu       sync.Mutex
	received []byte
	seen     int // bytes that Take has returned
}

// NewRecorder begins to record on a free port of 127.0.0.1.
func NewRecorder() (*Recorder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Recorder{listener: l}
	go r.accept()
	return r, nil
}

// Addr is where it listens.
func (r *Recorder) Addr() string { return r.listener.Addr().String() }

// Close ends it with its connections.
func (r *Recorder) Close() {
	_ = r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.conn.Close()
	}
}

func (r *Recorder) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		c := &Recorded{conn: conn, ended: make(chan struct{})}
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		go c.serve()
	}
}

func (c *Recorded) serve() {
	defer close(c.ended)
	defer c.conn.Close()
	var held string
	var answered, asked bool // the request that is coming
	buf := make([]byte, 64<<10)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.received = append(c.received, buf[:n]...)
		c.mu.Unlock()
		held += string(buf[:n])
		for held != "" {
			r, n, err := next(held)
			if err != nil {
				return // Find tells of it
			}
			if n > 0 && !answered && (r.Whole || strings.Contains(r.Target, "early")) {
				answered = true
				c.answer(&r)
			}
			if n > 0 && !r.Whole && !asked && !answered && len(r.Field("expect")) > 0 {
				asked = true
				c.ask(&r)
				answered = strings.Contains(r.Target, "deny")
			}
			if !r.Whole {
				break
			}
			held, answered, asked = held[n:], false, false
		}
	}
}

func (c *Recorded) answer(r *Request) {
	status, body := "200 OK", r.Method+" "+r.Target
	if !r.Whole {
		status = "403 Forbidden"
	}
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", status, len(body))
	if r.Method == "HEAD" {
		body = ""
	}
	_, _ = c.conn.Write([]byte(head + body))
}

func (c *Recorded) ask(r *Request) {
	text := "HTTP/1.1 100 Continue\r\n\r\n"
	if strings.Contains(r.Target, "deny") {
		text = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"
	}
	_, _ = c.conn.Write([]byte(text))
}

// Take returns the requests that came since it was called last, those of each
// connection in their order, once every one that has not come whole is known to
// be followed by nothing: its connection has ended. An error tells of what
// servers could read in different ways, and of connections that went on.
func (r *Recorder) Take(patience time.Duration) (all []Request, err error) {
	r.mu.Lock()
	conns := slices.Clone(r.conns)
	r.mu.Unlock()
	var open []*Recorded
	var wrong []error
	for _, c := range conns {
		requests, ended, err := c.take(patience)
		if err != nil {
			wrong = append(wrong, err)
		}
		all = append(all, requests...)
		if !ended {
			open = append(open, c)
		}
	}
	r.mu.Lock()
	r.conns = append(open, r.conns[len(conns):]...)
	r.mu.Unlock()
	return all, errors.Join(wrong...)
}

func (c *Recorded) take(patience time.Duration) (all []Request, ended bool, err error) {
	if cut, from := tail(c.fresh()); cut {
		select {
		case <-c.ended:
		case <-time.After(patience):
			return nil, false, fmt.Errorf("the connection goes on after what did not come whole: %q", shortened(c.fresh()[from:]))
		}
	}
	fresh := c.fresh()
	all, err = Find(fresh)
	c.mu.Lock()
	c.seen += len(fresh)
	c.mu.Unlock()
	select {
	case <-c.ended:
		return all, c.fresh() == "", err
	default:
		return all, false, err
	}
}

func (c *Recorded) fresh() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.received[c.seen:])
}

// tail reports whether s ends within a request, and where that begins.
func tail(s string) (rest bool, n int) {
	for n < len(s) {
		r, length, err := next(s[n:])
		if err != nil || length == 0 || !r.Whole {
			return true, n
		}
		n += length
	}
	return false, n
}
