package main

import (
	"net"
	"strings"
	"testing"
)

func TestReadAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nX: y\r\nCONTENT-LENGTH: 5\r\n\r\n"
	for _, test := range []struct{ answer, problem string }{
		{head + "hello", ""},
		{head + "hellO", "not what the backend sent"},
		{"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello", "502"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell", "length was 4"},
		{"HTTP/1.1 200 OK\r\n\r\n", "length was -1"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "EOF"},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 5000), "too long"},
	} {
		for _, piece := range []int{1, len(test.answer)} { // byte by byte is the hardest way
			a := answer{want: []byte("hello")}
			conn := arriving(test.answer, piece)
			err := a.read(conn, make([]byte, 64))
			conn.Close()
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%.60q in pieces of %d: %v, want %q", test.answer, piece, err, test.problem)
			}
		}
	}
}

func TestReadAnswerWithMoreBehindIt(t *testing.T) {
	a := answer{want: []byte("hello")}
	conn := arriving("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", 1000)
	defer conn.Close()
	if err := a.read(conn, make([]byte, 64)); err == nil || !strings.Contains(err.Error(), "bytes followed") {
		t.Errorf("%v", err)
	}
}

// TestReadAnswersInTurn holds that nothing of an answer is left for the next.
func TestReadAnswersInTurn(t *testing.T) {
	a, one := answer{want: bigBody()}, string(fixedAnswer(bigBody()))
	for _, piece := range []int{len(one), 1000, 7} {
		for i := range 2 {
			conn := arriving(one, piece)
			if err := a.read(conn, make([]byte, 512)); err != nil {
				t.Errorf("answer %d in pieces of %d: %v", i, piece, err)
			}
			conn.Close()
		}
	}
}

// arriving is a connection on which a text comes in pieces.
func arriving(text string, piece int) net.Conn {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for len(text) > 0 {
			n := min(piece, len(text))
			if _, err := server.Write([]byte(text[:n])); err != nil {
				return
			}
			text = text[n:]
		}
	}()
	return client
}
