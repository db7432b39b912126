package target

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/dial"
	"gatehouse/http1/wire"
)

// accepting returns an address, and the connections that were accepted there.
func accepting(t *testing.T) (string, chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(conns)
				return
			}
			conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for c := range conns {
			c.Close()
		}
	})
	return l.Addr().String(), conns
}

func endpointAt(t *testing.T, address string) (*Group, *Endpoint) {
	t.Helper()
	g := OpenGroup(GroupKey{Target: address}, Identity{}, dial.New(dial.Options{}), nil, nil, slog.New(slog.DiscardHandler))
	t.Cleanup(g.Retire)
	return g, g.Members().Endpoints[0]
}

func open(t testing.TB, e *Endpoint) *Conn {
	t.Helper()
	c, err := e.Dial(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLastInFirstOut(t *testing.T) {
	address, _ := accepting(t)
	_, e := endpointAt(t, address)
	a, b, c := open(t, e), open(t, e), open(t, e)
	for _, conn := range []*Conn{a, b, c} {
		e.Keep(conn, time.Now(), 2, time.Minute)
	}
	if all, idle := e.Connections(); all != 2 || idle != 2 {
		t.Errorf("%d connections, %d idle; c had no place", all, idle)
	}
	if got := e.Idle(); got != b || !got.Reused {
		t.Error("not the one used last")
	}
	if got := e.Idle(); got != a {
		t.Error("not the one before")
	}
	if got := e.Idle(); got != nil {
		t.Error("one from nowhere")
	}
}

// What its other side has closed, or written to, is sent nothing.
func TestNothingToTheDead(t *testing.T) {
	address, conns := accepting(t)
	_, e := endpointAt(t, address)
	for name, spoil := range map[string]func(net.Conn){
		"closed":  func(c net.Conn) { c.Close() },
		"reset":   func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); c.Close() },
		"written": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n") },
	} {
		bad := open(t, e)
		e.Keep(bad, time.Now(), 8, time.Minute)
		spoil(<-conns)
		deadline := time.Now().Add(5 * time.Second)
		for bad.alive() && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond) // until loopback has delivered it
		}
		c, rd := e.Idle(), wire.NewReader()
		rd.Reset(c)
		if n, err := c.Ask([]byte(question), rd); n != 0 || err != ErrDead {
			t.Errorf("%s: asked: %d, %v", name, n, err)
		}
		if n, err := c.Send([]byte(question)); n != 0 || err != ErrDead {
			t.Errorf("%s: sent: %d, %v", name, n, err)
		}
		if rd.Received() {
			t.Errorf("%s: it was read from", name)
		}
		c.Discard()
	}
}

// An idle connection whose read deadline has passed is as good as any.
func TestAliveAfterDeadline(t *testing.T) {
	address, _ := accepting(t)
	_, e := endpointAt(t, address)
	c := open(t, e)
	_ = c.SetDeadline(time.Unix(1, 0))
	e.Keep(c, time.Now(), 1, time.Minute)
	if !e.Idle().alive() {
		t.Error("taken for dead")
	}
}

// Each connection idles as long as the service says that used it last, whoever
// else shares the endpoint.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Endpoint{}
		keep := func(timeout time.Duration) {
			e.open.Add(1)
			e.Keep(newConn(closer{}, closer{}, e), time.Now(), 8, timeout)
		}
		left := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if all, idle := e.Connections(); all != want || idle != want {
				t.Errorf("%d connections, %d idle, want %d", all, idle, want)
			}
		}
		keep(time.Minute)
		keep(time.Second)
		left(time.Second-1, 2)
		left(1, 1)
		left(58*time.Second, 1)
		e.Idle().Discard() // what was in use when its time came
		left(5*time.Second, 0)
		keep(2 * time.Minute)
		keep(time.Minute)
		left(time.Minute, 1)
		left(time.Minute, 0)
	})
}

type closer struct{ net.Conn }

func (closer) Close() error { return nil }

func TestLimitHoldsConcurrently(t *testing.T) {
	address, _ := accepting(t)
	_, e := endpointAt(t, address)
	var got sync.Map
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c, err := e.Dial(context.Background(), 5)
			switch {
			case err == nil:
				got.Store(c, true)
			case !errors.Is(err, ErrLimit):
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	got.Range(func(c, _ any) bool {
		n++
		c.(*Conn).Discard()
		return true
	})
	if n < 1 || n > 5 {
		t.Errorf("%d connections, at most 5 are allowed", n)
	}
	if open, _ := e.Connections(); open != 0 {
		t.Errorf("%d are counted after all were closed", open)
	}
}

func TestRetired(t *testing.T) {
	address, _ := accepting(t)
	g, e := endpointAt(t, address)
	idle, used := open(t, e), open(t, e)
	e.Keep(idle, time.Now(), 8, time.Minute)
	g.Retire()
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error("an idle connection stays open:", err)
	}
	if _, err := used.Write([]byte("x")); err != nil {
		t.Error("a connection in use was closed:", err)
	}
	e.Keep(used, time.Now(), 8, time.Minute)
	if all, n := e.Connections(); all != 0 || n != 0 {
		t.Errorf("%d connections, %d idle", all, n)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, e := endpointAt(t, l.Addr().String())
	if _, err := e.Dial(context.Background(), 0); dial.KindOf(err) != dial.Refused || Why(err).Error() != "connect refused" {
		t.Error(err)
	}
	if all, _ := e.Connections(); all != 0 {
		t.Errorf("%d connections", all)
	}
}

func BenchmarkIdleKeep(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	g := OpenGroup(GroupKey{Target: l.Addr().String()}, Identity{}, dial.New(dial.Options{}), nil, nil, slog.New(slog.DiscardHandler))
	defer g.Retire()
	e := g.Members().Endpoints[0]
	e.Keep(open(b, e), time.Now(), 8, time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		e.Keep(e.Idle(), time.Now(), 8, time.Minute)
	}
}
