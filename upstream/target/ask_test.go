package target

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/http1/wire"
)

const question, reply = "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// replies reads n bytes, waits, and replies; what it read is sent on heard.
func replies(c net.Conn, n int, pause time.Duration, heard chan<- string) {
	buf := make([]byte, n)
	_, _ = io.ReadFull(c, buf)
	heard <- string(buf)
	time.Sleep(pause)
	_, _ = io.WriteString(c, reply)
}

func TestAsk(t *testing.T) {
	large := "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 8<<20) + "\r\n\r\n"
	for name, tt := range map[string]struct {
		request string
		pause   time.Duration
		late    bool // the read deadline is over before the request is sent
	}{
		"at once":            {question, 0, false},
		"after the deadline": {question, 50 * time.Millisecond, false},
		"deadline over":      {question, 0, true},
		"more than fits":     {large, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			address, conns := accepting(t)
			_, e := endpointAt(t, address)
			c := open(t, e)
			defer c.Discard()
			heard := make(chan string, 1)
			go replies(<-conns, len(tt.request), tt.pause, heard)
			rd := wire.NewReader()
			rd.Reset(c)
			c.WaitAtLeast(time.Now(), 10*time.Millisecond)
			if tt.late {
				_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
			}
			if n, err := c.Ask([]byte(tt.request), rd); n != len(tt.request) || err != nil {
				t.Fatalf("%d of %d, %v", n, len(tt.request), err)
			}
			if got := <-heard; got != tt.request {
				t.Errorf("the other side heard %d bytes of %d", len(got), len(tt.request))
			}
			c.WaitUntil(time.Now().Add(5 * time.Second))
			h := http.Header{}
			if head, err := rd.ReadHead("GET", h); err != nil || head.Status != 200 {
				t.Errorf("%+v %v", head, err)
			}
		})
	}
}

func TestAskTheDead(t *testing.T) {
	address, conns := accepting(t)
	_, e := endpointAt(t, address)
	c := open(t, e)
	defer c.Discard()
	peer := (<-conns).(*net.TCPConn)
	_ = peer.SetLinger(0)
	_ = peer.Close()
	rd := wire.NewReader()
	rd.Reset(c)
	for c.alive() { // until the reset has come
		time.Sleep(time.Millisecond)
	}
	c.WaitAtLeast(time.Now(), time.Second)
	_, err := c.Ask([]byte(question), rd)
	if err == nil {
		_, err = rd.ReadHead("GET", http.Header{})
	}
	if err == nil {
		t.Error("the dead answered")
	}
}
