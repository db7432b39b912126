package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestCrowdOverLargeAnswers has the backend's answers come in many pieces, and
// its sockets full.
func TestCrowdOverLargeAnswers(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	l := load{address: b.address(), connections: 20, paths: []string{"/big"}, body: bigBody()}
	s, err := measure(context.Background(), l, 10*time.Millisecond, 200*time.Millisecond, nothingUsed)
	if err != nil || s.Requests == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestBackendWithSlowReader fills the socket of a pipelining client that reads
// nothing at first.
func TestBackendWithSlowReader(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	conn, err := dialFrom(0, b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const count = 150 // 15 MB: more than any socket takes
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, strings.Repeat("GET /big HTTP/1.1\r\nHost: x\r\n\r\n", count)); err != nil {
		t.Fatal(err)
	}
	want := fixedAnswer(bigBody())
	got := make([]byte, len(want))
	for i := range count {
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != string(want) {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}

// TestCrowdNoticesWhatIsWrong measures services that answer wrongly.
func TestCrowdNoticesWhatIsWrong(t *testing.T) {
	for name, answer := range map[string]string{
		"another body": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
		"a refusal":    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nok",
		"an end":       "",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.Read(make([]byte, 1000))
				io.WriteString(conn, answer)
				conn.Close()
			}
		}()
		l := load{address: listener.Addr().String(), connections: 1, paths: []string{"/"}, body: []byte("ok")}
		if s, err := measure(context.Background(), l, 0, 50*time.Millisecond, nothingUsed); err == nil {
			t.Errorf("%s passed: %+v", name, s)
		}
		listener.Close()
	}
}

// TestRotation holds that every connection uses every token, beginning with
// one of its own.
func TestRotation(t *testing.T) {
	l := load{connections: 4, paths: []string{"/a"}, tokens: []string{"0", "1", "2", "3", "4", "5", "6", "7"}}
	l.prepare()
	firsts, all := map[string]bool{}, map[string]bool{}
	for connection := range l.connections {
		firsts[string(l.request(l.firstOf(connection)))] = true
		for i := range l.tokens {
			all[string(l.request(l.firstOf(connection)+i))] = true
		}
	}
	if len(firsts) != 4 || len(all) != 8 {
		t.Errorf("%d first requests and %d in all", len(firsts), len(all))
	}
}

// TestSources holds that no address has more connections than a proxy takes.
func TestSources(t *testing.T) {
	counts := map[netip.AddrPort]int{}
	for i := range idleCount {
		counts[sourceOf(i)]++
	}
	for source, n := range counts {
		if n > 200 || !source.Addr().IsLoopback() {
			t.Errorf("%v has %d", source, n)
		}
	}
}
