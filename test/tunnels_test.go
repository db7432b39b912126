package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
)

// A handshake as a browser's, and its answer.
const (
	shake    = "GET /chat/room?x=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\nAccept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// idleTunnels opens n tunnels through a gateway, whose outer ends are bare
// sockets, each used once.
func idleTunnels(t testing.TB, n int, gateway string, service net.Listener) (ends []net.Conn) {
	for range n {
		c, err := net.Dial("tcp", gateway)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, shake)
		u, err := service.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadRequest(bufio.NewReader(u)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(u, switched+"\x81\x02hi")
		answer := bufio.NewReader(c)
		if resp, err := http.ReadResponse(answer, nil); err != nil || resp.StatusCode != 101 {
			t.Fatal(resp, err)
		}
		_, _ = io.ReadFull(answer, make([]byte, 4))
		_, _ = io.WriteString(c, "\x81\x82\x01\x02\x03\x04ab")
		_, _ = io.ReadFull(u, make([]byte, 8))
		ends = append(ends, c, u)
	}
	return ends
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// TestIdleTunnelMemory: a tunnel that waits holds little. The sockets of its outer
// ends are in this process too, and count.
func TestIdleTunnelMemory(t *testing.T) {
	const n = 1000
	service, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	r := start(t, fmt.Sprintf(`
listen: [{address: "127.0.0.1:00", limits: {connections-per-address: 20000}}]
apis: {a: {authorize: none, websocket: {per-principal: 20000}, routes: [{match: "GET /{proxy*}", target: "http://%s"}]}}
`, service.Addr()), nil)
	idleTunnels(t, 10, r.address("127.0.0.1:00"), service)
	before := inUse()
	ends := idleTunnels(t, n, r.address("127.0.0.1:00"), service)
	each := (inUse() - before) / n
	t.Logf("%d bytes a tunnel", each)
	if each > 24<<10 {
		t.Error("that is more than 24 KiB")
	}
	for _, c := range ends {
		_ = c.Close()
	}
}
