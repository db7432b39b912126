package main

import (
	"fmt"
	"net"
	"time"
)

// host is the name that every client asks for.
const host = "bench.test"

// silence is how long an answer may keep a client waiting.
const silence = 10 * time.Second

// scratchSize is what bodies are read in.
const scratchSize = 128 << 10

// keepAlive sends one HTTP/1.1 request after the other.
func (w *worker) keepAlive(conn net.Conn) error {
	a, scratch := answer{want: w.load.body}, make([]byte, scratchSize)
	next := w.load.firstOf(w.index)
	deadline := time.Time{}
	sent := time.Now()
	for w.phase.Load() != phaseStop {
		if sent.After(deadline.Add(-silence / 2)) {
			deadline = sent.Add(silence)
			conn.SetDeadline(deadline)
		}
		if _, err := conn.Write(w.load.request(next)); err != nil {
			return err
		}
		if err := a.read(conn, scratch); err != nil {
			return err
		}
		now := time.Now()
		w.answered(sent, now)
		sent = now
		next++
	}
	return nil
}

// prepare makes the bytes of the requests that connections send in turn: every
// path and every token occurs.
func (l *load) prepare() {
	l.requests = nil
	for i := range max(len(l.paths), len(l.tokens), len(l.lines)) {
		path := l.paths[i%len(l.paths)]
		if l.order {
			l.requests = append(l.requests, orderBy(path, orderBody))
			continue
		}
		credentials := l.line(i)
		if token := l.token(i); token != "" {
			credentials = "Authorization: Bearer " + token + "\r\n"
		}
		l.requests = append(l.requests, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: */*\r\n%s\r\n",
			path, host, credentials))
	}
}

// line is the i-th request's further header lines.
func (l *load) line(i int) string {
	if len(l.lines) == 0 {
		return ""
	}
	return l.lines[i%len(l.lines)]
}

// request is the bytes of a connection's i-th request, counted from its first.
func (l *load) request(i int) []byte { return l.requests[i%len(l.requests)] }

// firstOf is where in the rotation a connection starts: they are spread evenly.
func (l *load) firstOf(connection int) int {
	return connection * len(l.requests) / max(l.connections, 1)
}

// token is the i-th request's, or empty for open routes.
func (l *load) token(i int) string {
	if len(l.tokens) == 0 {
		return ""
	}
	return l.tokens[i%len(l.tokens)]
}
