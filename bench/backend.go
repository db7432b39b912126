package main

import (
	"bytes"
	"fmt"
	"net"
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

// backend is the service behind every proxy: as lean as it can be, so that
// its core is not what limits the measurement.
type backend struct {
	listener   net.Listener
	small, big []byte
}

// startBackend serves on a loopback port of the system's choice until closed.
func startBackend() (*backend, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{listener: l, small: fixedAnswer(smallBody()), big: fixedAnswer(bigBody())}
	go b.accept()
	return b, nil
}

func (b *backend) address() string { return b.listener.Addr().String() }

func (b *backend) close() { b.listener.Close() }

func (b *backend) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.serve(conn)
	}
}

// serve answers requests without a body, pipelined or not, until the client
// goes.
func (b *backend) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 16<<10)
	filled := 0
	for {
		n, err := conn.Read(buf[filled:])
		if err != nil {
			return
		}
		filled += n
		for {
			end := bytes.Index(buf[:filled], []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			if _, err := conn.Write(b.answer(buf[:end])); err != nil {
				return
			}
			filled = copy(buf, buf[end+4:filled])
		}
		if filled == len(buf) {
			return
		}
	}
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
